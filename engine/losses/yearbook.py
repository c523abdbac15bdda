"""Answers of the official yearbook of disasters by year (data.go.kr 15107318) as recorded losses.

An answer holds a `head` with the result's code and a list `row`, a row a year, its causes by name in million KRW of
the year.
The sum of the causes is not the total: hail, storm surge and frost are in the total only. A row of the newest year has
been seen in thousands; the gate compares each with the year before and with its causes.

The regional table (15107316) is refused: its service describes no columns, so whether a row is a province, a
municipality or a sum of others is not known, and rows added up wrongly would be a plausible total.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.core.errors import SchemaError
from engine.losses import figures, record
from engine.losses.record import FINAL, Loss

ADDRESS = "https://www.data.go.kr/data/15107318/openapi.do"
#: column of an answer -> name of a cause
CAUSES = {
    "typhoon": "typhoon", "heavy_rain": "heavy_rain", "heavy_snow": "heavy_snow", "heavy_wind": "gale",
    "wind_wave_strong_wind": "high_waves", "typhoon_heavy_rain": "heavy_rain_and_typhoon", "lightning": "lightning",
    "cold_wave": "cold_wave", "earthquak": "earthquake", "heatwave": "heat",
}  # fmt: skip
_YEAR, _TOTAL, _NUMBER = "wrttimeid", "tot", "seq"
_GOOD = ("INFO-0", "00", "0", "INFO-00")
_SCOPE = "public_and_private"
#: columns by which tables of the same statistics name a region
_REGIONS = {"regi", "region", "sido", "sigungu"}


def read(path: Path) -> list[Loss]:
    """Totals and causes of one saved answer.

    raises : SchemaError for an answer that reports a fault, other columns, two rows of a year, or a slip of units
    """
    try:
        answer = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError):  # no UTF-8, no JSON, or brackets deeper than can be read
        raise SchemaError(f"{path.name} is no JSON: ask for type=json") from None
    _check_code(path, answer)
    rows = [row for part in _lists(answer, "row") for row in part]
    if not rows:
        raise SchemaError(f"{path.name} holds no rows: it is no answer of {ADDRESS}")
    found = [loss for number, row in enumerate(rows, start=1) for loss in _losses(f"{path.name}, row {number}", row)]
    totals = record.comparable([loss for loss in found if loss.name == record.TOTAL])
    record.check_units(totals, [loss for loss in found if loss.name != record.TOTAL])
    return found


def _losses(place: str, row: Any) -> Iterator[Loss]:
    known = {_YEAR, _TOTAL, _NUMBER, *CAUSES}
    if isinstance(row, dict) and (regions := sorted(set(row) & _REGIONS)):
        raise SchemaError(
            f"{place}: a row of a region ({', '.join(regions)}): the table by region (data.go.kr 15107316) describes no"
            f" columns, so its rows cannot be added up; give the table by year ({ADDRESS}), or enter provinces into"
            " province_losses.csv"
        )
    if not isinstance(row, dict) or not {_YEAR, _TOTAL} <= set(row) or (other := sorted(set(row) - known)):
        said = (
            f"unknown columns {', '.join(other)}" if isinstance(row, dict) and set(row) - known else "no year or total"
        )
        raise SchemaError(f"{place}: {said}: only the table by year ({ADDRESS}) can be read")
    year = figures.year(place, _YEAR, row[_YEAR])
    for column, name in ((_TOTAL, record.TOTAL), *CAUSES.items()):
        if row.get(column) not in (None, "", "-"):
            value = record.loss_of(place, column, _plain(row[column]), of_cause=column != _TOTAL)
            yield Loss(place, name, (year, year), value, year, _SCOPE, FINAL, True, "mois_yearbook", ADDRESS)


def _plain(value: object) -> object:
    """A figure without the commas of thousands."""
    return value.replace(",", "") if isinstance(value, str) else value


def _check_code(path: Path, answer: Any) -> None:
    for code in _values(answer, "resultCode"):
        if str(code) not in _GOOD:
            said = next(iter(_values(answer, "resultMsg")), "no reason")
            raise SchemaError(f"{path.name}: the service answered {code}: {said}")


def _lists(node: Any, key: str) -> Iterator[list[Any]]:
    return (value for value in _values(node, key) if isinstance(value, list))


def _values(node: Any, key: str) -> Iterator[Any]:
    """Every value of a key, however deep, in the order of the text."""
    left = [(False, node)]
    while left:
        found, value = left.pop()
        if found:
            yield value
        elif isinstance(value, dict):
            left += [(name == key, each) for name, each in reversed(value.items())]
        elif isinstance(value, list):
            left += [(False, each) for each in reversed(value)]
