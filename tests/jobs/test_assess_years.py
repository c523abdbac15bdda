"""Year losses of portfolios and sites from arguments to files, on results of a yearly run over a small warehouse."""

import json

import fastexcel
import numpy as np
import polars as pl
import psycopg
import pytest

from engine.core.errors import SourceError
from engine.core.settings import Settings
from engine.io.sites import loss_files
from engine.io.sites.loss_files import read_losses
from jobs import assess, yearly
from tests.warehouses import fill

SITES = """latitude,longitude,total_asset_value,insurance_coverage_rate,site_id
35.01,127.02,4000000000,0.2,A
35.12,127.13,1000000000,0,B
35.13,127.12,2500000000,0.5,B2
35.21,127.22,9000000000,0,=C
35.05,127.21,,,no value
"""
NOTE = "index loss, not calibrated on losses"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sites.csv").write_text(SITES, "utf-8")


@pytest.fixture
def published(warehouse, results, monkeypatch):
    fill(warehouse)
    assert yearly.main(["--source", warehouse, "--sink", results]) == 0
    monkeypatch.setenv("DW_URL", warehouse)
    monkeypatch.setenv("APP_URL", results)
    return warehouse, results


def portfolio(tmp_path, *more, out="out"):
    assert assess.main(["--sites", "sites.csv", "--out", out, *more]) == 3  # layers are lacking: no risk index
    return json.loads((tmp_path / out / "portfolio.json").read_text("utf-8"))


def frame(tmp_path, name, out="out"):
    return pl.read_parquet(tmp_path / out / f"{name}.parquet")


def test_year_losses_of_a_portfolio_from_arguments_to_files(published, tmp_path, capsys):
    asked = ["--scenarios", "2,4", "--period", "mid_term,full", "--year-losses", "sites"]
    summary = portfolio(tmp_path, *asked)
    said = capsys.readouterr().out
    years, aal = frame(tmp_path, "year_losses"), frame(tmp_path, "aal")
    keys = ["scenario_id", "time_period", "risk_type"]

    # the plain mean of the years is the expected loss, of every risk and of all
    expected = aal.filter(pl.col("expected_loss").is_not_null()).group_by(keys).agg(pl.col("expected_loss").sum())
    whole = expected.group_by(keys[:2]).agg(pl.col("expected_loss").sum()).with_columns(risk_type=pl.lit("all"))
    means = years.group_by(keys).agg(pl.col("loss").mean())
    both = pl.concat([expected, whole.select(expected.columns)]).join(means, on=keys, validate="1:1")
    assert both.height == means.height == 3 * 10
    np.testing.assert_allclose(both["loss"], both["expected_loss"], rtol=1e-6, atol=3.0)  # won are rounded a site
    pairs = years.filter(risk_type="all").group_by(keys[:2]).len()
    assert set(pairs.rows()) == {(2, "mid_term", 20 * 20), (4, "mid_term", 20 * 20), (2, "full", 80 * 20)}

    # years of sites add up to those of the portfolio
    own = frame(tmp_path, "site_year_losses")
    year = ["year", "track_year"]
    added = own.group_by(*keys, *year).agg(pl.col("loss").sum())
    theirs = years.filter(pl.col("risk_type") != "all").join(added, on=[*keys, *year], nulls_equal=True, suffix="_own")
    np.testing.assert_allclose(theirs["loss_own"], theirs["loss"], rtol=1e-12)
    assert theirs.height == added.height

    # one curve in every output
    curve, read = frame(tmp_path, "curve"), read_losses(tmp_path / "out")
    assert read.note is None
    assert read.curve.equals(curve.select(read.curve.columns))
    assert (read.curve.schema, read.storms.schema) == (loss_files.CURVE, loss_files.STORMS)
    pair = summary["results"][0]
    [point] = curve.filter(scenario_id=2, time_period="mid_term", risk_type="all", return_period=20.0).to_dicts()
    told = pair["year_losses"]
    assert (told["loss"], told["basis"], told["years"], told["loss_note"]) == (point["loss"], "empirical", 20, NOTE)
    assert told["loss_percent"] == pytest.approx(100 * point["loss"] / pair["total_asset_value"])
    assert told["sentence"] == f"1 in 20 years: {told['loss_percent']:.3g} % of value"
    assert f"{told['sentence']} ({NOTE}" in said
    assert "row 3, B at 35.12, 127.13" in said
    assert "1 in 20 years" in said.split("row 3, B at")[1].splitlines()[0]
    steps = curve.filter(pl.col("kind") == "aep").group_by(keys, maintain_order=True).agg("loss")
    assert all(np.all(np.diff(losses) >= 0) for losses in steps["loss"].to_list())
    assert set(curve["loss_note"]) == {NOTE}

    # contributions add up, calibrated and uncalibrated parts too
    parts = frame(tmp_path, "contributions").filter(scenario_id=2, time_period="mid_term")
    by_risk, by_site = (parts.filter(by=each) for each in ("risk", "site"))
    assert by_site.sort("row")["site_id"].to_list() == ["A", "B", "B2", "=C"]
    for name in ("mean", "tvar_99"):
        assert by_risk[name].sum() == pytest.approx(by_site[name].sum(), rel=1e-9)
    assert told["tvar_99"] == told["tvar_99_uncalibrated"] == pytest.approx(by_site["tvar_99"].sum())
    assert told["tvar_99_calibrated"] is None
    assert set(parts["tvar_level"]) == {told["tvar_level"]} == {0.95}  # of 20 years
    assert [each["level"] for each in told["metrics"] if each["metric"] == "tvar"] == [0.95]
    assert "'=C" in (tmp_path / "out" / "contributions.csv").read_text("utf-8")

    # storms: the curve of the largest of each year is typhoon's alone
    storms = frame(tmp_path, "storms")
    assert storms["loss"].is_sorted(descending=True)
    assert storms["wind_max"].max() > 17
    oep = curve.filter(kind="oep")
    assert set(oep.select("risk_type", "scenario_id").rows()) == {("typhoon", None)}
    assert [each["storm_id"] for each in summary["storms"]["largest"]] == storms["storm_id"].head(10).to_list()

    # the open results layout: the mean of the periods is the mean of the years
    plt = pl.read_csv(tmp_path / "out" / "ord_plt.csv")
    means_there = plt.group_by("SummaryId").agg((pl.col("PeriodWeight") * pl.col("MeanLoss")).sum()).sort("SummaryId")
    info = pl.read_csv(tmp_path / "out" / "ord_summary-info.csv")
    assert info.height == means_there.height + 1
    [number] = info.filter(scenario="ssp2_4.5", time_period="mid_term", risk_type="all")["SummaryId"]
    [mean] = means_there.filter(SummaryId=number)["PeriodWeight"]
    assert mean == pytest.approx(pair["total_expected_loss"], rel=1e-5)
    assert pl.read_csv(tmp_path / "out" / "ord_elt.csv")["EventRate"].unique().to_list() == [1 / 20]
    palt = pl.read_csv(tmp_path / "out" / "ord_palt.csv")
    assert palt["MeanLoss"].to_list() == pytest.approx(means_there["PeriodWeight"].to_list(), rel=1e-6)
    of_all = plt.filter(SummaryId=number)["MeanLoss"]
    assert palt.filter(SummaryId=number)["SDLoss"][0] == pytest.approx(of_all.std())
    ept = pl.read_csv(tmp_path / "out" / "ord_ept.csv")
    of_curve = curve.filter(kind="aep", scenario_id=2, time_period="mid_term", risk_type="all").sort("return_period")
    told_there = ept.filter(SummaryId=number, EPType=3).sort("ReturnPeriod")
    assert told_there["Loss"].to_list() == pytest.approx(of_curve["loss"].to_list())
    [of_storms] = info.filter(time_period="today")["SummaryId"]
    assert ept.filter(SummaryId=of_storms)["EPType"].unique().to_list() == [1]
    assert ept.columns == ["SummaryId", "EPCalc", "EPType", "ReturnPeriod", "Loss"]

    # sheets for people
    book = fastexcel.read_excel(tmp_path / "out" / "portfolio.xlsx")
    assert {"loss curve", "contributions", "storms"} <= set(book.sheet_names)
    shown = book.load_sheet("sites").to_polars()
    [column] = [
        name for name in shown.columns if name.startswith("1 in 20 years") and "2041" in name and "SSP2" in name
    ]
    [percent] = shown.filter(pl.col("row") == 3)[column]
    assert f"1 in 20 years: {percent:.3g} % of value" in said
    assert shown.filter(pl.col("row") == 6)[column].to_list() == [None]


def test_a_risk_under_a_trend_stands_beside_risks_of_the_window_alone(warehouse, results, tmp_path, monkeypatch):
    fill(warehouse)
    (tmp_path / "trend.toml").write_text('name = "trend"\nbase = "2025-11"\n[river_flood]\ntrend = "linear"\n', "utf-8")
    assert yearly.main(["--source", warehouse, "--sink", results, "--edition", "trend.toml"]) == 0
    monkeypatch.setenv("DW_URL", warehouse)
    monkeypatch.setenv("APP_URL", results)
    summary = portfolio(tmp_path, "--period", "mid_term")
    years, told = frame(tmp_path, "year_losses"), summary["results"][0]["year_losses"]
    lengths = dict(years.group_by("risk_type").len().iter_rows())
    assert (lengths["river_flood"], lengths["urban_flood"], lengths["all"]) == (80, 20, 80 * 20)
    assert told["years"] == 20
    assert 0 <= told["diversification"] < 1
    means = years.group_by("risk_type").agg(pl.col("loss").mean())
    [whole] = means.filter(risk_type="all")["loss"]
    assert whole == pytest.approx(means.filter(pl.col("risk_type") != "all")["loss"].sum(), rel=1e-9)


@pytest.fixture
def calibrated(warehouse, results, monkeypatch):
    """Results of the edition that is calibrated on losses and prices some risks only."""
    fill(warehouse)
    assert yearly.main(["--source", warehouse, "--sink", results, "--edition", "2026-kr"]) == 0
    monkeypatch.setenv("DW_URL", warehouse)
    monkeypatch.setenv("APP_URL", results)


def test_rates_that_charge_a_storm_once_carry_no_note_of_an_overlap(calibrated, tmp_path, capsys):
    told = portfolio(tmp_path, "--period", "full")["results"][0]
    assert told["total_expected_loss_calibrated"] > 0
    mixed = "in part an index loss, not calibrated on losses"
    assert told["total_expected_loss_uncalibrated"] is not None
    assert told["year_losses"]["loss_note"] == mixed
    notes = dict(
        frame(tmp_path, "curve").filter(kind="aep").group_by("risk_type").agg(pl.col("loss_note").first()).iter_rows()
    )
    assert (notes["all"], notes["typhoon"], notes["wildfire"]) == (mixed, None, NOTE)
    said = capsys.readouterr().out
    assert "yes, insured houses" in said
    assert "left out: 1 site without an asset value" in said
    rows = fastexcel.read_excel(tmp_path / "out" / "portfolio.xlsx").load_sheet("sites").to_polars()
    why = dict(rows.select("row", "why").iter_rows())
    assert why[6].startswith("no loss in KRW: the site states no asset value")
    assert "asset value" not in (why[2] or "")
    assert "% of it" in said
    sums = fastexcel.read_excel(tmp_path / "out" / "portfolio.xlsx").load_sheet("summary", header_row=None).to_polars()
    texts = {cell for row in sums.rows() for cell in row if isinstance(cell, str)}
    calibrated = told["total_expected_loss_calibrated"]
    assert f"in part an index: of it {calibrated:,d} KRW calibrated on losses" in texts
    assert "calibrated on losses, insured houses" in texts
    assert any("enters index and score and not the AAL" in each for each in texts)
    assert (told["overlap_note"], told["year_losses"]["overlap_note"]) == (None, None)
    capsys.readouterr()
    assert assess.main(["--lat", "35.12", "--lon", "127.13", "--period", "full", "--json"]) == 3
    of_site = json.loads(capsys.readouterr().out)["scenarios"][0]
    assert (of_site["aal"]["overlap_note"], of_site["year_losses"]["overlap_note"]) == (None, None)


def test_an_interval_of_a_rare_loss_names_what_it_does_not_hold(calibrated, tmp_path, capsys):
    year_losses = portfolio(tmp_path, "--period", "full")["results"][0]["year_losses"]
    said = capsys.readouterr().out
    for text in (year_losses["sentence"], said):
        assert ("extrapolated; sampling of years alone" in text) is (year_losses["basis"] == "extrapolated")
    assert (year_losses["interval_note"] is None) is (year_losses["loss_low"] is None)


def test_a_risk_that_the_edition_does_not_price_is_no_failure_and_has_no_note_of_its_aal(calibrated, tmp_path, capsys):
    summary = portfolio(tmp_path, "--period", "full")
    assert "extreme_heat" not in summary["risk_notes"]
    aal, faults = frame(tmp_path, "aal"), frame(tmp_path, "failures")
    heat = aal.filter(risk_type="extreme_heat")
    assert set(heat["reason"]) == {"not_priced"}
    assert "probability_not_found" not in faults["reason"].to_list()


def test_a_risk_that_is_not_priced_and_was_not_computed_has_no_failed_loss(warehouse, results, tmp_path, monkeypatch):
    fill(warehouse)
    asked = ["--edition", "2026-kr", "--risks", "drought,typhoon"]
    assert yearly.main(["--source", warehouse, "--sink", results, *asked]) == 0
    monkeypatch.setenv("DW_URL", warehouse)
    monkeypatch.setenv("APP_URL", results)
    portfolio(tmp_path, "--period", "full")
    reasons = dict(frame(tmp_path, "aal").group_by("risk_type").agg(pl.col("reason").first()).iter_rows())
    assert (reasons["extreme_heat"], reasons["water_stress"]) == ("not_priced", "not_priced")
    assert reasons["wildfire"] == "probability_not_found"  # priced, and not computed


def test_a_site_of_a_portfolio_and_alone_have_one_curve(published, tmp_path, capsys):
    summary = portfolio(tmp_path)
    (tmp_path / "asset.json").write_text('{"total_asset_value": 1000000000, "insurance_coverage_rate": 0}', "utf-8")
    place = ["--lat", "35.12", "--lon", "127.13"]
    capsys.readouterr()
    assert assess.main([*place, "--asset", "asset.json", "--json"]) == 3
    valued = json.loads(capsys.readouterr().out)
    assert assess.main([*place, "--json"]) == 3
    without = json.loads(capsys.readouterr().out)
    [of_portfolio] = [each["year_loss"] for each in summary["results"][0]["worst_sites"] if each["row"] == 3]
    told, bare = valued["scenarios"][0]["year_losses"], without["scenarios"][0]["year_losses"]
    assert told["sentence"] == of_portfolio
    assert [each["return_period"] for each in told["curve"]] == [2.0, 5.0, 10.0, 20.0]
    assert told["loss"] == pytest.approx(told["loss_percent"] * 1e7)
    assert (bare["loss"], bare["loss_percent"]) == (None, told["loss_percent"])
    assert valued["year_losses_note"] is None
    assert assess.main(place) == 3
    assert told["sentence"] in capsys.readouterr().out


@pytest.mark.parametrize("how", ["off now", "off when published"])
def test_without_year_losses_a_sentence_stands_where_they_would_be(published, tmp_path, monkeypatch, capsys, how):
    _, results = published
    before = portfolio(tmp_path)
    assert before["year_losses_note"] is None
    if how == "off now":
        monkeypatch.setenv("YEAR_LOSSES", "off")
    else:
        with psycopg.connect(results) as connection:
            connection.execute("TRUNCATE modelops_year_losses, result_sample_years")
    capsys.readouterr()
    summary = portfolio(tmp_path)
    said = capsys.readouterr().out
    note = summary["year_losses_note"]
    assert "YEAR_LOSSES=off" in note
    assert note in said
    assert [pair["year_losses"] for pair in summary["results"]] == [None]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert not [
        name for name in names if name.startswith(("year_losses", "curve", "contrib", "storms", "ord_", "site_y"))
    ]
    book = fastexcel.read_excel(tmp_path / "out" / "portfolio.xlsx")
    assert "loss curve" not in book.sheet_names
    assert note in str(book.load_sheet("summary", header_row=None).to_polars().rows())
    read = read_losses(tmp_path / "out")
    assert read.note == note
    assert read.curve.is_empty()
    assert read.curve.schema == loss_files.CURVE
    assert assess.main(["--lat", "35.12", "--lon", "127.13"]) == 3
    assert note in capsys.readouterr().out


def test_a_risk_published_without_year_losses_is_told_by_name(published, tmp_path, capsys):
    _, results = published
    with psycopg.connect(results) as connection:
        connection.execute("DELETE FROM modelops_year_losses WHERE risk_type = 'drought' AND grid_id < 7")
    told = portfolio(tmp_path)["results"][0]["year_losses"]
    assert told["sites_without_year_losses"] == {"drought": 1}
    assert "drought of 1 site was published without year losses" in capsys.readouterr().out


def test_results_of_an_older_release_say_so_and_a_broken_folder_is_named(tmp_path):
    (tmp_path / "portfolio.json").write_text("{}", "utf-8")
    assert read_losses(tmp_path).note == loss_files.OLDER
    (tmp_path / "portfolio.json").write_text('{"year_losses_note": null, "storms": null}', "utf-8")
    with pytest.raises(SourceError, match=r"curve\.parquet cannot be read"):
        read_losses(tmp_path)
    with pytest.raises(SourceError, match=r"portfolio\.json cannot be read"):
        read_losses(tmp_path / "absent")
