"""Country profile: currency, reference value, levels of regions, time zone and national figures, as data.

`profile_file` reads one from TOML: `korea` and `generic` come with the engine, a user's own is a third. `country` holds
that of the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from engine.core import currencies
from engine.core.language import Language

#: regions by Korea's legal-dong codes; the names, outlines and other codes that come with the engine are by these
LEGAL_DONG: Literal["legal_dong"] = "legal_dong"


class Words(NamedTuple):
    """A text in each language of the outputs."""

    en: str
    ko: str

    def in_(self, language: Language) -> str:
        """The text in one language."""
        return self.ko if language == "ko" else self.en


class Multiple(NamedTuple):
    """A unit of large amounts, such as `bn` or `억`."""

    size: float
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Currency:
    """Money of a country: every amount is in whole units of it, in every table and output.

    code      : ISO 4217
    word      : what stands for it beside an amount
    multiples : units of large amounts by language, the largest first
    signs     : what people write for it in files, in lower case: signs, code, words
    units     : words for amounts in files -> size, in lower case: `million`, `억원`
    """

    code: str
    word: Words
    multiples: Mapping[Language, tuple[Multiple, ...]]
    signs: tuple[str, ...]
    units: Mapping[str, int]

    def beside(self, amount: str, language: Language) -> str:
        """A written amount with its currency: `KRW 530 bn`, `5,305억원`, in Korean also `530억 EUR`."""
        return f"{amount}{self.suffix(language)}" if language == "ko" else f"{self.word.en} {amount}"

    def suffix(self, language: Language) -> str:
        """What follows an amount: ` KRW`, in Korean `원`."""
        word = self.word.in_(language)
        return f" {word}" if word.isascii() else word

    @property
    def full(self) -> Words:
        """What names it once for a whole page: `KRW`, in Korean `원(KRW)`."""
        korean = self.word.ko if self.word.ko == self.code else f"{self.word.ko}({self.code})"
        return Words(self.word.en, korean)


class RegionLevel(NamedTuple):
    """One level of administrative regions.

    word, several : what one and what many are called
    digits        : characters of a region's code at this level; None: of any length
    layer         : how the name of the file begins that holds their outlines; None: the scheme says
    """

    word: Words
    several: Words
    digits: int | None
    layer: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Regions:
    """Administrative regions of a country.

    codes  : `legal_dong`: codes of Korea's legal-dong system, of ten digits; `own`: those of the layers, or made from
             the names where they have none
    levels : the largest first, one to three
    code_fields, name_fields, population_fields : properties of layers that hold code, name and persons, in lower case;
             the first that a layer has counts
    """

    codes: Literal["legal_dong", "own"]
    levels: tuple[RegionLevel, ...]
    code_fields: tuple[str, ...] = ()
    name_fields: tuple[str, ...] = ()
    population_fields: tuple[str, ...] = ()


class Disclosure(NamedTuple):
    """National standard of climate disclosure beside IFRS S2. name: within a sentence; source: as it is cited"""

    name: Words
    source: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What an assessment and its outputs take from the country.

    key             : `korea`, `generic` or the path of a user's file
    name            : of the country; None where the profile is of no single one
    whole           : word for all of it, within a sentence, such as `whole country`
    currency        : of all money
    reference_value : asset value that counts as 1 in the exposure score, in whole units of the currency
    time_zone       : in which today is, for the ages of buildings
    storm_basins    : IBTrACS basins whose storms are the country's record; empty: those whose storms came near the grid
    languages       : that its pages offer
    search_hint     : an example in the field where places are looked for
    search_note     : what a search for places that finds none adds
    stand_ins       : national means that stand in for inputs of a site which no layer gives, for
                      SPATIAL_MISSING_POLICY=impute; empty: nothing may stand in
    vocabulary      : words of files beside those that the engine knows: `columns` (field -> names of columns),
                      `structures` and `purposes` (class -> words in the value of a building)
    disclosure      : national standard that a report of a portfolio names beside IFRS S2
    figures         : risk -> figures of the country's works that its hazard score reads, such as the rain that sewers
                      take
    """

    key: str
    name: Words | None
    whole: Words
    currency: Currency
    reference_value: float
    time_zone: str
    regions: Regions
    storm_basins: tuple[str, ...]
    languages: tuple[Language, ...]
    search_hint: Words
    search_note: Words | None
    stand_ins: Mapping[str, float]
    vocabulary: Mapping[str, Mapping[str, tuple[str, ...]]]
    disclosure: Disclosure | None
    figures: Mapping[str, Mapping[str, float]]

    def in_currency(self, code: str, reference_value: float | None = None) -> Profile:
        """The profile with another currency, known by its code alone.

        reference_value : in the new currency; None: the amount stays, in the new currency
        raises          : SettingsError for a code that ISO 4217 does not have
        """
        currency = self.currency
        if code != currency.code:
            currencies.require(code, "currency")
            english = self.currency.multiples["en"]
            currency = Currency(
                code=code,
                word=Words(code, code),
                multiples={"en": english, "ko": english},
                signs=(code.lower(),),
                units={word: size for word, size in self.currency.units.items() if word.isascii()},
            )
        value = self.reference_value if reference_value is None else reference_value
        return replace(self, currency=currency, reference_value=value)
