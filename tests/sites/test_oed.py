"""Location files of the OED standard: recognised, converted with stated rates, or refused in a sentence."""

from pathlib import Path

import polars as pl
import pytest

from benchmarks.fuzz import oed_files
from engine.assess.job import portfolio_check, portfolio_file, portfolio_preview
from engine.assess.rules import classes, oed
from engine.core import rates
from engine.core.errors import SettingsError
from engine.io.files.packed import Limits
from engine.io.sites import rates_file

LIMITS = Limits(10**8, 10**5)


@pytest.fixture
def read(tmp_path):
    """(text or frame, changes of text) -> the portfolio of a file."""

    def reader(given, *changes, rates=oed_files.RATES, **parameters):
        path = tmp_path / ("loc.parquet" if isinstance(given, pl.DataFrame) else "loc.csv")
        if isinstance(given, pl.DataFrame):
            given.write_parquet(path)
        else:
            for old, new in changes:
                assert old in given
                given = given.replace(old, new, 1)
            path.write_text(given, "utf-8")
        if rates is not None:
            (tmp_path / "rates.csv").write_text(rates, "utf-8")
            parameters["rates"] = str(tmp_path / "rates.csv")
        return portfolio_file.read(path, parameters, LIMITS)

    return reader


def sites_of(portfolio):
    checked = portfolio_check.check_rows(portfolio)
    assert checked.failures.is_empty(), checked.failures["reason"].to_list()
    return checked.valid


def test_five_files_of_public_shape_go_through(read):
    counts = {name: sites_of(read(text)).height for name, text in oed_files.TEXTS.items()}
    assert counts == {"plain": 3, "currencies": 3, "perils": 3, "sparse": 3}
    assert sites_of(read(oed_files.parquet())).height == 2


def test_values_are_building_and_other_at_the_stated_rate(read):
    portfolio = read(oed_files.TEXTS["currencies"])
    sites = sites_of(portfolio)
    assert sites["total_asset_value"].to_list() == [1_500_000 * 1700.5, 2_500_000 * 1470, 800_000_000]
    assert sites["site_id"].to_list() == ["P1/ACC-7/L1", "P1/ACC-7/L2", "P1/ACC-9/L1"]
    assert sites["floors_above"].to_list() == [2, 21, None]
    assert sites["building_age"].is_null().to_list() == [False, True, False]
    assert classes_of(sites, "structure") == ["steel", "rc", "masonry"]
    assert classes_of(sites, "main_purpose") == ["industrial", "office", "commercial"]
    told = "; ".join(portfolio.notes)
    assert "values converted: EUR at 1,700.5 KRW of 2026-11-27; USD at 1,470 KRW of 2026-11-27" in told
    assert "ContentsTIV (425,125,850 KRW in all) is carried through and not priced" in told
    assert "BITIV (153,045,000 KRW in all) is carried through and not priced" in told
    assert portfolio.carried["locuserdef1"].to_list()[0] == "north"
    assert portfolio.carried["bitiv"].to_list() == ["90000", "0", None]
    assert sites_of(read(oed_files.TEXTS["plain"], rates=None))["total_asset_value"].to_list()[1] == 800_000_000


def classes_of(sites, name):
    of = classes.structure_class if name == "structure" else classes.purpose_class
    return sites.select(of(pl.col(name)).cast(pl.String)).to_series().to_list()


def test_rows_of_one_location_are_one_site_and_its_value_counts_once(read):
    portfolio = read(oed_files.TEXTS["perils"], rates=None)
    assert portfolio.rows.to_list() == [2, 4, 5]
    assert sites_of(portfolio)["total_asset_value"].sum() == 1_500_000_000
    assert "1 row repeats a location with other financial terms: its values are counted once" in portfolio.notes
    assert any(note.startswith("losses are ground-up") for note in portfolio.notes)
    assert not any("without any value" in note for note in portfolio.notes)
    with pytest.raises(SettingsError, match=r"rows 2 and 3 are both location '1/1/1' .*another place or value"):
        read(oed_files.TEXTS["perils"], ("OO1,500000000", "OO1,400000000"), rates=None)


def test_what_codes_leave_unknown_is_assumed_and_named(read):
    portfolio = read(oed_files.TEXTS["sparse"], rates=None)
    sites = sites_of(portfolio)
    assert sites["structure"].to_list() == [None, None, None]
    assert classes_of(sites, "main_purpose") == ["other", "industrial", "other"]
    assert sites["main_purpose"].to_list() == [None, "power", None]
    assert "OccupancyCode 9876 (1 row) is no code of OED: main_purpose is assumed" in portfolio.notes
    assert "building fields that a row does not state are assumed, and named in imputed_fields" in portfolio.notes
    assert sites["total_asset_value"].null_count() == 3


@pytest.mark.parametrize(
    ("text", "change", "sentence"),
    [
        (
            "currencies",
            ("EUR", "GBP"),
            r"no rate for GBP \(1 row\) into KRW, .*--rates FILE.csv .*currency, rate, date",
        ),
        ("plain", ("0,0,0,KRW", "0,0,0,"), r"1 row has a value and no LocCurrency \(first: row 2\)"),
        (
            "plain",
            ("LocNumber", "Number"),
            "has columns of an OED location file and lacks LocNumber: add them, or g",
        ),
        ("currencies", ("EUR", "1_0"), "LocCurrency '1_0' \\(1 row\\) is no currency: three letters of ISO 4217"),
        ("plain", ("BuildingID", "latitude"), "'latitude' and 'Latitude' are both Latitude of OED"),
    ],
)
def test_money_without_a_rate_and_names_twice_are_refused(read, text, change, sentence):
    with pytest.raises(SettingsError, match=sentence):
        read(oed_files.TEXTS[text], change)


def test_a_number_that_is_none_is_a_fault_of_its_row_and_never_another_value(read):
    for odd in ('"220,000,000"', "2억", "220 million", "1e999", "NaN", "-5"):
        portfolio = read(oed_files.TEXTS["plain"], ("220000000", odd))
        checked = portfolio_check.check_rows(portfolio)
        faults = portfolio_check.invalid_sites(portfolio, checked.failures)
        assert [(each["row"], each["field"]) for each in faults] == [(2, "total_asset_value")], odd
        assert faults[0]["column"] == "BuildingTIV + OtherTIV, KRW"
        assert checked.valid.height == 2


def test_an_amount_that_no_whole_number_holds_after_its_rate_is_a_fault_and_no_missing_value(read):
    portfolio = read(oed_files.TEXTS["currencies"], ("1500000", "9e17"))
    faults = portfolio_check.invalid_sites(portfolio, portfolio_check.check_rows(portfolio).failures)
    assert [(each["row"], each["field"]) for each in faults] == [(2, "total_asset_value")]


def test_the_preview_shows_what_each_column_is_and_asks_for_a_rate(tmp_path):
    path = tmp_path / "loc.csv"
    path.write_text(oed_files.TEXTS["plain"], "utf-8")
    told = portfolio_preview.preview(path, {}, LIMITS)
    assert (told["question"], told["rows"], told["valid"]) == (None, 3, 3)
    fields = {each["column"]: each["field"] for each in told["columns"]}
    assert fields["Latitude"] == "latitude"
    assert fields["BuildingTIV + OtherTIV, KRW"] == "total_asset_value"
    assert fields["BITIV"] is None
    assert {each["near"] for each in told["columns"]} == {None}
    path.write_text(oed_files.TEXTS["currencies"], "utf-8")
    assert "no rate for EUR (1 row), USD (1 row) into KRW" in portfolio_preview.preview(path, {}, LIMITS)["question"]


def test_other_tables_are_not_taken_for_oed(tmp_path):
    assert not oed.is_oed(["latitude", "longitude", "LocNumber", "value"])
    assert not oed.is_oed(["site_id", "latitude", "longitude", "total_asset_value"])
    path = tmp_path / "sites.csv"
    path.write_text("latitude,longitude\n37.5,127.0\n")
    (tmp_path / "rates.csv").write_text(oed_files.RATES)
    with pytest.raises(SettingsError, match="is no OED location file and states no currencies"):
        portfolio_file.read(path, {"rates": str(tmp_path / "rates.csv")}, LIMITS)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("currency,rate\nEUR,1\n", "its columns are currency, rate; a table of rates has currency, rate, date"),
        ("currency,rate,date\nEUR,0,2026-11-27\n", "line 2: rate '0' is no number from 1e-09 to 1e\\+09"),
        ("currency,rate,date\nEUR,1e308,2026-11-27\n", "line 2: rate '1e308' is no number from"),
        ("currency,rate,date\nEUR,1700,2096-11-27\n", "line 2: date 2096-11-27 is yet to come"),
        ("currency,rate,date\nEUR,1700,27.11.2026\n", "line 2: date '27.11.2026' is no day"),
        ("currency,rate,date\nEUR,1,2026-01-01\neur,2,2026-01-02\n", "line 3: EUR is there twice"),
        ("currency,rate,date\nEuro,1,2026-01-01\n", "line 2: currency 'Euro' is no code"),
        ("currency,rate,date\n", "holds no rate"),
    ],
)
def test_a_table_of_rates_that_is_none_is_refused_by_line(tmp_path, text, sentence):
    (tmp_path / "r.csv").write_text(text, "utf-8")
    with pytest.raises(SettingsError, match=sentence):
        rates_file.read(tmp_path / "r.csv")


def test_rates_have_any_order_of_columns_and_a_day():
    found = rates.parse([["Date", "currency", "RATE"], ["2026-11-27", "jpy", "9.4"]], "r.csv")
    assert found["JPY"].rate == 9.4
    assert found["JPY"].day.isoformat() == "2026-11-27"


def test_every_code_has_an_entry_and_the_special_ones_stand_before_their_range():
    for kind, span in (("occupancy", [(1000, 1399), (2000, 2799)]), ("construction", [(5000, 5299)])):
        entries = oed.codes()[kind]
        for first, last in span:
            gaps = [
                code
                for code in range(first, last + 1)
                if not any(lo <= code <= hi for lo, hi in (each["codes"] for each in entries))
            ]
            assert all(lo < code < hi for code in gaps for lo, hi in [(1000, 1050) if kind == "occupancy" else
                                                                      (5000, 5050)])  # fmt: skip
        for place, entry in enumerate(entries):
            covered = [each for each in entries[:place] if each["codes"][0] <= entry["codes"][0] and
                       entry["codes"][1] <= each["codes"][1]]  # fmt: skip
            assert not covered, (entry, covered)


def test_the_documented_table_is_the_one_that_counts():
    page = (Path(__file__).parents[2] / "docs/oed.md").read_text("utf-8")
    of = {"occupancy": classes.purpose_class, "construction": classes.structure_class}
    for kind, entries in oed.codes().items():
        for entry in entries:
            first, last = entry["codes"]
            held = "assumed"
            if "words" in entry:
                held = pl.DataFrame({"w": [entry["words"]]}).select(of[kind](pl.col("w")).cast(pl.String)).item()
            span = f"{first}" if first == last else f"{first} to {last}"
            assert f"| {span} | {entry['name']} | {held} |" in page
