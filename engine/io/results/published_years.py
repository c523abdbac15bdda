"""Published losses of the same years in two windows of a risk, all cells at once."""

from __future__ import annotations

from typing import LiteralString, NamedTuple

import numpy as np
import psycopg
from numpy.typing import NDArray

#: of the run whose rows are published: the years of every scenario and window, in the order in which rows hold them
_LAYOUT: LiteralString = """
SELECT run_id, scenario_id, time_period, years FROM result_sample_years
 WHERE risk_type = %(risk)s AND run_id = (SELECT run_id FROM modelops_year_losses WHERE risk_type = %(risk)s LIMIT 1)
 ORDER BY place
"""
# rows with gaps hold no complete years; a part of each list is all that is read
_LOSSES: LiteralString = """
SELECT string_agg(int4send(grid_id), ''::bytea),
       string_agg(substring(losses FROM %(first)s FOR %(length)s), ''::bytea),
       string_agg(substring(losses FROM %(second)s FOR %(length)s), ''::bytea)
  FROM modelops_year_losses
 WHERE risk_type = %(risk)s AND run_id = %(run)s AND valid IS NULL AND octet_length(losses) = %(total)s
"""
_WIDTH = 4  # bytes of a loss


class YearsOfTwo(NamedTuple):
    """grid_id: (cells,); first, second: (cells, years), losses of the same years in two windows, shares of value."""

    grid_id: NDArray[np.int32]
    first: NDArray[np.float32]
    second: NDArray[np.float32]


def of_two(
    connection: psycopg.Connection, risk: str, first: tuple[int, str], second: tuple[int, str]
) -> YearsOfTwo | None:
    """Losses of the years of two windows, each a scenario and a period; None where the run kept none of one, or their
    years are not the same."""
    rows = connection.execute(_LAYOUT, {"risk": risk}).fetchall()
    places, at = {}, 0
    for _, scenario, period, years in rows:
        places[scenario, period] = at, years
        at += len(years)
    if first not in places or second not in places or places[first][1] != places[second][1]:
        return None
    n = len(places[first][1])
    asked = {
        "risk": risk,
        "run": rows[0][0],
        "first": 1 + _WIDTH * places[first][0],
        "second": 1 + _WIDTH * places[second][0],
        "length": _WIDTH * n,
        "total": _WIDTH * at,
    }
    [(ids, *parts)] = connection.execute(_LOSSES, asked, binary=True).fetchall()
    if ids is None:
        return None
    one, other = (np.frombuffer(part, "<f4").reshape(-1, n) for part in parts)
    return YearsOfTwo(np.frombuffer(ids, ">i4").astype(np.int32), one, other)
