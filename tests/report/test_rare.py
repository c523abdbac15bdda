"""Return levels by province, against the kernel on the very values that were put into the warehouse."""

from contextlib import closing

import polars as pl
import pytest

from engine.core.scenario import DEFAULT_SCENARIO
from engine.io import open_source
from engine.kernels import return_levels
from engine.report import rare
from engine.report.places import Places
from engine.report.words import level
from engine.risks import load_edition
from tests.report.test_figures import figures
from tests.warehouses import fill

RUN = {"baseline": "2021-2050 SSP2-4.5"}


def places(cells, provinces):
    frame = pl.DataFrame({"grid_id": cells, "province": provinces}, schema={"grid_id": pl.Int64, "province": pl.String})
    return Places(cells=frame, population={}, coast=[], provinces=[], source="")


def test_a_province_is_told_by_the_cell_in_the_middle_of_its_cells():
    where = places([1, 2, 3, 4, 5, 6], ["A", "A", "A", "A", "B", None])
    told = figures([0.04, 0.01, 0.03, 0.02, None, 0.5])
    assert rare.median_cells(told, where).rows() == [("A", 4)]  # 0.01 0.02 | 0.03 0.04; B has no AAL
    alike = figures([0.01] * 6, score=[0.1, 0.9, 0.2, 0.3, 0.7, 0.0])
    assert rare.median_cells(alike, where).rows() == [("A", 3), ("B", 5)]  # the AAL tells no cell from another
    unpriced = figures([None] * 6, score=[0.1, 0.9, 0.2, 0.3, 0.7, 0.0])
    assert rare.median_cells(unpriced, where).rows() == [("A", 3), ("B", 5)]


def test_levels_by_province_are_those_of_the_climate_and_what_has_none_says_why(warehouse):
    filled = fill(warehouse, without=["spei12_data"])
    told, where = figures([0.01] * 17), places([*range(1, 18)], ["Seoul (S)"] * 9 + ["Jeju"] * 8)
    risks = dict.fromkeys(("river_flood", "typhoon", "sea_level_rise", "drought", "water_stress"), told)
    with closing(open_source(warehouse)) as source:
        found = rare.by_province(source, load_edition("2025-11"), RUN, risks, where)
    rows = found.risks["river_flood"].rows
    assert [(row.province, row.grid_id) for row in rows] == [("Jeju", 13), ("Seoul", 5)]
    x = filled.arrays["rx5day", DEFAULT_SCENARIO][[12, 4]]
    expected = return_levels(x, found.periods, lower=0.0)
    assert [row.levels for row in rows] == [pytest.approx(each) for each in expected.level.tolist()]
    assert [(row.low, row.high) for row in rows] == list(zip(expected.low[:, -1], expected.high[:, -1], strict=True))
    assert all(row.levels for risk in ("typhoon", "water_stress") for row in found.risks[risk].rows)
    assert "no return period" in found.risks["sea_level_rise"].reason
    first, last, counted = found.risks["typhoon"].record
    assert (found.risks["river_flood"].record, counted <= last - first + 1) == (None, True)
    assert found.risks["drought"].reason == "the warehouse lacks spei12_data"


def test_a_level_has_three_digits_and_a_minus_of_its_own():
    assert [level(each) for each in (1046.4, 94.0, -3.4, None)] == ["1,046", "94.0", "−3.40", "–"]
