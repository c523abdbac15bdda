"""Recorded losses, row by row, and the gate that refuses rows that cannot stand in one series.

Korean loss tables mix what looks alike: counts of the first days with final ones, cost of recovery with loss, prices
of the
year with converted ones, all damage with insured houses, millions with thousands. `comparable` lets none of it through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from engine.core.errors import SchemaError
from engine.losses import figures

#: a slip of units is a factor of a thousand; no year of the record is this often its neighbour or the sum of its causes
SLIP = 300.0
FINAL, PRELIMINARY = "final", "preliminary"
RECOVERY = "recovery_cost"
TOTAL = "total"
_NEEDS = ("value_million_krw", "price_basis", "scope", "status", "source_id", "source_url")


class Loss(NamedTuple):
    """One recorded figure.

    place    : file and row, for messages
    name     : cause of a year (`total`, `heavy_rain`, ...), or the event
    years    : first and last
    value    : million KRW
    prices   : the year whose prices the value is in; None: the source does not say
    status   : final or preliminary
    """

    place: str
    name: str
    years: tuple[int, int]
    value: float
    prices: int | None
    scope: str
    status: str
    preferred: bool
    source: str
    address: str

    @property
    def year(self) -> int:
        """The year, of a figure of one."""
        return self.years[0]


class Allowed(NamedTuple):
    """A row used although the gate refuses it, by name, with the reason; `prices` stands in for what is not stated."""

    name: str
    year: int
    reason: str
    prices: int | None = None


def table(path: Path) -> pl.DataFrame:
    """A table of a folder of losses.

    raises : SchemaError when it is not there or is no table
    """
    try:
        return pl.read_csv(path, infer_schema_length=None, glob=False)
    except (OSError, pl.exceptions.PolarsError) as err:
        raise SchemaError(
            f"{path} cannot be read: {str(err).partition(chr(10))[0]}; docs/calibration.md names the tables"
        ) from None


def read(path: Path) -> list[Loss]:
    """Rows of a table of losses, of years or of events.

    raises : SchemaError for a missing column, a loss that is no number above 0 (of one cause of a year 0 may be said),
             years that are none, a row without an address, or a preferred row that cannot be used
    """
    frame = table(path)
    figures.need(frame, path.name, _NEEDS)
    found = []
    for number, row in enumerate(frame.iter_rows(named=True), start=figures.FIRST_ROW):
        place = f"{path.name}, row {number}"
        preferred = _preferred(place, row)
        if row["value_million_krw"] is None and not preferred:  # a share, or a count of houses
            continue
        found.append(_loss(place, row, preferred))
    return found


def comparable(rows: Iterable[Loss], allowed: Sequence[Allowed] = ()) -> list[Loss]:
    """The rows, if they can stand in one series: final losses of one scope in known prices, one a name and year.

    raises : SchemaError naming file, row, what is wrong and what to do
    """
    passed: list[Loss] = []
    for row in rows:
        exempt = next((rule for rule in allowed if (rule.name, rule.year) == (row.name, row.year)), None)
        if exempt is None:
            _refuse_alone(row)
        elif row.prices is None:
            row = row._replace(prices=exempt.prices)
        if passed:
            _refuse_beside(row, passed)
        passed.append(row)
    return passed


def check_units(totals: Iterable[Loss], causes: Iterable[Loss] = ()) -> None:
    """Refuse a yearly total that is a thousand times too large or small, beside its causes or the year before.

    raises : SchemaError naming file, row and the figure it was compared with
    """
    sums: dict[int, float] = {}
    for cause in causes:
        sums[cause.year] = sums.get(cause.year, 0.0) + cause.value
    before: Loss | None = None
    for row in sorted(totals, key=lambda loss: loss.year):
        if (of_causes := sums.get(row.year, 0.0)) > 0 and _slipped(row.value, of_causes):
            raise SchemaError(_unit(row, f"the sum of its causes is {of_causes:,.0f}"))
        if before is not None and row.year - before.year == 1 and _slipped(row.value, before.value):
            raise SchemaError(_unit(row, f"the year before has {before.value:,.0f}"))
        before = row


def _refuse_alone(row: Loss) -> None:
    if row.name == RECOVERY:
        raise SchemaError(f"{row.place}: cost of recovery, about twice a loss, is no loss: take it out")
    if row.status != FINAL:
        raise SchemaError(f"{row.place}: a preliminary count, 2 to 8 times too low: take the final one")
    if row.prices is None:
        raise SchemaError(f"{row.place}: it does not say in prices of which year: write nominal, or the year")


def _refuse_beside(row: Loss, passed: Sequence[Loss]) -> None:
    if row.scope != passed[0].scope:
        raise SchemaError(
            f"{row.place}: its scope is {row.scope!r}, and that of {passed[0].place} is {passed[0].scope!r}: "
            "keep one scope in a series"
        )
    for other in passed:
        if (other.name, other.years) == (row.name, row.years):
            raise SchemaError(f"{row.place}: {row.name} {row.year} stands in {other.place} too: keep one of the two")


def _slipped(value: float, other: float) -> bool:
    return min(value, other) > 0 and not 1 / SLIP < value / other < SLIP


def _unit(row: Loss, beside: str) -> str:
    return f"{row.place}: {row.value:,.0f} million KRW, but {beside}: look at its unit, a thousand is between them"


def _loss(place: str, row: Mapping[str, object], preferred: bool) -> Loss:
    of_years = "event" not in row and "name" not in row
    name = str(row.get("cause") or "") if of_years else _event(row)
    if not row["source_url"]:
        raise SchemaError(f"{place}: it has no source address: a fact without one is not used")
    years = _years(place, row)
    if preferred and row["status"] != FINAL:
        raise SchemaError(f"{place}: it is preferred, and its status is {row['status']!r}: prefer a final count")
    if preferred and row.get("row_type") == "year" and years[0] != years[1]:
        raise SchemaError(
            f"{place}: it is a preferred row of one year, and goes from {years[0]} to {years[1]}: correct its years"
        )
    return Loss(
        place=place,
        name=name,
        years=years,
        value=loss_of(place, "value_million_krw", row["value_million_krw"], of_cause=of_years and name != TOTAL),
        prices=_prices(place, str(row["price_basis"]), row.get("price_year"), years[0]),
        scope=str(row["scope"]),
        status=FINAL if row["status"] == FINAL else PRELIMINARY,
        preferred=preferred,
        source=str(row["source_id"]),
        address=str(row["source_url"]),
    )


def loss_of(place: str, column: str, value: object, *, of_cause: bool) -> float:
    """A loss of one row; a cause of a year may have none, a total or an event has some.

    raises : SchemaError for anything else
    """
    if of_cause and figures.number(place, column, value) == 0:
        return 0.0
    return figures.above_zero(place, column, value)


def _preferred(place: str, row: Mapping[str, object]) -> bool:
    said = row.get("preferred")
    if said not in (None, "", "no", "yes"):
        raise SchemaError(f"{place}: preferred is {said!r}: write yes, or leave it blank")
    return said == "yes"


def _years(place: str, row: Mapping[str, object]) -> tuple[int, int]:
    """First and last year, of the first column that says one."""
    column = next((each for each in ("year_from", "year") if row.get(each) not in (None, "")), "date_from")
    value = row.get(column)
    first = figures.year(place, column, str(value)[:4] if column == "date_from" and value is not None else value)
    last = figures.year(place, "year_to", row["year_to"]) if row.get("year_to") not in (None, "") else first
    if last < first:
        raise SchemaError(f"{place}: year_to is {last}, before year_from, {first}: correct the years")
    return first, last


def _event(row: Mapping[str, object]) -> str:
    return str(row.get("name") or row.get("event") or row.get("cause"))


def _prices(place: str, basis: str, stated: object, year: int) -> int | None:
    if basis.startswith("nominal"):
        return year
    if stated is not None:
        return figures.year(place, "price_year", stated)
    digits = "".join(sign if sign.isdigit() else " " for sign in basis).split()
    return int(digits[0]) if basis.startswith("converted") and digits else None
