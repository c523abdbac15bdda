"""Currency codes of ISO 4217 that money can be in: national currencies and those of currency unions.

Codes of metals, funds, tests and units of account (XAU, CHE, XTS, XDR) price no building and are left out.
"""

from __future__ import annotations

from engine.core.errors import SettingsError
from engine.core.names import nearest, shortened

#: ISO 4217 list one, as amended to number 178 (2025)
_LISTED = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF "
    "CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL "
    "HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD "
    "MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG "
    "QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD "
    "TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG"
)
CODES = frozenset(_LISTED.split())


def require(code: str, where: str) -> str:
    """A code of ISO 4217.

    where  : setting, option or key that states it, first word of the refusal
    raises : SettingsError for another
    """
    if code in CODES:
        return code
    near = code.upper() if code.upper() in CODES else nearest(code, CODES)
    raise SettingsError(
        f"{where} is {shortened(code)!r}, which is no currency of ISO 4217 such as EUR, JPY or USD"
        + (f"; did you mean {near}?" if near else "")
    )
