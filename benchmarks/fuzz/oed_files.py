"""OED location files of the shapes that are in use: made up here, columns as the standard and its users write them."""

from __future__ import annotations

import polars as pl

#: one account in one currency, as models are tried with
_PLAIN = """PortNumber,AccNumber,LocNumber,IsTenant,BuildingID,CountryCode,Latitude,Longitude,StreetAddress,PostalCode,\
OccupancyCode,ConstructionCode,LocPerilsCovered,BuildingTIV,OtherTIV,ContentsTIV,BITIV,LocCurrency,OEDVersion
1,A1,1,1,1,KR,37.5665,126.978,1 Sejong-daero,04524,1050,5150,WW1,220000000,0,0,0,KRW,4.0.0
1,A1,2,1,1,KR,35.1796,129.0756,2 Jungang-daero,47545,1054,5000,WW1,790000000,10000000,25000000,0,KRW,4.0.0
1,A1,3,1,1,KR,33.4996,126.5312,3 Gwandeok-ro,63119,1116,5200,WW1,143000000,0,0,92000000,KRW,4.0.0
"""
#: header in small letters, several currencies, further columns of the owner
_CURRENCIES = """portnumber,accnumber,locnumber,locname,countrycode,latitude,longitude,buildingtiv,contentstiv,\
bitiv,loccurrency,occupancycode,constructioncode,yearbuilt,numberofstoreys,locperilscovered,locuserdef1
P1,ACC-7,L1,Mill,KR,37.45,126.70,1500000,250000.50,90000,EUR,1150,5201,1987,2,AA1,north
P1,ACC-7,L2,Office,KR,37.51,127.05,2.5e6,0,0,usd,1104,5208,0,21,AA1,
P1,ACC-9,L1,Depot,KR,36.35,127.38,800000000,,,KRW,1122,5103,2011,-2,AA1,south
"""
#: a row a peril of each location, with its own deductible
_PERILS = """PortNumber,AccNumber,LocNumber,CountryCode,Latitude,Longitude,LocPerilsCovered,LocPeril,BuildingTIV,\
ContentsTIV,LocCurrency,LocDedType1Building,LocDed1Building,LocLimit1Building
1,1,1,KR,37.5,127.0,AA1,WW1,500000000,1000000,KRW,0,50000,0
1,1,1,KR,37.5,127.0,AA1,OO1,500000000,1000000,KRW,2,0.05,0
1,1,2,KR,37.6,127.1,WW1;OO1,WW1,300000000,0,KRW,0,0,100000000
1,2,1,KR,35.9,128.6,AA1,AA1,700000000,0,KRW,0,0,0
"""
#: what is not known by its codes, no values at all, numbers as text
_SPARSE = """PortNumber,AccNumber,LocNumber,CountryCode,Latitude,Longitude,OccupancyCode,ConstructionCode,YearBuilt,\
NumberOfStoreys,LocCurrency,LocPerilsCovered
1,A,001,KR,37.1,127.3,1000,5000,0,0,KRW,AA1
1,A,002,KR,37.2,127.4,2510,5302,1999,-3,KRW,AA1
1,A,003,KR,37.3,127.5,9876,0,2005,4,KRW,AA1
"""
TEXTS = {"plain": _PLAIN, "currencies": _CURRENCIES, "perils": _PERILS, "sparse": _SPARSE}
RATES = "currency,rate,date\nEUR,1700.5,2026-11-27\nUSD,1470,2026-11-27\n"


def parquet() -> pl.DataFrame:
    """The fifth: typed columns, as `ods-tools` stores them."""
    return pl.DataFrame(
        {
            "PortNumber": ["1", "1"],
            "AccNumber": ["A", "A"],
            "LocNumber": ["1", "2"],
            "CountryCode": ["KR", "KR"],
            "Latitude": [37.5, 36.5],
            "Longitude": [127.0, 128.0],
            "BuildingTIV": [5e8, 0.0],
            "ContentsTIV": [0.0, 1e7],
            "LocCurrency": pl.Series(["KRW", "EUR"], dtype=pl.Categorical),
            "OccupancyCode": pl.Series([1104, 1051], dtype=pl.Int32),
            "ConstructionCode": pl.Series([5150, 5050], dtype=pl.Int32),
            "YearBuilt": pl.Series([2001, None], dtype=pl.Int16),
            "NumberOfStoreys": pl.Series([12, 2], dtype=pl.Int8),
        }
    )
