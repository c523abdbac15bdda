"""Windows of years: the periods of a run, and the baseline that sets quantile edges."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from engine.core.errors import SettingsError
from engine.core.names import shortened, unknown

FULL = "full"
#: name -> (first year, last year), both included; the IPCC AR6 and KMA windows. `full` is the whole axis.
PERIODS: dict[str, tuple[int, int]] = {
    FULL: (2021, 2100),
    "short_term": (2021, 2040),
    "mid_term": (2041, 2060),
    "long_term": (2081, 2100),
}
#: values of a cell below which no distribution is estimated of them
MIN_SAMPLES = 10
#: years that must be there of the climatological normal, and how many stand in for it where they are not
NORMAL_AT_LEAST, STAND_IN_YEARS = 24, 30
WINDOWS = tuple(name for name in PERIODS if name != FULL)
#: the window that the others are compared with
FIRST_WINDOW = WINDOWS[0]


class Years(NamedTuple):
    """A span of whole years, both ends included."""

    first: int
    last: int

    @property
    def n(self) -> int:
        """Number of years."""
        return self.last - self.first + 1

    @property
    def middle(self) -> int:
        """Year in its middle: of 2021-2040 it is 2030."""
        return (self.first + self.last) // 2

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def holds(self, other: Years) -> bool:
        """True when `other` lies inside this span."""
        return self.first <= other.first and other.last <= self.last

    def columns_of(self, other: Years) -> slice:
        """Columns of the years of `other` on an axis of this span."""
        if not self.holds(other):
            raise ValueError(f"{other} is not inside {self}")
        return slice(other.first - self.first, other.last - self.first + 1)


#: the climatological normal that quantile edges stand on
NORMAL = Years(1991, 2020)


def baseline_years(axis: Years, asked: Years | None = None) -> Years:
    """The years asked for, else the climatological normal if the axis holds enough of it, else the first 30 years."""
    if asked is not None:
        if not axis.holds(asked):
            raise SettingsError(f"the baseline {asked} lies outside the years {axis} of the source")
        return asked
    shared = Years(max(axis.first, NORMAL.first), min(axis.last, NORMAL.last))
    if shared.n >= NORMAL_AT_LEAST:
        return shared
    return Years(axis.first, min(axis.first + STAND_IN_YEARS - 1, axis.last))


def window(name: str, axis: Years) -> Years:
    """Years of a named period on an axis; `full` is the axis itself."""
    if name == FULL:
        return axis
    if name not in PERIODS:
        raise SettingsError(unknown("period", name, PERIODS))
    return Years(*PERIODS[name])


def label(period: str, years: Years, *, trend: bool) -> str:
    """Years that the AAL of a period stands for, as shown: `2021-2040`; `2030` for a risk that follows a trend."""
    return str(years.middle) if trend and period != FULL else str(years)


def trend_in_words(periods: Mapping[str, tuple[int, int]]) -> str:
    """What the AAL of a risk that follows a trend is of. periods: name -> first and last year."""
    of = {name: label(name, Years(*years), trend=True) for name, years in periods.items()}
    parts = [f"that of {', '.join(of[name] for name in WINDOWS if name in of)}"] if {*of} & {*WINDOWS} else []
    parts += [f"the mean over {of[FULL]}"] if FULL in of else []
    return f"follows a linear trend: its AAL is {', and '.join(parts)}"


def parse_years(text: str) -> Years:
    """`1981-2010` -> Years(1981, 2010)."""
    written = re.fullmatch(r"([0-9]{1,4})-([0-9]{1,4})", text.strip())
    if written is None or int(written[1]) > int(written[2]):
        raise SettingsError(f"{shortened(text)!r} is not a span of years such as 1981-2010")
    return Years(int(written[1]), int(written[2]))
