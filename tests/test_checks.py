"""Where the checks of a run draw the line."""

import numpy as np
import polars as pl
import pytest

from engine.batch.checks import check_cells, check_panel, check_scenarios, check_tables
from engine.batch.notes import BlockNotes, total
from engine.batch.settle import settle
from engine.core.errors import EngineError
from engine.core.period import Years
from engine.core.scenario import Scenario
from tests.blocks import AXIS, declared, make_panel, plan_of


def settled(blocks, *, variable="wsdi", risk="extreme_heat"):
    """The risks that may be published and why others may not, of blocks of (cells, cells that lack values)."""
    plan = plan_of(declared([variable]), risk)
    figures = {risk: {"SSP2-4.5 full": 1}}
    notes = [BlockNotes(cells=cells, gaps={variable: gaps}, known=figures, scored=figures) for cells, gaps in blocks]
    try:
        return settle(plan, total(notes))[0].risks
    except EngineError as err:
        return str(err)


@pytest.mark.parametrize(
    ("blocks", "allowed"),
    [
        ([(10, 1)], True),  # one cell always may
        ([(10, 2)], False),
        ([(3000, 3)], True),
        ([(3000, 4)], False),
        ([(2000, 3), (1000, 0)], True),  # the whole run counts, not a block
        ([(2000, 2), (1000, 2)], False),
    ],
)
def test_one_cell_in_a_thousand_may_lack_values_and_one_cell_always_may(blocks, allowed):
    gaps, total = sum(gaps for _, gaps in blocks), sum(cells for cells, _ in blocks)
    refused = f"extreme_heat: wsdi_data: {gaps} of {total:,} cells lack values"
    assert settled(blocks) == (("extreme_heat",) if allowed else refused)


def gaps_of(values, *, observed=False):
    return check_panel(make_panel(values), {}, observed=observed)[1]


def test_the_first_eleven_months_of_an_index_of_twelve_may_be_missing_and_no_more():
    spei = np.zeros((2, AXIS.n, 12))
    spei[:, 0, :11] = np.nan
    assert gaps_of({"spei12": spei, "ta": 10.0}) == {"spei12": 0, "ta": 0}
    spei[1, 0, 11] = np.nan
    assert gaps_of({"spei12": spei, "ta": spei + 10}) == {"spei12": 1, "ta": 2}
    assert gaps_of({"spei12": spei}, observed=True) == {}


def test_cells_that_lack_values_are_counted_under_the_scenario_that_lacks_most():
    gaps = {
        Scenario.SSP126: [0.0, 0.0, 0.0],
        Scenario.SSP245: [np.nan, np.nan, 0.0],
        Scenario.SSP370: [np.nan, 0.0, 0.0],
    }
    values = {("wsdi", scenario): np.array(cells) for scenario, cells in gaps.items()}
    assert gaps_of(values) == {"wsdi": 2}


def test_a_block_without_a_figure_is_no_fault_where_another_has_one():
    plan = plan_of(declared(["wsdi"]), "extreme_heat")
    some, none = {"extreme_heat": {"SSP2-4.5 full": 3}}, {"extreme_heat": {"SSP2-4.5 full": 0}}

    def outcome(*notes):
        return settle(plan, total(BlockNotes(cells=5, known=known, scored=scored) for known, scored in notes))

    assert outcome((none, some), (some, none))[1] == {}
    final, failed = outcome((some, none), (some, none))
    assert failed == {"extreme_heat": "no cell has enough data for SSP2-4.5 full"}
    assert (final.probability, dict(final.hazard)) == (("extreme_heat",), {})


def test_a_scenario_is_there_when_any_of_its_variables_is():
    def panel(rain):
        return make_panel({"ta": 10.0} | {("rn", s): 1.0 if s == Scenario.SSP245 else rain for s in Scenario})

    check_scenarios(panel(np.nan))
    check_scenarios(make_panel({"ta": np.nan}))  # a block without any value has gaps, and no scenario to blame


def test_the_first_block_with_a_fault_gives_the_reason():
    plan = plan_of(declared(["wsdi", "csdi"]), "extreme_heat", "extreme_cold")
    figures = {"extreme_cold": {"SSP2-4.5 full": 1}}
    notes = [BlockNotes(cells=1, faults={"wsdi": why}, known=figures, scored=figures) for why in ("first", "second")]
    final, failed = settle(plan, total(notes))
    assert (final.risks, failed) == (("extreme_cold",), {"extreme_heat": "first"})


def test_two_cells_in_one_place_are_refused():
    cells = pl.DataFrame({"grid_id": [4, 5, 9], "latitude": [35.0, 35.1, 35.0], "longitude": [127.0, 127.0, 127.0]})
    with pytest.raises(EngineError, match=r"1 cell shares their coordinates with another \(cells \[4, 9\] first\)"):
        check_cells(cells, None)
    check_cells(cells.head(2), None)


def test_a_score_alone_fails_with_the_table_that_it_stands_on():
    source = declared([], ("sea_level_grid", "sea_level_data"), axis=Years(2021, 2100))
    plan = plan_of(source, "sea_level_rise", job_type="hazard")
    points = pl.DataFrame({"grid_id": [7, 7]})
    assert check_tables(plan, {"sea_level_grid": points.head(1)}, {}) == {}
    assert list(check_tables(plan, {"sea_level_grid": points}, {})) == ["sea_level_rise"]
