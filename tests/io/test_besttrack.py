import shutil
from importlib import resources
from pathlib import Path

import polars as pl
import psycopg
import pytest

from engine.core.errors import SchemaError
from engine.core.quality import load_ranges
from engine.io.etl import load_record, loading
from engine.io.etl.loaders import besttrack
from engine.io.etl.loaders import besttrack_readers as readers
from engine.io.files import source_files
from engine.kernels.typhoon import GRADES
from engine.risks.track import typhoon_track

DATA = Path(str(resources.files("engine.sample") / "data" / "typhoon"))
JMA = DATA / "jma_bst_2015_2021.txt"
IBTRACS = DATA / "ibtracs_wp_synoptic_1951_2021.parquet"
QUIET = lambda what, done=0, total=0: None  # noqa: E731

KMA_HEAD = """#START7777
# 태풍 베스트트랙
# GRADE TCID YEAR MONTH DAY HOUR LON LAT MAX_WS PS GALE_LONG GALE_SHORT GALE_DIR STORM_LONG STORM_SHORT STORM_DIR NAME
"""
KMA_LINES = [
    "TD   2211 2022  8 28  0 150.2 26.3   -  1004    -    -    -    -    -   -  HINNAMNOR",
    "TS   2211 2022  8 28 12 147.5 26.6  18   996  150  100   NE    -    -   -  HINNAMNOR",
    "TY   2211 2022  9  5 21 129.1 35.0  43   950  400  300   E   180  150   -  HINNAMNOR",
    "L    2211 2022  9  6 12 136.0 42.0 -999.9 975 -999 -999  -  -999 -999  -  HINNAMNOR",
    "TD   2212 2022 11 10  3 140.0 20.0   0  1002    0    0  157.5   0    0   0  -",
]


def kma(*lines):
    return KMA_HEAD + "\n".join(lines) + "\n#7777END\n"


def data(folder, *sources, **texts):
    """A data directory with copies of files, and files written from text."""
    typhoon = folder / "typhoon"
    typhoon.mkdir(exist_ok=True)
    for source in sources:
        shutil.copy(source, typhoon)
    for name, text in texts.items():
        (typhoon / f"{name}.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def load(url, folder, **options):
    with psycopg.connect(url, autocommit=True) as connection:
        [report] = besttrack.load(connection, loading.LoadOptions(data=folder, **options), QUIET)
        return report


def rows(url, query, *parameters):
    with psycopg.connect(url) as connection:
        return connection.execute(query, parameters).fetchall()


def gate_report(url):
    return rows(url, "SELECT gate_report FROM etl_load WHERE loader = 'besttrack' AND status = 'published'")[0][0]


def test_jma_has_the_storms_fixes_and_grades_that_are_counted_in_the_file():
    best = readers.read(JMA)
    assert (best.source, best.records, best.rejected) == ("JMA", 6154, ())
    assert best.fixes["tcid"].n_unique() == 169
    grades = dict(best.fixes["grade"].value_counts().iter_rows())
    # the file's 7 ("just entering", 4 fixes of 50, 90, no and 40 kt) become STS, TY, TD and TS by wind
    assert grades == {"TD": 1635 + 1, "TS": 1411 + 1, "STS": 783 + 1, "TY": 1602 + 1, "L": 719}
    by_wind = best.fixes.filter(pl.col("max_wind_speed").is_not_null())
    assert by_wind["grade"].to_list() == [readers.grade_of(wind) for wind in by_wind["max_wind_speed"]]


def test_jma_columns_are_converted_and_a_line_of_105_characters_is_read_as_any_other():
    fixes = {(tcid, f"{time:%m%d%H}"): row for tcid, time, *row in readers.read(JMA).fixes.iter_rows()}
    assert fixes["1506", "051600"][:6] == ["L", "NOUL", 178.1, 48.7, None, 986.0]
    # 19090612 002 5 314 1252  960     075     20090 0070 30300 0160
    lingling = fixes["1913", "090612"]
    assert lingling[:6] == ["TY", "LINGLING", 125.2, 31.4, pytest.approx(75 * 0.514444), 960.0]
    assert lingling[6:10] == [pytest.approx(300 * 1.852), pytest.approx(160 * 1.852), "SE", 135.0]
    assert lingling[10:14] == [pytest.approx(90 * 1.852), pytest.approx(70 * 1.852), "E", 90.0]


def test_a_jma_file_cut_short_is_refused(tmp_path):
    folder = data(tmp_path, short=JMA.read_bytes()[:40_000].rsplit(b"\r\n", 1)[0])
    with pytest.raises(SchemaError, match=r"short.txt: storm 15\d\d states \d+ lines, \d+ follow"):
        readers.read(folder / "typhoon" / "short.txt")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "euc-kr"])
def test_kma_text_is_read_in_either_encoding_and_missing_marks_are_null(tmp_path, encoding):
    path = tmp_path / "kma.txt"
    path.write_bytes(kma(*KMA_LINES).encode(encoding))
    best = readers.read(path)
    assert (best.source, best.records, best.rejected) == ("KMA", 5, ())
    assert best.fixes["grade"].to_list() == ["TD", "TS", "TY", "L", "TD"]
    assert best.fixes["max_wind_speed"].to_list() == [None, 18.0, 43.0, None, None]
    assert best.fixes["gale_long"].to_list() == [None, 150.0, 400.0, None, None]
    assert best.fixes["gale_dir"].to_list() == [None, "NE", "E", None, None]
    assert best.fixes["gale_dir_deg"].to_list() == [None, 45.0, 90.0, None, None]
    assert best.fixes["storm_dir_deg"].to_list() == [None] * 5  # a circle has no direction
    assert best.fixes["typhoon_name"].to_list() == ["HINNAMNOR"] * 4 + [None]
    assert f"{best.fixes['obs_datetime'][1]:%Y-%m-%d %H %Z}" == "2022-08-28 12 UTC"


def test_kma_csv_with_empty_fields_reads_as_the_whitespace_form(tmp_path):
    (tmp_path / "blank.txt").write_text(kma(*KMA_LINES))
    commas = [",".join("" if field == "-" else field for field in line.split()) + ",=" for line in KMA_LINES]
    (tmp_path / "comma.csv").write_text("GRADE,TCID,YEAR\n" + "\n".join(commas))
    assert readers.read(tmp_path / "comma.csv").fixes.equals(readers.read(tmp_path / "blank.txt").fixes)


def test_ibtracs_text_leaves_out_units_other_basins_side_tracks_and_interpolated_rows(tmp_path):
    path = tmp_path / "ibtracs.csv"
    path.write_text(
        "SID,SEASON,BASIN,NAME,ISO_TIME,LAT,LON,WMO_WIND,WMO_PRES,TRACK_TYPE,TOKYO_R30_DIR,TOKYO_R30_LONG,TOKYO_R30_SHORT\n"
        " ,Year, , , ,degrees_north,degrees_east,kts,mb, ,1,nmile,nmile\n"
        "2020241N16139,2020,WP,MAYSAK,2020-09-02 12:00:00,33.6,128.3,80,950,main,2,240,150\n"
        "2020241N16139,2020,WP,MAYSAK,2020-09-02 13:30:00,34.0,128.5, , ,main, , , \n"
        "2020241N16139,2020,WP,MAYSAK,2020-09-02 15:00:00,34.4,128.7,75,955,main,9,200,200\n"
        "2020241N16139,2020,WP,MAYSAK,2020-09-02 18:00:00,35.3,129.0, , ,main, , , \n"
        "2020241N16139,2020,WP,MAYSAK,2020-09-02 18:00:00,35.4,129.1,70,960,spur-merge, , , \n"
        "2020242N20300,2020,NA,NOT_NAMED,2020-09-02 12:00:00,20.0,-60.0,40,1000,main, , , \n"
        "2020243N15179,2020,WP,NOT_NAMED,2020-09-02 12:00:00,15.0,-179.5,35,1000,main, , , \n"
        "2020243N15179,2020,WP,NOT_NAMED,2020-09-02 18:00:00,15.0,-179.5,3x5,1000,main, , , \n"
    )
    best = readers.read(path)
    assert best.left_out == {
        "outside 80..200 E, 0..70 N": 1, "of a side track": 1, "interpolated by the provider": 1
    }  # fmt: skip
    assert [line for line, _ in best.rejected] == [10]
    assert best.fixes["grade"].to_list() == ["TY", "TY", "TD", "TS"]
    assert best.fixes["longitude"].to_list() == [128.3, 128.7, 129.0, 180.5]
    assert best.fixes["gale_long"][0] == pytest.approx(240 * 1.852)
    assert best.fixes["gale_dir_deg"].to_list() == [90.0, None, None, None]
    assert best.fixes["typhoon_name"].to_list() == ["MAYSAK"] * 3 + [None]


def test_one_source_a_year_and_a_partial_year_goes_to_a_source_that_has_all_of_it():
    merged = besttrack.merge([readers.read(IBTRACS), readers.read(JMA)])
    assert merged.covered == list(range(1977, 2022))
    assert {merged.sources[year] for year in range(2015, 2021)} == {"JMA"}
    assert merged.sources[2014] == merged.sources[2021] == "IBTrACS"  # JMA's 2021 ends in July
    years = merged.fixes.group_by(pl.col("obs_datetime").dt.year()).agg(pl.col("tcid").str.len_chars().n_unique())
    assert set(years["tcid"]) == {1}
    alone = besttrack.merge([readers.read(JMA)])
    assert alone.covered == list(range(2015, 2021))
    assert alone.sources[2021] == "JMA"


def test_best_tracks_pass_the_gate_with_warnings_and_a_wrong_unit_does_not():
    ranges = load_ranges()
    fixes = readers.read(JMA).fixes
    found = besttrack.check(fixes, ranges)
    assert [(finding.severity, finding.count) for finding in found] == [("W", 7), ("W", 13)]  # 1016-1018 hPa, 600 nm
    knots = fixes.with_columns(pl.col("max_wind_speed") / 0.514444)
    assert "E" in [finding.severity for finding in besttrack.check(knots, ranges)]
    swapped = fixes.with_columns(longitude="latitude", latitude="longitude")
    assert [finding.severity for finding in besttrack.check(swapped, ranges)][:2] == ["E", "E"]
    regraded = fixes.with_columns(grade=pl.when(pl.col("grade") == "TY").then(pl.lit("TS")).otherwise("grade"))
    assert besttrack.check(regraded, ranges)[-1].count == 1602 + 1


def test_a_load_records_the_covered_years_and_a_second_one_is_up_to_date(warehouse, tmp_path):
    folder = data(tmp_path, JMA, IBTRACS)
    report = load(warehouse, folder)
    assert (report.status, report.files, report.rejected) == ("published", 2, 0)
    [(stored, storms, first, last)] = rows(
        warehouse, "SELECT count(*), count(DISTINCT tcid), min(year), max(year) FROM api_typhoon_besttrack"
    )
    assert (stored, first, last) == (report.rows, 1977, 2021)
    assert gate_report(warehouse)["covered_years"] == list(range(1977, 2022))
    lingling = rows(
        warehouse,
        "SELECT year, month, day, hour, max_wind_speed, gale_long, gale_dir, gale_dir_deg FROM api_typhoon_besttrack"
        " WHERE tcid = '1913' AND obs_datetime = '2019-09-06 12:00+00'",
    )
    assert lingling == [(2019, 9, 6, 12, pytest.approx(75 * 0.514444), pytest.approx(555.6), "SE", 135.0)]
    assert load(warehouse, folder).status == "up to date"
    with psycopg.connect(warehouse) as connection:
        table = pl.read_database("SELECT * FROM api_typhoon_besttrack", connection)
    track = typhoon_track(table)
    assert len(track.time) == stored
    assert len(set(track.storm.tolist())) == storms
    assert (track.grade == GRADES.index("TY")).sum() == (table["grade"] == "TY").sum()


def test_a_reread_year_is_corrected_and_loses_the_rows_that_vanished(warehouse, tmp_path):
    other_year = [line.replace(" 2022 ", " 2023 ").replace(" 22", " 23") for line in KMA_LINES]
    load(warehouse, data(tmp_path, first=kma(*KMA_LINES), second=kma(*other_year)))
    assert gate_report(warehouse)["covered_years"] == [2022, 2023]
    (tmp_path / "typhoon" / "second.txt").unlink()
    corrected = [line.replace(" 43 ", " 44 ") for line in KMA_LINES[1:]]
    report = load(warehouse, data(tmp_path, first=kma(*corrected)))
    assert report.rows == 4
    by_year = "SELECT year, count(*), max(max_wind_speed) FROM api_typhoon_besttrack GROUP BY year ORDER BY year"
    assert rows(warehouse, by_year) == [(2022, 4, 44.0), (2023, 5, 43.0)]
    assert gate_report(warehouse)["covered_years"] == [2022, 2023]
    assert gate_report(warehouse)["sources"] == {"2022": "KMA", "2023": "KMA"}


def test_a_refused_file_leaves_the_table_as_it_was(warehouse, tmp_path):
    load(warehouse, data(tmp_path, track=kma(*KMA_LINES)))
    before = rows(warehouse, "SELECT * FROM api_typhoon_besttrack ORDER BY obs_datetime")
    far = [line.replace(" 950 ", " 650 ") for line in KMA_LINES]
    with pytest.raises(load_record.GateError, match=r"1 of 5 values of central_pressure is outside 870..1015 hPa"):
        load(warehouse, data(tmp_path, track=kma(*far)))
    with pytest.raises(SchemaError, match=r"1 of 6 records is unreadable, the first in line 9 of track.txt: 3 fields"):
        load(warehouse, data(tmp_path, track=kma(*KMA_LINES, "TD 2213 2022")))
    assert (tmp_path / "rejects" / "api_typhoon_besttrack.csv").read_text().splitlines()[1].startswith("track.txt,9,")
    with pytest.raises(SchemaError, match=r"2 rows of KMA contradict each other, first storm 2211 at 2022-09-05 21"):
        load(warehouse, data(tmp_path, track=kma(*KMA_LINES), again=kma(KMA_LINES[2].replace(" 43 ", " 44 "))))
    with pytest.raises(SchemaError, match="error answer, not a best track: <html>no key"):
        load(warehouse, data(tmp_path, again="<html>no key</html>"))
    assert rows(warehouse, "SELECT * FROM api_typhoon_besttrack ORDER BY obs_datetime") == before


def test_a_table_of_another_kind_is_left_out_aloud_and_none_at_all_is_refused(warehouse, tmp_path):
    with pytest.raises(source_files.MissingInputError, match="besttrack: no file"):
        load(warehouse, data(tmp_path))
    folder = data(tmp_path, other="YYYY,MM,DD,HH,CY,LAT\n2015,1,1,0,23,6.8\n")
    with pytest.raises(SchemaError, match="none of 1 file holds a best track"):
        load(warehouse, folder)
    report = load(warehouse, data(tmp_path, kma=kma(*KMA_LINES)))
    assert [str(finding) for finding in report.findings] == [
        "W api_typhoon_besttrack: other.txt is none of the best tracks known (KMA, JMA, IBTrACS) and was left out"
    ]


def test_a_dry_run_reads_and_checks_but_writes_nothing(warehouse, tmp_path):
    report = load(warehouse, data(tmp_path, track=kma(*KMA_LINES)), dry_run=True)
    assert (report.status, report.rows) == ("checked", 5)
    assert rows(warehouse, "SELECT count(*) FROM api_typhoon_besttrack") == [(0,)]


def test_the_track_of_a_foreign_warehouse_takes_its_directions_from_words():
    fixes = readers.read(JMA).fixes
    foreign = fixes.drop("gale_dir_deg", "storm_dir_deg").with_columns(
        pl.col("obs_datetime").dt.replace_time_zone(None)
    )
    for ours, theirs in zip(typhoon_track(fixes), typhoon_track(foreign), strict=True):
        assert ours.tobytes() == theirs.tobytes()
    with pytest.raises(SchemaError, match="lacks the columns grade"):
        typhoon_track(fixes.drop("grade"))
    with pytest.raises(SchemaError, match="719 of 6154 fixes lack"):
        typhoon_track(fixes.with_columns(pl.col("grade").replace("L", "EX")))


def test_a_bad_line_below_the_limit_is_set_aside(tmp_path):
    best = readers.read(JMA)
    lines = JMA.read_bytes().split(b"\r\n")
    lines[3] = lines[3].replace(b" 002 ", b" 003 ")
    path = tmp_path / "jma.txt"
    path.write_bytes(b"\r\n".join(lines))
    spoilt = readers.read(path)
    assert spoilt.rejected == ((4, "columns 10-12 hold '003', not 002"),)
    assert spoilt.fixes.height == best.fixes.height - 1
    assert spoilt.records == best.records


def test_a_jma_line_cut_short_anywhere_is_a_rejected_line_and_never_another_value(tmp_path):
    lines = JMA.read_bytes().split(b"\r\n")
    assert lines[0].startswith(b"66666 1501  032")
    whole = {at: readers.read(JMA).fixes.row(at - 1) for at in (2, 3)}  # a depression, and a storm with radii
    path = tmp_path / "jma.txt"
    for at, fix in whole.items():
        full = lines[at].rstrip()
        for length in range(1, len(full)):
            path.write_bytes(b"\r\n".join([*lines[:at], full[:length], *lines[at + 1 : 33]]))
            best = readers.read(path)
            if full[:length].rstrip() != full:
                assert [line for line, _ in best.rejected] == [at + 1]
                assert fix not in best.fixes.rows()
                assert (best.records, best.fixes.height) == (32, 31)


def test_a_kma_line_cut_short_anywhere_is_a_rejected_line(tmp_path):
    path = tmp_path / "kma.txt"
    for cut in range(1, KMA_LINES[2].index("HINNAMNOR")):
        for order in (0, 2):  # also as the first line, by which the file is known
            lines = [KMA_LINES[1], KMA_LINES[3]]
            lines.insert(order, KMA_LINES[2][:cut])
            path.write_text(kma(*lines))
            best = readers.read(path)
            assert (len(best.rejected), best.fixes.height) == (1, 2)


@pytest.mark.parametrize(
    ("at", "field"),
    [
        (1, "x" * 14),
        (1, "-"),
        (2, "99999999999999999999"),
        (3, "13"),
        (6, "nan"),
        (7, "inf"),
        (8, "1e999"),
        (16, "x" * 51),
    ],
)
def test_a_kma_field_that_is_no_number_or_too_long_for_the_table_is_a_rejected_line(tmp_path, at, field):
    fields = KMA_LINES[1].split()
    fields[at] = field
    path = tmp_path / "kma.txt"
    path.write_text(kma(" ".join(fields), KMA_LINES[2]))
    best = readers.read(path)
    assert [line for line, _ in best.rejected] == [4]
    assert best.fixes.height == 1
