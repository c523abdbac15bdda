from pathlib import Path

import polars as pl
import pytest

from engine.core.errors import SchemaError
from engine.losses import record, targets, yearbook
from engine.losses.fit import level, shipped
from engine.losses.record import FINAL, PRELIMINARY, Allowed, Loss

DATA = shipped.sources().losses
TABLES = [*sorted(DATA.glob("*losses*.csv")), DATA / "heavy_rain_snow_events.csv", DATA / "loss_by_facility.csv"]


def loss(year=2010, value=100.0, name="total", **other):
    made = Loss(f"table.csv, row {year}", name, (year, year), value, year, "public", FINAL, True, "a", "https://a")
    return made._replace(**other)


def test_rows_that_can_stand_in_one_series_come_back_as_they_were():
    rows = [loss(2010), loss(2011), loss(2012, prices=2015)]
    assert record.comparable(rows) == rows


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (loss(2011, name="recovery_cost"), "row 2011: cost of recovery, about twice a loss, is no loss"),
        (loss(2011, status=PRELIMINARY), "row 2011: a preliminary count, 2 to 8 times too low: take the final one"),
        (loss(2011, prices=None), "row 2011: it does not say in prices of which year"),
        (
            loss(2011, scope="insured houses"),
            "row 2011: its scope is 'insured houses', and that of table.csv, row 2010",
        ),
        (loss(2010, prices=2015), "total 2010 stands in table.csv, row 2010 too: keep one of the two"),
    ],
)
def test_the_gate_refuses_what_is_no_loss_of_the_same_kind_and_says_what_to_do(row, said):
    with pytest.raises(SchemaError, match=said):
        record.comparable([loss(2010), row])


def test_an_exception_has_a_name_and_a_reason_and_holds_for_nothing_else():
    rule = Allowed("Judy", 1989, "no prices stated", 1989)
    odd = loss(1989, name="Judy", prices=None)
    assert record.comparable([odd], [rule])[0].prices == 1989
    with pytest.raises(SchemaError):
        record.comparable([odd._replace(name="Gladys")], [rule])


@pytest.mark.parametrize("slip", [1000.0, 0.001])
def test_a_slip_of_a_thousand_is_found_beside_the_year_before_and_beside_the_causes(slip):
    years = [loss(2022, 5_900.0), loss(2023, 9_500.0)]
    record.check_units(years, [loss(2023, 8_400.0, "heavy_rain")])
    wrong = years[1]._replace(value=9_500.0 * slip)
    for totals, causes, beside in (
        ([years[0], wrong], [], "the year before has 5,900"),
        ([wrong], [loss(2023, 8_400.0, "heavy_rain")], "the sum of its causes is 8,400"),
    ):
        with pytest.raises(SchemaError, match=f"table.csv, row 2023: .* million KRW, but {beside}: look at its unit"):
            record.check_units(totals, causes)


def test_every_fact_of_the_package_has_an_address_and_none_is_of_a_source_that_may_not_be_passed_on():
    register = set(pl.read_csv(DATA / "sources.csv", infer_schema_length=None)["source_id"])
    for path in TABLES:
        table = pl.read_csv(path, infer_schema_length=None)
        assert table["source_url"].null_count() == 0, path.name
        for source in table["source_id"]:
            assert not {"climaterisk", "eberenz", "unlocated", "kosham7436"} & {source}, path.name
            assert set(source.split(";")) & register or source in register, (path.name, source)
        assert not [column for column in table.columns if "usd" in column.lower() or "v_half" in column], path.name


def test_sums_that_the_sources_print_are_the_sums_of_the_rows():
    rows = record.read(DATA / "national_losses.csv")
    nominal = [row for row in rows if row.name == "total" and row.years[0] == row.years[1] and row.prices == row.year]
    ten = sum(row.value for row in nominal if 2002 <= row.year <= 2011)
    assert ten == next(
        row.value for row in rows if row.years == (2002, 2011) and row.prices == 2002 and row.name == "total"
    )
    provinces = pl.read_csv(DATA / "province_losses.csv", infer_schema_length=None)
    september = provinces.filter(pl.col("event") == "rain 9-11 Sep 1990")["value_million_krw"].sum()
    assert september == next(
        row.value for row in record.read(DATA / "heavy_rain_snow_events.csv") if row.name == "rain 9-11 Sep 1990"
    )


def test_targets_are_shares_of_assets_of_the_same_year_and_need_no_deflator_where_both_are_of_that_year():
    money = targets.economy(DATA)
    found = {target.year: target.ratio for target in targets.yearly(DATA, 1976, 2015)}
    assert list(found) == [1987, 1988, *range(2002, 2016)]
    assert found[2011] == pytest.approx(794_200 / 3_636.7822e6)
    assert found[2004] == pytest.approx((1_230_400 - 601_000) / money.assets(2004))  # less the snow of March
    assert found[2012] == pytest.approx(1_023_300 / 0.9395 / 3_852.5e6)  # the yearbook's own factor
    assert 730e6 > money.assets(1990) > money.assets(1987)
    storms = {target.name for target in targets.storms(DATA)}
    assert {"Rusa", "Maemi", "Judy"} <= storms
    assert not storms & set(targets.LEFT_OUT)


def test_the_level_of_insured_houses_is_claims_a_house_over_its_value():
    found = level.of_folder(DATA, shipped.sources().places)
    dwelling = 1_127.8001e6 / pl.read_csv(shipped.sources().places)["dwellings"].sum() * 107.715 / 91.815
    assert found.fitted[-1].ratio == pytest.approx(7_100 / 527_331 / dwelling)
    assert found.factor(found.mean / 2) == pytest.approx((2, 0.4, 10))


def answer(tmp_path: Path, rows: str, code: str = "INFO-0") -> Path:
    path = tmp_path / "answer.json"
    head = f'{{"head": [{{"totalCount": 2}}, {{"RESULT": {{"resultCode": "{code}", "resultMsg": "said"}}}}]}}'
    path.write_text(f'{{"NaturalDisasterDamageByYear": [{head}, {{"row": [{rows}]}}]}}', "utf-8")
    return path


GOOD = '{"wrttimeid": "2022", "seq": "1", "tot": "592,656", "heavy_rain": "315400", "typhoon": "-"}'


def test_an_answer_of_the_official_yearbook_is_read_by_the_names_of_its_columns(tmp_path):
    found = yearbook.read(answer(tmp_path, GOOD))
    assert [(each.name, each.year, each.value, each.prices) for each in found] == [
        ("total", 2022, 592_656.0, 2022),
        ("heavy_rain", 2022, 315_400.0, 2022),
    ]


@pytest.mark.parametrize(
    ("rows", "code", "said"),
    [
        (GOOD, "30", "the service answered 30: said"),
        ("", "00", "holds no rows"),
        (f"{GOOD}, {GOOD}", "00", "total 2022 stands in answer.json, row 1 too"),
        (
            f'{GOOD}, {{"wrttimeid": 2023, "tot": 958221000}}',
            "00",
            "row 2: 958,221,000 million KRW, but the year before",
        ),
        (
            '{"wrttimeid": 2022, "tot": 5, "regi": "Busan"}',
            "00",
            "row 1: a row of a region .regi.: the table by region",
        ),
        ('{"wrttimeid": 2022, "tot": 5, "hail": 1}', "00", "unknown columns hail: only the table by year"),
        ('{"wrttimeid": 2022, "tot": "many"}', "00", "tot is .many., and not a finite number"),
    ],
)
def test_an_answer_that_differs_from_the_table_by_year_is_refused(tmp_path, rows, code, said):
    with pytest.raises(SchemaError, match=said):
        yearbook.read(answer(tmp_path, rows, code))


def test_a_table_without_prices_or_addresses_is_refused_by_the_name_of_what_it_lacks(tmp_path):
    path = tmp_path / "claims.csv"
    path.write_text("year_from,cause,value_million_krw,status\n2020,total,5,final\n")
    with pytest.raises(SchemaError, match=r"claims.csv lacks the columns price_basis, scope, source_id, source_url"):
        record.read(path)


def test_an_official_answer_in_the_folder_stands_before_other_sources_of_its_year(tmp_path):
    for path in DATA.glob("*.csv"):
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "yearbook-2011.json").write_text(answer(tmp_path, '{"wrttimeid": 2011, "tot": 794000}').read_text())
    before, now = ({each.year: each.ratio for each in targets.yearly(at, 1976, 2015)} for at in (DATA, tmp_path))
    assert now[2011] == pytest.approx(before[2011] * 794_000 / 794_200)
    assert {year for year in now if now[year] != before[year]} == {2011}


def test_a_table_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SchemaError, match=r"exposure.csv cannot be read: .*docs/calibration.md names the tables"):
        targets.economy(tmp_path)


def folder_with(tmp_path: Path, name: str, change) -> Path:
    """The tables of the package, one of them changed: rows (as texts) in, rows out."""
    for path in DATA.glob("*.csv"):
        if path.name != name:
            (tmp_path / path.name).symlink_to(path)
    table = pl.read_csv(DATA / name, infer_schema=False)
    change(table).write_csv(tmp_path / name)
    return tmp_path


def cell(row: int, column: str, value: str | None):
    """Write one value; row as in the file, the header is 1."""
    at = pl.int_range(pl.len()) == row - 2
    return lambda table: table.with_columns(pl.when(at).then(pl.lit(value)).otherwise(column).alias(column))


@pytest.mark.parametrize("value", ["0", "-6115300", "nan", "inf", "many"])
def test_a_total_that_is_no_number_above_0_is_refused_at_its_row(value, tmp_path):
    folder = folder_with(tmp_path, "national_losses.csv", cell(2, "value_million_krw", value))
    with pytest.raises(SchemaError, match=rf"^national_losses.csv, row 2: value_million_krw is '?{value}"):
        targets.yearly(folder, 1976, 2015)


def test_a_cause_of_a_year_may_be_nothing_and_its_total_may_not(tmp_path):
    assert yearbook.read(answer(tmp_path, GOOD.replace("315400", "0")))[1].value == 0.0
    for cause, wrong in (("tot", "0"), ("heavy_rain", "-1"), ("tot", "NaN")):
        row = f'{{"wrttimeid": 2022, "tot": 5, "{cause}": "{wrong}"}}'
        with pytest.raises(SchemaError, match=f"answer.json, row 1: {cause} is '{wrong}', and not"):
            yearbook.read(answer(tmp_path, row))


@pytest.mark.parametrize("value", ["-7100", "0", "nan"])
def test_claims_that_are_no_number_above_0_are_refused_at_their_row(value, tmp_path):
    table = pl.read_csv(DATA / "insured_losses.csv", infer_schema=False).with_row_index("row", 2)
    paid = table.filter(
        pl.col("measure").is_in(["claims_incurred", "claims_paid"]), year_from="2022", insured_class="house"
    )
    folder = folder_with(tmp_path, "insured_losses.csv", cell(paid["row"][0], "value", value))
    with pytest.raises(SchemaError, match=rf"^insured_losses.csv, row {paid['row'][0]}: value is .*{value}.*, and not"):
        level.of_folder(folder, shipped.sources().places)


@pytest.mark.parametrize("value", ["-3636", "0", "inf"])
def test_assets_that_are_no_number_above_0_are_refused_at_their_row(value, tmp_path):
    table = pl.read_csv(DATA / "exposure.csv", infer_schema=False).with_row_index("row", 2)
    row = table.filter(pl.col("source_id") != "ajunews20131224", measure="construction_assets", **{"class": "total"})
    folder = folder_with(tmp_path, "exposure.csv", cell(row["row"][0], "value", value))
    with pytest.raises(SchemaError, match=rf"^exposure.csv, row {row['row'][0]}: value is .*{value}"):
        targets.economy(folder)


def test_a_loss_above_all_assets_is_a_slip_of_units_in_every_row(tmp_path):
    thousand = pl.col("value_million_krw").cast(pl.Float64) * 1000
    folder = folder_with(tmp_path, "national_losses.csv", lambda table: table.with_columns(thousand))
    with pytest.raises(
        SchemaError, match=r"national_losses.csv, row \d+: .* more than all construction assets of 1987"
    ):
        targets.yearly(folder, 1976, 2015)


def test_claims_above_the_value_of_the_insured_houses_are_refused(tmp_path):
    claims = pl.col("value").cast(pl.Float64) * pl.when(pl.col("measure").str.starts_with("claims")).then(
        1e5
    ).otherwise(1)
    folder = folder_with(tmp_path, "insured_losses.csv", lambda table: table.with_columns(claims))
    with pytest.raises(
        SchemaError, match=r"insured_losses.csv: the claims of 2020 are .* times the value of the insured"
    ):
        level.of_folder(folder, shipped.sources().places)


def test_two_preferred_totals_of_a_year_are_refused_by_both_rows_unless_one_is_the_other_rounded(tmp_path):
    again = lambda value: lambda table: pl.concat([table, cell(2, "value_million_krw", value)(table)[:1]])  # noqa: E731
    (tmp_path / "other").mkdir()
    (tmp_path / "rounded").mkdir()
    rounded = folder_with(tmp_path / "rounded", "national_losses.csv", again("6120000"))
    assert len(targets.yearly(rounded, 1976, 2015)) == 16
    with pytest.raises(
        SchemaError, match=r"row 101: total 2002 is preferred, 5,000,000 .* so is that of national_losses.csv, row 2"
    ):
        targets.yearly(folder_with(tmp_path / "other", "national_losses.csv", again("5000000")), 1976, 2015)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("status", "preliminary", "it is preferred, and its status is 'preliminary'"),
        ("year_to", "2001", "year_to is 2001, before year_from, 2002"),
        ("year_to", "2003", "it is a preferred row of one year, and goes from 2002 to 2003"),
        ("year_from", "MMVI", "year_from is 'MMVI', and not a year of 1900 to 2100"),
        ("year_from", "20002", "year_from is '?20002'?, and not a year of 1900 to 2100"),
        ("value_million_krw", None, "value_million_krw is blank"),
        ("preferred", "maybe", "preferred is 'maybe': write yes"),
        ("scope", "insured houses", "its scope is"),
    ],
)
def test_a_preferred_row_that_cannot_be_used_is_refused_and_no_other_stands_in(column, value, said, tmp_path):
    folder = folder_with(tmp_path, "national_losses.csv", cell(2, column, value))
    with pytest.raises(SchemaError, match=rf"^national_losses.csv, row \d+: {said}"):
        targets.yearly(folder, 1976, 2015)


def test_a_folder_without_assets_and_an_answer_of_brackets_are_refused_in_a_sentence(tmp_path):
    (tmp_path / "none").mkdir()
    without = folder_with(
        tmp_path / "none", "exposure.csv", lambda table: table.filter(pl.col("measure") != "construction_assets")
    )
    with pytest.raises(SchemaError, match=r"exposure.csv holds 0 years of construction_assets of class total"):
        targets.economy(without)
    for depth in (900, 100_000):
        deep = tmp_path / "yearbook.json"
        deep.write_text("[" * depth + ("]" * depth if depth == 900 else ""))
        with pytest.raises(SchemaError, match=r"yearbook.json (is no JSON|holds no rows)"):
            yearbook.read(deep)
