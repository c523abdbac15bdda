"""Several climate models put together: figures, order of runs, refusals, publication."""

import json
from contextlib import closing

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.batch.ensemble import EnsembleRequest, combine
from engine.core.errors import BusyError, SettingsError
from engine.core.rows import ENSEMBLE_FIGURES
from engine.io import open_sink
from engine.io.results.members import open_members
from engine.io.results.published import DirectoryResults
from engine.io.results.spool import RunDirectory
from engine.kernels.ensembles import ensemble_figures, sign_agreement, total_interval
from jobs import ensemble, status
from tests.ensembles import CELLS, RISKS, member
from tests.io.frames import PAIRS
from tests.io.test_load import publish, query

#: AAL of two cells in three models, in the short and in the long term; the standard error is 0.001 in all
THREE = {
    "short_term": [[0.01, 0.02], [0.02, 0.02], [0.03, 0.05]],
    "long_term": [[0.02, 0.01], [0.04, 0.03], [0.06, np.nan]],
}
#: of a row of the table
COLUMNS = ["grid_id", "scenario_id", "risk_type", "time_period", "members", *ENSEMBLE_FIGURES]


def combined(names, runs, sink, **options):
    with closing(open_sink(str(sink))) as opened:
        members = open_members(list(map(str, names)), runs)
        return combine(opened, EnsembleRequest(members=members, **options), runs, progress=lambda done, total: None)


def by_hand(runs):
    for number in range(3):
        figures = lambda ids, risk, scenario, period, n=number: (THREE[period][n], 0.001)  # noqa: E731
        pairs = [(2, "short_term"), (2, "long_term")]
        member(runs, number + 1, figures, cells=[np.array([7, 8])], pairs=pairs, risks=("drought", "typhoon"))


def test_three_models_in_two_cells_by_hand(tmp_path):
    by_hand(tmp_path / "runs")
    outcome = combined([1, 2, 3], tmp_path / "runs", tmp_path / "out")
    rows = pl.read_parquet(tmp_path / "out" / "modelops_ensemble_scores.parquet").drop("computed_at")
    assert rows.columns == COLUMNS
    drought = {(row[0], row[3]): row[4:] for row in rows.filter(risk_type="drought").iter_rows()}
    # mean 0.04, B = 0.0004, W = 1e-6: total_se^2 = 0.000399 * 4 / 3 + 1e-6 / 3; all three rise
    assert drought[7, "long_term"] == pytest.approx(
        (3, 0.04, 0.02, 0.02, 0.04, 0.06, (0.000399 * 4 / 3 + 1e-6 / 3) ** 0.5, 1.0)
    )
    # one model has no AAL there: no figure of two models stands beside figures of three
    assert drought[8, "long_term"] == (2, *[None] * 7)
    assert drought[8, "short_term"] == pytest.approx(
        (3, 0.03, 3e-4**0.5, 0.02, 0.02, 0.05, (2.99e-4 * 4 / 3 + 1e-6 / 3) ** 0.5, None)
    )
    # typhoons of all models are those of one record: their sampling does not average out
    typhoon = rows.filter(risk_type="typhoon", grid_id=7, time_period="long_term")
    assert typhoon["total_se"].item() == pytest.approx((0.0004 * 4 / 3 + 1e-6) ** 0.5)
    assert outcome.summary["shared_record"] == ["typhoon"]
    assert [each["run_id"] for each in outcome.summary["members"]] == [1, 2, 3]
    [long] = [
        row for row in outcome.summary["means"] if row["risk_type"] == "drought" and row["time_period"] == "long_term"
    ]
    assert (long["cells"], long["disagree"]) == (1, 0.0)


def test_data_that_are_the_same_in_all_members_are_one_record(tmp_path):
    for number in (1, 2):
        member(
            tmp_path / "runs",
            number,
            lambda ids, risk, *_, n=number: (0.01 * (n if risk == "drought" else 1), 0.002),
            risks=("drought", "sea_level_rise"),
        )
    assert combined([1, 2], tmp_path / "runs", tmp_path / "out").summary["shared_record"] == ["sea_level_rise"]
    rows = pl.read_parquet(tmp_path / "out" / "modelops_ensemble_scores.parquet")
    assert rows.filter(risk_type="sea_level_rise")["total_se"].to_numpy() == pytest.approx(0.002)


VALUES = st.lists(st.lists(st.floats(0, 1, width=32), min_size=12, max_size=12), min_size=1, max_size=6)


@given(VALUES, st.integers(2, 12))
def test_mean_spread_and_percentiles_are_those_of_numpy(values, members):
    aal = np.array(values)[:, :members]
    found = ensemble_figures(aal, np.zeros_like(aal))
    np.testing.assert_allclose(found.mean, aal.mean(axis=1), atol=1e-12)
    np.testing.assert_allclose(found.sd_between, aal.std(axis=1, ddof=1), atol=1e-12)
    low, high = (10, 90) if members >= 10 else (0, 100)
    np.testing.assert_allclose(
        [found.p10, found.p50, found.p90], np.percentile(aal, [low, 50, high], axis=1), atol=1e-12
    )
    assert (found.p10 <= found.mean).all()
    assert (found.mean <= found.p90).all()


def test_figures_and_agreement_are_those_of_xclim():
    ensembles, xr = pytest.importorskip("xclim.ensembles"), pytest.importorskip("xarray")
    rng = np.random.default_rng(1)
    before, after = rng.uniform(0, 0.1, (2, 50, 12))
    held = xr.Dataset({"aal": (("cell", "realization"), after)})
    found = ensemble_figures(after, np.zeros_like(after))
    moments, shares = ensembles.ensemble_mean_std_max_min(held), ensembles.ensemble_percentiles(held, [10, 50, 90])
    np.testing.assert_allclose(found.mean, moments.aal_mean, rtol=1e-12)
    np.testing.assert_allclose(
        found.sd_between * np.sqrt(11 / 12), moments.aal_stdev, rtol=1e-12
    )  # theirs divides by m
    for name in ("p10", "p50", "p90"):
        np.testing.assert_allclose(getattr(found, name), shares[f"aal_{name}"], rtol=1e-12)
    change = xr.DataArray(after - before, dims=("cell", "realization"))
    robust = ensembles.robustness_fractions(change, test=None)
    np.testing.assert_allclose(
        sign_agreement(after - before), _of_the_mean(robust, change.mean("realization")), rtol=1e-12
    )


def _of_the_mean(robust, mean):
    """xclim counts the sign that most members have; ours is that of the mean change."""
    return np.where(mean > 0, robust.positive, robust.negative)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 8, 30])
def test_the_interval_is_students(degrees):
    stats = pytest.importorskip("scipy.stats")
    low, high = total_interval(0.5, 0.01, degrees + 1)
    reach = stats.t.ppf(0.95, degrees) * 0.01
    assert (0.5 - low, high - 0.5) == pytest.approx((reach, reach), rel=5e-3)
    assert total_interval(0.001, 0.01, 3)[0] == 0.0
    assert total_interval(0.5, None, 3) is None


def test_no_change_is_agreed_on_by_those_without_one():
    np.testing.assert_array_equal(
        sign_agreement(np.array([[0.0, 0.0, 0.0], [0.5, -0.5, 0.0], [np.nan, 1, 1]])), [1, 1 / 3, np.nan]
    )


def test_the_order_of_runs_does_not_matter_byte_for_byte(tmp_path):
    runs = tmp_path / "runs"
    for number in (1, 2, 3, 4, 5):
        member(runs, number)
    made = []
    for order in ([1, 2, 3, 4, 5], [4, 1, 5, 3, 2]):
        outcome = combined(order, runs, tmp_path / "out")
        made.append([(runs / str(outcome.run_id) / f"block=0000{k}" / "ensemble.parquet").read_bytes() for k in (0, 1)])
    assert made[0] == made[1]


def test_blocks_of_another_size_and_a_directory_of_results_are_put_together_alike(tmp_path):
    runs = tmp_path / "runs"
    for number in (1, 2):
        member(runs, number, risks=("drought",))
    figures = pl.read_parquet(_combined_file(tmp_path, [1, 2], "a")).drop("computed_at")
    whole = [np.concatenate(CELLS)]
    again = RunDirectory.open(runs, 2)
    frame = pl.concat([again.scan("probability", number).collect() for number in (0, 1)])
    other = RunDirectory.create(tmp_path / "whole", 2, again.identity, [(1, 6)])
    other.commit(
        other.store_block(
            0, {"probability": frame.sort("risk_type", "scenario_id", "time_period", "grid_id")}, {"cells": 5}
        )
    )
    other.settle({"probability": ["drought"], "hazard": []})
    assert len(whole[0]) == 5
    key = ["risk_type", "scenario_id", "time_period", "grid_id"]
    mixed = pl.read_parquet(_combined_file(tmp_path, [1, tmp_path / "whole" / "2"], "b")).drop("computed_at")
    assert mixed.sort(key).equals(figures.sort(key))


def _combined_file(tmp_path, names, sink):
    combined(names, tmp_path / "runs", tmp_path / sink)
    return tmp_path / sink / "modelops_ensemble_scores.parquet"


def test_directories_of_results_give_what_their_run_directories_give(tmp_path):
    for seed in (1, 2):
        publish(str(tmp_path / f"out{seed}"), tmp_path / f"runs{seed}", seed, source_fingerprint=f"{seed}" * 64)
    folders = [tmp_path / "out1", tmp_path / "out2"]
    outcome = combined(folders, tmp_path / "runs", tmp_path / "both")
    rows = pl.read_parquet(tmp_path / "both" / "modelops_ensemble_scores.parquet")
    one, two = (pl.read_parquet(folder / "modelops_probability_scores.parquet") for folder in folders)
    key = ["grid_id", "scenario_id", "risk_type", "time_period"]
    mean = one.join(two, on=key, suffix="_2").select(*key, mean=(pl.col("aal").cast(float) + pl.col("aal_2")) / 2)
    both = rows.join(mean, on=key)
    assert both.height == 60 * 2 * 12
    assert rows.filter(time_period="full").height == 60 * 2
    np.testing.assert_allclose(both["aal_mean"].to_numpy(), both["mean"].to_numpy(), rtol=1e-6)
    assert [each["place"] for each in outcome.summary["members"]] == list(map(str, folders))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"source_fingerprint": f"{1:064x}"}, r"run 1 in .* and run 2 in .* were computed from the same climate"),
        ({"edition_checksums": {"extreme_heat": "x", "typhoon": "y"}, "edition": "2025-12"},
         r"run 2 in .* cannot be put together with run 1 .*: extreme_heat has other figures \(edition 2025-12,"),
        ({"baseline": "1981-2010"}, "its baseline is 1981-2010, where the other has 1991-2020"),
        ({"scope": "synthetic"}, "its scope is synthetic, where the other has full"),
        ({"pairs": [pair for pair in PAIRS if pair != (4, "long_term")]}, "it has no SSP5-8.5 long_term"),
        ({"axis": "2021-2090"}, "its full is 2021-2090, where the other has 2021-2100"),
        ({"risks": ("typhoon",)}, "it has no AAL of extreme_heat; leave the risk out with --risks"),
        ({"cells": [CELLS[0], np.arange(4, 7)]},
         r"run 2 in .* is on another grid .*: 1 cells are in run 2 .* alone \(first: cell 6\)"),
    ],
    ids=["climate", "edition", "baseline", "scope", "scenarios", "years", "risks", "cells"],
)  # fmt: skip
def test_runs_of_different_things_are_refused_by_name_and_nothing_is_published(tmp_path, changed, says):
    runs, out = tmp_path / "runs", tmp_path / "out"
    member(runs, 1)
    member(runs, 2, **changed)
    with pytest.raises(SettingsError, match=says):
        combined([1, 2], runs, out)
    assert not (out / "run.json").exists()
    assert {path.name for path in runs.iterdir()} == {"1", "2"}


def test_a_cell_that_lies_elsewhere_is_another_grid(tmp_path):
    member(tmp_path, 1)
    member(tmp_path, 2)
    for block in (tmp_path / "2").glob("*/probability.parquet"):
        pl.read_parquet(block).with_columns(pl.col("latitude") + 0.01).write_parquet(block)
    with pytest.raises(
        SettingsError, match=r"another grid than run 1 .*: cell 1 lies at 33.02, 124.5 there and at 33.01, 124.5"
    ):
        combined([1, 2], tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("1", "an ensemble is of two runs or more, --runs names 1"),
        ("1,1", "--runs names run 1 in .* twice"),
        ("1,{runs}/1", "--runs names run 1 in .* twice"),
        ("1,9", "no run 9 under .*; there: 1, 3, 4"),
        ("1,3", "run 3 in .* is not completed: 1 of its 2 blocks are missing; continue it with --resume 3"),
        ("1,4", "run 4 in .* is not completed, or is of a release before ensembles"),
        ("1,nowhere", "nowhere is neither the number of a run under .*, nor a run directory or directory of results"),
        ("1,{runs}", "nothing is published there"),
    ],
)
def test_what_is_no_finished_run_is_refused_in_one_sentence(tmp_path, monkeypatch, caplog, names, says):
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / "runs"
    for number in (1, 3, 4):
        member(runs, number)
    for number, changed in ((3, lambda told: told["done"].pop("1")), (4, lambda told: told.pop("settled"))):
        manifest = json.loads((runs / str(number) / "manifest.json").read_text())
        changed(manifest)
        (runs / str(number) / "manifest.json").write_text(json.dumps(manifest))
    assert ensemble.main(["--runs", names.format(runs=runs), "--sink", str(tmp_path / "out")]) == 2
    assert caplog.messages[-1].startswith("refused: ")
    assert pl.Series([caplog.messages[-1]]).str.contains(says).all()
    assert not (tmp_path / "out").exists()


def test_a_database_holds_an_ensemble_beside_the_results_and_says_so(results, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / "runs"
    publish(results, runs)
    for number in (5, 6, 7):
        member(runs, number)
    assert ensemble.main(["--runs", "7,5,6", "--sink", results]) == 0
    assert "one record of years in all members: typhoon" in capsys.readouterr().out
    file = _combined_file(tmp_path, [5, 6, 7], "out")
    held = query(results, f"SELECT {', '.join(COLUMNS)} FROM modelops_ensemble_scores ORDER BY 3, 2, 4, 1")
    rows = pl.read_parquet(file).select(COLUMNS).sort("risk_type", "scenario_id", "time_period", "grid_id")
    assert pl.DataFrame(held, schema=rows.schema, orient="row").equals(rows)
    [(run_id, summary)] = query(results, "SELECT run_id, summary FROM result_runs WHERE job_type = 'ensemble'")
    assert sorted(each["run_id"] for each in summary["members"]) == [5, 6, 7]
    assert query(results, "SELECT status, progress FROM batch_jobs WHERE job_type = 'ensemble'") == [("completed", 100)]
    assert query(results, "SELECT count(*) FROM probability_results") == [
        (120,)
    ]  # the results of the run are as they were
    assert status.main(["--sink", results, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["sink"]
    assert (told["ensemble"]["run_id"], told["ensemble"]["risks"]) == (run_id, list(RISKS))
    assert told["runs"][0]["job_type"] == "ensemble"
    assert {row["run_id"] for row in told["published"]} == {1}
    assert status.main(["--sink", results]) == 0
    assert f"ensemble: run {run_id}, 2 risks, edition 2025-11, scope full" in capsys.readouterr().out


def test_an_ensemble_is_refused_at_once_while_a_run_of_either_half_is_going(results, tmp_path):
    by_hand(tmp_path)
    with closing(open_sink(results)) as first, first.guard("hazard"), pytest.raises(BusyError):
        combined([1, 2, 3], tmp_path, results)


def test_a_stopped_ensemble_goes_on_and_ends_as_one_that_was_not(tmp_path, monkeypatch):
    runs = tmp_path / "runs"
    for number in (1, 2):
        member(runs, number)
    whole = pl.read_parquet(_combined_file(tmp_path, [1, 2], "out")).drop("computed_at")
    commit = RunDirectory.commit

    def stop(self, block):
        if block.number == 1:
            raise SettingsError("stopped")
        commit(self, block)

    with monkeypatch.context() as patched:
        patched.setattr(RunDirectory, "commit", stop)
        with pytest.raises(SettingsError, match="stopped"):
            combined([1, 2], runs, tmp_path / "later")
    combined([2, 1], runs, tmp_path / "later", resume=4)
    assert pl.read_parquet(tmp_path / "later" / "modelops_ensemble_scores.parquet").drop("computed_at").equals(whole)


def test_a_directory_still_shows_its_newest_run_when_an_ensemble_was_published_after_it(tmp_path):
    publish(str(tmp_path / "out"), tmp_path / "runs")
    for number in (5, 6):
        member(tmp_path / "runs", number)
    combined([5, 6], tmp_path / "runs", tmp_path / "out")
    read = DirectoryResults(tmp_path / "out")
    assert read.run["run_id"] == 1
    assert read.probability("drought").height == 60
    assert read.runs[7]["job_type"] == "ensemble"


@pytest.mark.parametrize(("shared", "least"), [(False, 0.82), (True, 0.93)])
def test_the_interval_holds_the_loss_of_a_further_model(shared, least):
    """Five models that differ as much as one is uncertain by its years: years of its own each, or one record."""
    rng = np.random.default_rng(5)
    truth = 0.05 + 0.01 * rng.standard_normal((20_000, 6))
    error = 0.01 * rng.standard_normal((20_000, 1 if shared else 5))
    found = ensemble_figures(truth[:, :5] + error, np.full((20_000, 5), 0.01), shared_record=shared)
    reach = [total_interval(0.5, se, 5)[1] - 0.5 for se in found.total_se.tolist()]
    held = np.mean(np.abs(truth[:, 5] - found.mean) <= reach)
    assert least < held < 0.98


@pytest.mark.parametrize("harm", ["truncated", "overwritten", "deleted"])
@pytest.mark.parametrize("kind", ["run", "results"])
def test_a_damaged_file_of_a_member_is_named_and_nothing_is_published(kind, harm, tmp_path, caplog):
    runs, out = tmp_path / "runs", tmp_path / "out"
    for number in (1, 2):
        member(runs, number)
    names = ["1", "2"]
    if kind == "results":
        for number in (1, 2):
            publish(
                str(tmp_path / f"sink{number}"), tmp_path / f"own{number}", number, source_fingerprint=f"{number:064x}"
            )
        names = [str(tmp_path / "sink1"), str(tmp_path / "sink2")]
        path = (tmp_path / "sink2" / "modelops_probability_scores.parquet").resolve()
    else:
        path = next((runs / "2").rglob("probability.parquet"))
    raw = path.read_bytes()
    if harm == "deleted":
        path.unlink()
    else:
        path.write_bytes(raw[: len(raw) // 2] if harm == "truncated" else b"x" * len(raw))
    code = ensemble.main(["--runs", ",".join(names), "--run-dir", str(runs), "--sink", str(out)])
    assert "Traceback" not in caplog.text
    assert code == 1
    assert path.name in caplog.text


def test_a_second_ensemble_is_told_that_an_ensemble_is_going(tmp_path):
    by_hand(tmp_path)
    for going in ("ensemble", "hazard"):
        refused = pytest.raises(BusyError, match=f"another {going} run is going into")
        with closing(open_sink(str(tmp_path / "out"))) as first, first.guard(going), refused:
            combined([1, 2, 3], tmp_path, tmp_path / "out")
