"""IBTrACS as spreadsheet programs save it again, and its provisional seasons."""

import csv
import io
from datetime import datetime

import polars as pl
import psycopg
import pytest

from engine.core.errors import SchemaError
from engine.io.etl import loading
from engine.io.etl.loaders import besttrack
from engine.io.etl.loaders import besttrack_readers as readers
from engine.io.etl.loaders.besttrack_record import leaps

HEADER = ["SID", "SEASON", "BASIN", "NAME", "ISO_TIME", "LAT", "LON", "WMO_WIND", "WMO_PRES", "TRACK_TYPE", "USA_WIND"]
UNITS = ["", "Year", "", "", "", "degrees_north", "degrees_east", "kts", "mb", "", "kts"]


def storm(sid, first_hour, winds, *, name="MAYSAK", kind="main", us=None):
    """Rows of a storm, six-hourly from an ISO hour on."""
    start = datetime.fromisoformat(first_hour)
    rows = []
    for step, wind in enumerate(winds):
        time = start.replace(day=start.day + (start.hour + 6 * step) // 24, hour=(start.hour + 6 * step) % 24)
        stated = [str(wind), "960.5"] if wind else ["", ""]
        rows.append(
            [sid, sid[:4], "WP", name, f"{time}", f"{25.5 + step}", "-179.5" if step else "178.3", *stated, kind]
        )
        rows[-1].append("" if us is None else str(us))
    return rows


ROWS = storm("2020241N16139", "2020-08-28T12:00", [80, "", 75, 60]) + storm(
    "2020301N10130", "2020-10-27T00:00", [35, 30]
)


def text(rows=ROWS, *, separator=",", units=True, **writing):
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\n", **writing).writerows(
        [HEADER, *([UNITS] if units else []), *rows]
    )
    return out.getvalue()


def dated(form, rows=ROWS):
    return [[*row[:4], f"{datetime.fromisoformat(row[4]):{form}}".replace("@", ""), *row[5:]] for row in rows]


def comma(rows):
    return [[*row[:5], *(value.replace(".", ",") for value in row[5:9]), *row[9:]] for row in rows]


def with_lines(changed):
    return "\n".join(changed(line) for line in text().splitlines()) + "\n"


SAVED = {
    "semicolons": text(separator=";"),
    "tabs": text(separator="\t"),
    "byte order mark": "\ufeff" + text(),
    "everything quoted": text(quoting=csv.QUOTE_ALL),
    "line that names the separator": "sep=;\n" + text(separator=";"),
    "no row of units": text(units=False),
    "lower case header": text().replace(text().splitlines()[0], text().splitlines()[0].lower()),
    "month first": text(dated("%-m/%-d/%Y %-H:%M")),
    "month first with seconds and halves of the day": text(dated("%m/%d/%Y %I:%M:%S %p")),
    "day first": text(dated("%d/%m/%Y %H:%M:%S")),
    "dots and decimal commas": text(comma(dated("%d.%m.%Y %H:%M")), separator=";"),
    "no seconds": text(dated("%Y-%m-%d %H:%M")),
    "month first with dots": text(dated("%m.%d.%Y %H:%M")),
    "Korean dots": text(dated("%Y. %-m. %-d. %-H:%M")),
    "Korean halves of the day": text(dated("%Y-%m-%d %p %-I:%M:%S")).replace("AM", "오전").replace("PM", "오후"),
    "slashes, year first": text(dated("%Y/%m/%d %-H:%M")),
    "ISO 8601": text(dated("%Y-%m-%dT%H:%M:%SZ")),
    "empty columns at the end": with_lines(lambda line: line + ",,,"),
    "longer rows than the header": text().replace("\n", ",,,\n").replace(",,,\n", "\n", 1),
    "empty rows at the end": text() + ",,,,,,,,,,\n,,,,,,,,,,\n",
    "numbers as text": text(
        [[*row[:7], *(f'="{value}"' if value else "" for value in row[7:9]), *row[9:]] for row in ROWS]
    ),
    "blanks around values": text([[f" {value} " for value in row] for row in ROWS]),
    "columns in another order": "\n".join(",".join(line.split(",")[::-1]) for line in text().splitlines()),
}


def read(tmp_path, content, name="ibtracs.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return readers.read(path)


@pytest.mark.parametrize("how", SAVED)
def test_a_table_saved_again_by_a_spreadsheet_holds_the_same_fixes(tmp_path, how):
    best = read(tmp_path, SAVED[how])
    assert (best.source, best.records, best.rejected) == ("IBTrACS", 6, ())
    assert best.fixes["max_wind_speed"].round(3).to_list() == [41.156, None, 38.583, 30.867, 18.006, 15.433]
    assert best.fixes["central_pressure"].to_list() == [960.5, None, 960.5, 960.5, 960.5, 960.5]
    assert best.fixes["obs_datetime"].dt.strftime("%m-%d %H").to_list() == [
        "08-28 12", "08-28 18", "08-29 00", "08-29 06", "10-27 00", "10-27 06"
    ]  # fmt: skip
    assert best.fixes["longitude"].to_list()[:2] == [178.3, 180.5]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            text(dated("%m/%d/%Y %H:%M", storm("2020215N16139", "2020-08-02T00:00", [80, 75]))),
            "do not say which number",
        ),
        (text(dated("%m/%d/%Y %H:%M")[:4] + dated("%d/%m/%Y %H:%M")[4:]), "do not say which number is the day"),
        (text(dated("%Y-%m-%d")), "times such as '2020-08-28' state no hour"),
        (text().encode("utf-16"), "is UTF-16 text"),
        (text().replace("WMO_WIND", "WIND"), "lacks the IBTrACS columns WMO_WIND"),
    ],
)
def test_what_cannot_be_told_is_refused_by_name(tmp_path, content, says):
    with pytest.raises(SchemaError, match=rf"ibtracs\.csv.*{says}"):
        read(tmp_path, content)


def test_a_row_that_cannot_be_read_is_named_with_its_line_and_value_and_none_is_lost_in_silence(tmp_path):
    rows = [list(row) for row in ROWS]
    rows[0][4], rows[1][5], rows[2][7], rows[3][0], rows[4][6] = "44069.5", "x", "3x5", "", "NaN"
    best = read(tmp_path, text(rows))
    assert best.rejected == (
        (3, "ISO_TIME holds '44069.5', no time"),
        (4, "LAT holds x, no number"),
        (5, "WMO_WIND holds 3x5, no number"),
        (6, "SID holds '', no storm number"),
        (7, "LON holds NaN, no number"),
    )
    short = text().splitlines()
    short[4] = short[4][: short[4].index("08-29")]
    cut = read(tmp_path, "\n".join(short))
    assert [line for line, _ in cut.rejected] == [5]
    assert cut.fixes.height + len(cut.rejected) == cut.records == 6


def test_a_typed_table_with_nulls_keeps_the_fixes_without_a_wind(tmp_path):
    rows = pl.DataFrame(ROWS, schema=HEADER, orient="row")
    typed = rows.with_columns(
        pl.col("ISO_TIME").str.to_datetime(),
        pl.col("LAT", "LON", "WMO_WIND", "WMO_PRES").cast(pl.Float64, strict=False),
    )
    typed.write_parquet(tmp_path / "typed.parquet")
    assert readers.read(tmp_path / "typed.parquet").fixes.equals(read(tmp_path, text()).fixes)


FINAL = storm("2024190N18130", "2024-07-10T00:00", [90, 85, 80, 75], us=95) + storm(
    "2024310N18130", "2024-11-10T00:00", [40, 40], us=45
)


def provisional(**options):
    return storm("2025190N18130", "2025-07-10T00:00", [""] * 4, kind="PROVISIONAL", **options) + storm(
        "2025310N18130", "2025-11-10T00:00", [""] * 4, kind="PROVISIONAL", **options
    )


@pytest.mark.parametrize(
    ("season", "reason"),
    [
        (provisional(us=95), "0 of its 8 fixes of storm strength state a wind"),  # the US wind tells a storm
        (provisional(), "0 of its 8 fixes of storm strength state a wind"),  # it has a name
        (provisional(name="NOT_NAMED"), "0 of its 0 fixes"),  # nobody knows how strong: no wind at all
        (storm("2025190N18130", "2025-07-10T00:00", [80] * 8) + provisional(us=95)[4:], "8 of its 12 fixes"),
    ],
)
def test_a_provisional_season_without_winds_is_not_covered_and_says_why(tmp_path, season, reason):
    best = read(tmp_path, text(FINAL + season))
    merged = besttrack.merge([best])
    assert merged.covered == [2024]
    assert merged.uncovered[2025].startswith(reason)


def test_a_depression_needs_no_wind_and_a_provisional_season_with_winds_is_covered(tmp_path):
    weak = storm("2025200N18130", "2025-07-20T00:00", [""] * 8, us=30, name="NOT_NAMED")
    storms = storm("2025310N18130", "2025-11-10T00:00", [50] * 4, kind="PROVISIONAL", us=55)
    merged = besttrack.merge([read(tmp_path, text(FINAL + weak + storms))])
    assert (merged.covered, merged.uncovered) == ([2024, 2025], {})
    low = [[*row, "ET", "300"] for row in storm("2024320N18130", "2024-11-20T00:00", [""] * 8, us=60)]
    landed = [[*row, "TS", "0"] for row in storm("2024321N18130", "2024-11-20T00:00", [""] * 8, us=60)]
    wide = text([*([*row, "TS", "300"] for row in FINAL), *low, *landed], units=False)
    wide = wide.replace("USA_WIND", "USA_WIND,NATURE,DIST2LAND")
    assert besttrack.merge([read(tmp_path, wide)]).covered == [2024]
    at_sea = wide.replace("ET,300", "TS,300")
    assert besttrack.merge([read(tmp_path, at_sea)]).covered == []
    spur = storm("2025310N18130", "2025-11-10T00:00", [50], kind="PROVISIONAL-spur")
    assert read(tmp_path, text(FINAL + spur)).left_out == {"of a side track": 1}


@pytest.mark.parametrize(("knots", "covered"), [(37, [2024, 2025]), (38, [2024])])
def test_a_us_wind_of_one_minute_tells_a_storm_from_38_knots_on(tmp_path, knots, covered):
    windless = storm(
        "2025200N18130", "2025-07-20T00:00", [""] * 4, us=knots, name="NOT_NAMED"
    )  # 38 x 0.88 kt = 17.2 m/s
    stated = storm("2025310N18130", "2025-11-10T00:00", [50] * 4, us=55)
    assert besttrack.merge([read(tmp_path, text(FINAL + windless + stated))]).covered == covered


def test_the_grade_of_tokyo_tells_a_storm_where_the_wind_is_blank(tmp_path):
    graded = [[*row, grade] for grade in "2569" for row in storm(f"202520{grade}N18130", "2025-07-20T00:00", ["", ""])]
    wide = text(graded, units=False).replace("USA_WIND", "USA_WIND,TOKYO_GRADE")
    assert read(tmp_path, wide).fixes["grade"].to_list() == ["TD", "TD", "TY", "TY", "L", "L", "TS", "TS"]


def test_the_load_names_the_season_that_is_not_covered_and_takes_it_from_a_source_with_winds(warehouse, tmp_path):
    folder = tmp_path / "typhoon"
    folder.mkdir()
    (folder / "ibtracs.csv").write_text(text(FINAL + provisional(us=95)))

    def load():
        with psycopg.connect(warehouse, autocommit=True) as connection:
            options = loading.LoadOptions(data=tmp_path)
            [report] = besttrack.load(connection, options, lambda what, done=0, total=0: None)
            found = connection.execute("SELECT gate_report FROM etl_load WHERE status = 'published'").fetchone()[0]
            return report, found

    report, found = load()
    assert [str(finding) for finding in report.findings] == [
        "W api_typhoon_besttrack: 2025 is not covered: 0 of its 8 fixes of storm strength state a wind, as in a"
        " provisional season (IBTrACS)"
    ]
    assert (found["covered_years"], list(found["uncovered_years"])) == ([2024], ["2025"])
    lines = [
        f"TY 2501 2025 {month} 10 {hour} 128.3 34.0 45 950 300 200 E 100 80 NE MADE"
        for month in (7, 11)
        for hour in (0, 6)
    ]
    (folder / "kma.txt").write_text("\n".join(lines))
    report, found = load()
    assert (found["covered_years"], found["sources"]["2025"]) == ([2024, 2025], "KMA")


def test_a_position_that_no_storm_reaches_is_told_also_where_its_row_is_left_out(warehouse, tmp_path):
    folder = tmp_path / "typhoon"
    folder.mkdir()
    rows = [row.copy() for row in FINAL]
    rows[2][HEADER.index("LON")] = "12.5"  # a digit of 182.5 was lost: outside the western Pacific, no odd field
    (folder / "ibtracs.csv").write_text(text(rows))
    with psycopg.connect(warehouse, autocommit=True) as connection:
        options = loading.LoadOptions(data=tmp_path)
        [report] = besttrack.load(connection, options, lambda what, done=0, total=0: None)
    [told] = [finding for finding in report.findings if "than a storm moves" in finding.message]
    assert (told.severity, told.count) == ("W", 2)  # there and back
    assert "storm 2024190N18130 at 2024-07-10 12 UTC (2,312 km/h)" in told.message


def test_steps_between_fixes_are_held_against_250_km_per_hour():
    def speeds(longitude):
        return leaps(
            pl.DataFrame(
                {
                    "tcid": ["A", "A", "B"],
                    "obs_datetime": [datetime(2024, 7, 10, hour) for hour in (0, 6, 6)],
                    "longitude": [179.0, longitude, 100.0],
                    "latitude": [0.0, 0.0, 0.0],
                }
            )
        )["speed"].to_list()

    assert speeds(179.0 + 13.4) == []  # a degree at the equator is 111.195 km: 248 km/h
    assert speeds(179.0 + 13.6) == [pytest.approx(252.04, abs=0.01)]
    assert speeds(-179.0) == []  # over the date line


def test_a_basin_that_is_none_is_rejected_and_not_taken_for_another(tmp_path):
    rows = [row.copy() for row in FINAL]
    rows[0][HEADER.index("BASIN")], rows[1][HEADER.index("BASIN")] = "EP", "WQ"
    best = read(tmp_path, text(rows))
    assert best.left_out == {"of another basin": 1}
    assert [reason for _, reason in best.rejected] == ["BASIN holds 'WQ', no basin"]
