"""The figures of a run's summary, from frames of a hand's size."""

import polars as pl
import pytest

from engine.batch.notes import BlockNotes, total
from engine.batch.summary import summarise
from engine.core.period import Years
from engine.core.rows import HAZARD, PROBABILITY
from tests.blocks import declared, plan_of

AXIS = Years(2021, 2100)
KEYS = {"scenario_id": pl.Int16, "time_period": pl.String, "risk_type": pl.String, "grid_id": pl.Int32}
FULL = (2, "full")


def frames(aal=(), scores=()):
    """Lazy frames of heat: rows of (pair, cell, aal, method) and (pair, cell, score)."""
    losses = [(*pair, "extreme_heat", cell, value, method) for pair, cell, value, method in aal]
    hazard = [(*pair, "extreme_heat", cell, value) for pair, cell, value in scores]
    return (
        pl.LazyFrame(losses, schema=KEYS | {"aal": pl.Float32, "method": pl.String}, orient="row"),
        pl.LazyFrame(hazard, schema=KEYS | {"hazard_score": pl.Float32}, orient="row"),
    )


def heat(aal=(), scores=(), notes=(), risk="extreme_heat", variables=("wsdi",), **options):
    plan = plan_of(declared(variables, axis=options.pop("axis", AXIS)), risk, **options)
    blocks = [BlockNotes(**note) for note in notes] or [BlockNotes(cells=10)]
    return summarise(plan, *frames(aal, scores), total(blocks))


def test_cells_are_counted_by_what_became_of_them():
    rows = [(FULL, cell, 0.01 * cell, "kde" if cell < 5 else "count") for cell in range(1, 6)]
    rows += [(FULL, 6, 0.0, "not_exposed"), (FULL, 7, None, "insufficient_data"), (FULL, 8, 0.02, "count")]
    summary = heat(rows, [(FULL, 7, 0.5), (FULL, 1, 0.7)], [{"cells": 6}, {"cells": 4}])
    (told,) = summary.risks
    assert (told.done, told.null, told.not_exposed, told.scored) == (7, 1, 1, 2)
    assert told.methods == {"count": 2, "insufficient_data": 1, "kde": 4, "not_exposed": 1}
    assert told.mean_aal == pytest.approx((0.15 + 0.02) / 7)
    assert told.mean_hazard == pytest.approx(0.6)
    # cells 9 and 10 have neither a loss nor a score, cell 7 has a score
    assert (summary.cells, summary.cells_without_result, summary.pair) == (10, 2, "SSP2-4.5 2021-2100")


def test_what_was_not_computed_is_none_and_not_zero():
    notes = [{"cells": 10, "unknown": {"river_flood": {"dist_river_m": 4}}, "fallback_edges": {"river_flood": 3}}]
    of = {"notes": notes, "risk": "river_flood", "variables": ("rx5day", "rx1day")}
    (losses,) = heat(**of, job_type=PROBABILITY).risks
    assert (losses.scored, losses.mean_hazard, losses.components, losses.unknown) == (None, None, (), {})
    (scores,) = heat(**of, job_type=HAZARD, edition="2025-12").risks
    assert (scores.done, scores.null, scores.not_exposed, scores.mean_aal) == (None, None, None, None)
    assert (scores.scored, scores.unknown) == (0, {"dist_river_m": 4})
    # only quantile edges fall back
    fallback = [heat(**of, edition=edition).risks[0].fallback_edges for edition in ("2025-11", "2025-12")]
    assert [*fallback, scores.fallback_edges] == [None, 3, None]


def test_a_risk_with_a_score_alone_is_told_unpriced_where_its_edition_does_not_price_it():
    of = {"risk": "drought", "variables": ("cdd",), "edition": "2026-kr", "job_type": HAZARD}
    (told,) = heat(**of).risks
    assert (told.priced, told.calibrated, told.mean_aal) == (False, False, None)


def test_an_observed_record_has_years_and_no_scenario():
    plan = plan_of(declared(["wsdi"], axis=Years(1907, 2015), scope="observed"), "extreme_heat")
    for cells, apart, said in ((1, True, " of 1 station"), (69, True, " of 69 stations"), (994, False, "")):
        told = summarise(plan, *frames(), BlockNotes(cells=cells), apart=apart)
        assert (told.pair, told.apart) == (f"observed record{said} 1907-2015", apart)


def test_a_cell_without_loss_and_score_is_without_result():
    summary = heat([(FULL, 1, 0.01, "kde"), (FULL, 2, None, "insufficient_data")], [], [{"cells": 2}])
    assert summary.cells_without_result == 1


def test_the_high_end_is_the_95th_percentile_and_the_share_above_five_percent():
    (told,) = heat([(FULL, cell, cell / 1000, "kde") for cell in range(1, 102)]).risks
    assert told.aal_95 == pytest.approx(0.096)
    assert told.share_above_5_percent == pytest.approx(51 / 101)


def test_without_the_full_period_the_figures_are_of_the_default_scenario():
    rows = [((scenario, "mid_term"), 1, scenario / 100, "kde") for scenario in (1, 2, 3, 4)]
    summary = heat(rows, periods=["mid_term"])
    assert summary.pair == "SSP2-4.5 2041-2060"
    assert summary.risks[0].mean_aal == pytest.approx(0.02)


def test_a_part_that_no_cell_could_use_is_not_named_and_one_that_some_could_use_is_counted():
    def components(*dropped):
        notes = [{"cells": 10, "dropped": {"river_flood": {"wetness": cells}}} for cells in dropped]
        return heat(notes=notes, risk="river_flood", variables=("rx5day",)).risks[0].components

    assert components(0, 0) == ("wettest five days", "wetness")
    assert components(10, 3) == ("wettest five days", "wetness (in 7 of 20 cells)")
    assert components(10, 10) == ("wettest five days",)


def test_a_check_warns_when_it_is_true_in_more_than_half_of_the_cells():
    def warnings(*counts):
        return heat(notes=[{"cells": total, "checks": {"damped": (true, total)}} for true, total in counts]).warnings

    assert warnings((5, 10)) == ()
    assert warnings((6, 10)) == ("damped",)
    assert warnings((4, 4), (2, 8)) == ()  # over the whole run
    assert warnings((4, 4), (3, 8)) == ("damped",)


def test_gaps_and_periods_beyond_the_axis_are_warned_of():
    summary = heat(notes=[{"cells": 10, "gaps": {"wsdi": 1}}, {"cells": 10, "gaps": {"wsdi": 2}}],
                   axis=Years(2021, 2060), periods=["full", "long_term"])  # fmt: skip
    assert summary.warnings == (
        "wsdi: 3 cells lack values",
        "periods left out, the source covers 2021-2060: long_term",
    )
