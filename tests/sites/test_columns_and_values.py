"""Whose column is which field, and what a value means: as people write them in spreadsheets."""

import datetime

import polars as pl
import pytest

from engine.assess.job.portfolio_ages import ages
from engine.assess.rules import columns, numbers_text
from engine.assess.rules.column_names import ALIASES, ASKED, WEAK
from engine.assess.rules.fields import BY_NAME
from engine.core.errors import SettingsError


def fields(*names, given=""):
    found = columns.choose(names, "t", columns.stated(given))
    return {each.name: (each.field, float(each.factor)) for each in found if each.field}


def test_headings_of_any_case_language_and_unit_are_their_fields():
    assert fields(
        " 위도(도) ", "경 도", "자산가액 (단위: 백만원)", "연면적(㎡)", "부보율(%)", "건물명", "하천거리(km)", "지점"
    ) == {
        " 위도(도) ": ("latitude", 1),
        "경 도": ("longitude", 1),
        "자산가액 (단위: 백만원)": ("total_asset_value", 10**6),
        "연면적(㎡)": ("floor_area", 1),
        "부보율(%)": ("insurance_coverage_rate", 0.01),
        "건물명": ("name", 1),
        "하천거리(km)": ("distance_to_river_m", 1000),
    }
    assert fields("LAT", "Lng", "Asset Value [KRW bn]", "floor_area_m2", "YearBuilt", "No. of", "id") == {
        "LAT": ("latitude", 1),
        "Lng": ("longitude", 1),
        "Asset Value [KRW bn]": ("total_asset_value", 10**9),
        "floor_area_m2": ("floor_area", 1),
        "YearBuilt": ("completion_year", 1),
        "id": ("site_id", 1),
    }
    # x and y of a map stand behind degrees; two names of one site are no contradiction
    assert fields("x", "y", "위도", "경도")["위도"] == ("latitude", 1)
    assert fields("x", "y") == {"x": ("longitude", 1), "y": ("latitude", 1)}
    assert fields("lat", "lon", "건물명", "사업장명")["사업장명"] == ("name", 1)


def test_every_other_name_is_of_one_field_and_none_is_asked_about_that_is_known():
    known = {**ALIASES, **{f"{field} ": others for field, others in WEAK.items()}}
    keys = [columns._key(other) for others in known.values() for other in others]
    assert len(keys) == len(set(keys))
    assert not set(keys) & {columns._key(other) for others in ASKED.values() for other in others}
    assert set(ALIASES) - set(columns.SPECIAL) == set(BY_NAME)
    for field, others in ALIASES.items():
        for other in others:
            assert fields(other.upper())[other.upper()][0] == field


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (
            ("lat", "lon", "asset_valu"),
            "is column 'asset_valu' the field total_asset_value? If so, name it total_asset_",
        ),
        (("lat", "lon", "자산가엑"), "is column '자산가엑' the field total_asset_value?"),
        (
            ("lat", "lon", "감정평가액", "Structur"),
            "is column '감정평가액' the field total_asset_value?; is column 'Structur'",
        ),
        (("lat", "lon", "BuildingTIV"), "--columns 'total_asset_value=-'"),
        (
            ("lat", "lon", "자산가액(천달러)"),
            "the unit '천달러' of column '자산가액(천달러)' is not understood; total_asset_value is in KRW",
        ),
        (("lat", "lon", "asset value (USD)"), "the unit 'USD' of column"),
        (("lat", "lon", "용도", "주용도"), "columns '용도' and '주용도' may both be main_purpose: keep one"),
        (("lat", "lon", "준공연도", "building_age"), "both state the age of the building"),
    ],
)
def test_a_column_that_may_be_a_field_is_asked_about_by_name(names, says):
    with pytest.raises(SettingsError) as refused:
        columns.require_no_near_miss(columns.choose(names, "t"), "t")
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("보험료율(%)", "insurance_coverage_rate"),
        ("Insurance Rate", "insurance_coverage_rate"),
        ("자산총액(백만원)", "total_asset_value"),
        ("purpose", "main_purpose"),
        ("occupancy", "main_purpose"),
        ("리스크", "risk_types"),
        ("기간", "time_periods"),
        ("CDD", "cdd_days"),
    ],
)
def test_a_name_that_more_often_means_another_quantity_is_asked_about_and_never_taken(name, field):
    chosen = columns.choose(["lat", "lon", name], "t")
    assert chosen[2].field is None
    with pytest.raises(SettingsError, match=f"the field {field}\\?"):
        columns.require_no_near_miss(chosen, "t")
    # with a column that is the field, or told so, nobody is asked
    columns.require_no_near_miss(columns.choose(["lat", "lon", name, field], "t"), "t")
    columns.require_no_near_miss(chosen, "t", columns.stated(f"{field}=-"))


@pytest.mark.parametrize(
    "name",
    [
        "보험요율",
        "보험료",
        "premium rate",
        "building_name",
        "address",
        "memo",
        "city",
        "담당",
        "주소",
        "비고",
        "건물번호",
        "elevator",
        "floor_name",
    ],
)
def test_a_column_of_the_owner_is_carried_through_without_a_question(name):
    chosen = columns.choose(["lat", "lon", name], "t")
    columns.require_no_near_miss(chosen, "t")
    assert chosen[2].field in (None, "name")


def test_whoever_says_which_column_it_is_is_believed():
    assert fields("Y", "X", "lat", "lon", given="latitude=lat, longitude=lon")["lat"] == ("latitude", 1)
    assert fields("a", "b", "값(백만원)", given="latitude=a,longitude=b,total_asset_value=값(백만원)") == {
        "a": ("latitude", 1),
        "b": ("longitude", 1),
        "값(백만원)": ("total_asset_value", 10**6),
    }
    given = columns.stated("total_asset_value=-")
    columns.require_no_near_miss(columns.choose(["lat", "lon", "tiv"], "t", given), "t", given)
    for text, says in {
        "latitude": "expected FIELD=COLUMN",
        "latitute=a": "did you mean latitude?",
        "latitude=a,latitude=b": "twice",
        "latitude=latt": "0 columns have that name; did you mean 'lat'?",
    }.items():
        with pytest.raises(SettingsError, match=says.replace("?", r"\?")):
            columns.choose(["lat", "lon"], "t", columns.stated(text))


VALUES = {
    "total_asset_value": {
        "5백억": "50000000000",
        "1조 2,000억": "1200000000000",
        "3억5천만원": "350000000",
        "1,200백만원": "1200000000",
        "오백억": "50000000000",
        "1,000,000,000": "1000000000",
        "1 000 000": "1000000",
        "1\u00a0000\u00a0000": "1000000",
        "1.000.000": "1000000",
        "₩5,000원": "5000",
        "KRW 2bn": "2000000000",
        "１２억": "1200000000",
        "$1,000": None,
        "1억 1억": None,
        "1,00": None,
        "5억 2조": None,
        "약 5억": None,
        "1,000.5.2": None,
    },
    "latitude": {
        "37.5665° N": "37.5665",
        "37°33'59.4\"N": "37.5665",
        "37도 33분 59.4초": "37.5665",
        "북위 37.5": "37.5",
        "S 33.5": "-33.5",
        "37.5E": None,
        "37 33 59": None,
        "37.5° 30'": None,
        "37°61'": None,
    },
    "insurance_coverage_rate": {"30%": "0.30", "30 ％": "0.30", "30원": None},
    "floor_area": {"1,200㎡": "1200", "121평": "400", "1,200 m²": "1200"},
    "floors_below": {"B2": "2", "지하 2층": "2", "2개층": "2"},
    "distance_to_river_m": {"1.2km": "1200"},
}


@pytest.mark.parametrize("field", VALUES)
def test_values_with_units_and_separators_are_numbers_and_what_is_ambiguous_is_none(field):
    texts = pl.Series([*VALUES[field], None, "12"])
    whole = BY_NAME[field].kind == "integer"
    found = numbers_text.read(texts, field, whole=whole)
    assert [v if v is None else round(float(v), 9) for v in found] == [
        *(v if v is None else float(v) for v in VALUES[field].values()),
        None,
        12,
    ]


def test_a_unit_of_the_heading_counts_for_numbers_without_one():
    found = numbers_text.read(pl.Series(["5", "1,200", "5억"]), "total_asset_value", factor=10**6, whole=True)
    assert found.to_list() == ["5000000", "1200000000", "500000000"]
    assert numbers_text.read(pl.Series(["1,500"]), "floor_area", lone_groups=False).to_list() == [None]


def test_an_age_is_reckoned_from_years_and_dates_in_any_spelling():
    texts = [
        "1998",
        "1998.0",
        "1998-12-01",
        "19981201",
        "1998년 12월 1일",
        "1998.11",
        "1998-05-01 00:00:00",
        "",
        None,
        "x",
        "98",
    ]
    sites = pl.DataFrame({"invalid_types": pl.Series([[]] * len(texts), dtype=pl.List(pl.String))})
    found = ages(sites, pl.Series(texts), datetime.date(2026, 11, 28))
    assert found["building_age"].to_list() == [28, 28, 27, 27, 27, 28, 28, None, None, None, None]
    assert found["invalid_types"].list.len().to_list() == [0] * 9 + [1, 1]
