"""IBTrACS tables: CSV and Parquet as published, and what a spreadsheet program makes of the CSV.

Read are also semicolons and tabs, decimal commas, numbers as text, dates rewritten to the style of a country, a lost or
moved row of units, and empty columns and rows at the end. What cannot be told apart is refused by name.

Source: IBTrACS v04r01 column documentation (NOAA NCEI, Knapp et al. 2010, doi:10.1175/2009BAMS2755.1).
"""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl

from engine.core.errors import SchemaError
from engine.io.etl.loaders.besttrack_record import (
    COLUMNS,
    GRADE_WINDS,
    JMA_GRADES,
    JMA_STORM,
    KNOT,
    MOST_ID,
    MOST_NAME,
    NAUTICAL_MILE,
    SCHEMA,
    Basins,
    BestTrack,
    jma_direction,
    leaps,
)
from engine.io.files import parquet_file

#: what the table holds; a whole basin's record goes beyond it, far from any cell, so such rows are no error
_WINDOW = "80..200 E, 0..70 N"
_NUMBERS = ("LAT", "LON", "WMO_WIND", "WMO_PRES")
_NEEDS = ("SID", "ISO_TIME", *_NUMBERS)
_RADII = tuple(f"TOKYO_{area}_{part}" for area in ("R30", "R50") for part in ("LONG", "SHORT"))
_USES = (  # where they are
    *("NAME", "BASIN", "TRACK_TYPE", "NATURE", "DIST2LAND", "USA_WIND", "TOKYO_GRADE"),
    *("TOKYO_R30_DIR", "TOKYO_R50_DIR", *_RADII),
)
#: of IBTrACS; MM is missing
_BASINS = ("", "EP", "MM", "NA", "NI", "SA", "SI", "SP", "WP")
_UNNAMED = ("NOT_NAMED", "UNNAMED", "")
#: a 10-minute wind over the 1-minute wind that US agencies state. Of the fixes at sea that the JTWC has at 17.2 m/s so
#: converted, RSMC Tokyo states a wind for 96 to 99 % in each year 2015-2020
TEN_MINUTES = 0.88
_OF_ONE_MINUTE = pl.col("BASIN").is_in(["NA", "EP"])
_SEPARATORS = ",;\t|"
_DATE = r"^(\d{1,4})[-/.] ?(\d{1,2})[-/.] ?(\d{1,4})\.?"
_PARTS = ["a", "b", "c", "hour", "minute", "second", "half"]
_TIME = r"(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]0+)?)?\s*([AaPp][Mm])?)?\s*(?:Z|UTC|\+00(?::?00)?)?$"


def header(line: str) -> tuple[str, list[str]]:
    """(separator, names in capitals) of the first line of a table in text."""
    separator = max(_SEPARATORS, key=line.count)
    names = next(csv.reader([line.strip("\r\n")], delimiter=separator), [])
    return separator, [name.strip().upper() for name in names]


def read_parquet(path: Path, basins: Basins) -> BestTrack | None:
    """Read a table in Parquet; None when it is another one. raises SchemaError as `read_table`, ArrowException."""
    used = [name for name in parquet_file.names(path) if name.strip().upper() in (*_NEEDS, *_USES)]
    if "SID" not in (name.strip().upper() for name in used):
        return None
    return read_table(path, parquet_file.read(path, used).lazy(), basins)


def read_csv(path: Path, separator: str, skipped: int, basins: Basins) -> BestTrack:
    """Read a table in text below `skipped` lines; raises SchemaError as `read_table`."""
    table = pl.scan_csv(
        path, glob=False, separator=separator, skip_lines=skipped, infer_schema=False, truncate_ragged_lines=True
    )  # every value is text; what lies behind the last named column is empty
    return read_table(path, table, basins, skipped + 2, decimal_comma=separator != ",")


def read_table(
    path: Path, table: pl.LazyFrame, basins: Basins, first_line: int = 2, *, decimal_comma: bool = False
) -> BestTrack:
    """Main tracks of these basins. Rows between the synoptic hours that state no wind are the provider's
    own interpolation: with them a storm would have a wind at every other fix only.

    raises : SchemaError for a missing column, or times that can be read in two ways
    """
    table = table.rename({name: name.strip().upper() for name in table.collect_schema().names()})
    offered = table.collect_schema().names()
    if lacking := [name for name in _NEEDS if name not in offered]:
        raise SchemaError(f"{path.name} lacks the IBTrACS columns {', '.join(lacking)}")
    rows = table.select(column for column in (*_NEEDS, *_USES) if column in offered).collect()
    rows = rows.with_row_index("line", offset=first_line)
    rows = rows.with_columns(pl.lit("").alias(column) for column in _USES if column not in offered)
    rows = rows.with_columns(_text(column, rows.schema[column]) for column in rows.columns if column != "line")
    if decimal_comma:
        numeric = [*_NUMBERS, *_RADII, "USA_WIND", "DIST2LAND"]
        rows = rows.with_columns(pl.col(numeric).str.replace(",", ".", literal=True))
    rows = rows.filter((pl.col("SID") != "") | (pl.col("ISO_TIME") != ""))  # units stand in a row without both
    rows = rows.filter(pl.col("SID").str.to_uppercase() != "SID")  # files joined with their headers
    fixes = _fixes(rows.with_columns(obs_datetime=_times(path, rows["ISO_TIME"])))
    bad = fixes.filter(pl.col("fault").is_not_null())
    good = fixes.filter(pl.col("fault").is_null())
    kept, left_out = _of_record(good, basins)
    return BestTrack(
        "IBTrACS",
        path.name,
        _graded(kept).select(*COLUMNS, "season").cast(SCHEMA),
        rows.height,
        tuple((int(line), reason) for line, reason in bad.select("line", "fault").iter_rows()),
        left_out,
        leaps(_main_tracks(good)),  # also of rows that are left out: a wrong position may be why they are
    )


def _text(column: str, kind: pl.DataType) -> pl.Expr:
    """A column as text without blanks; missing is empty. A spreadsheet writes 35 as text as ="35" or '35."""
    if kind.is_temporal():
        return pl.col(column).cast(pl.Datetime("us")).dt.strftime("%Y-%m-%d %H:%M:%S").fill_null("")
    return pl.col(column).cast(pl.String).str.strip_chars(" \t\r\n\u00a0='\"").fill_null("")


def _times(path: Path, text: pl.Series) -> pl.Series:
    """Times of the provider's form and of the forms of countries, UTC; null where there is none.

    raises : SchemaError when day and month, or the hours, cannot be told
    """
    for half, word in {"AM": "오전", "PM": "오후"}.items():  # Korean puts the half of the day before the hour
        text = text.str.replace(rf"{word} *([\d:]+)", f"${{1}} {half}")
    groups = text.str.extract_groups(_DATE + _TIME).struct.rename_fields(_PARTS)
    parts = groups.struct.unnest().with_columns(text=text)
    if parts["a"].is_not_null().any() and parts["hour"].is_null().all():
        raise SchemaError(f"{path.name}: times such as {text[0]!r} state no hour")
    month, day = ("b", "a") if _day_first(path, parts.filter(_year_last())) else ("a", "b")
    date = (
        pl.when(pl.col("a").str.len_chars() == 4)
        .then(pl.concat_str("a", "b", "c", separator="-"))
        .when(_year_last())
        .then(pl.concat_str("c", month, day, separator="-"))
    )
    hour, afternoon = pl.col("hour").cast(pl.Int32).fill_null(0), pl.col("half").str.to_uppercase() == "PM"
    hour = pl.when(afternoon.is_null()).then(hour).otherwise(hour % 12 + pl.when(afternoon).then(12).otherwise(0))
    clock = pl.concat_str(hour, pl.col("minute").fill_null("0"), pl.col("second").fill_null("0"), separator=":")
    stamps = pl.concat_str(date, clock, separator=" ").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False)
    return parts.select(stamps.dt.replace_time_zone("UTC")).to_series()


def _year_last() -> pl.Expr:
    """8/26/2020, 26.08.2020; a year of two digits could be any of the three numbers, and is no time."""
    return pl.col("c").str.len_chars() == 4


def _day_first(path: Path, dates: pl.DataFrame) -> bool:
    """Check whether dates with the year at their end begin with the day: one beyond the 12th shows it, dots mean it."""
    if dates.is_empty():
        return False
    over = [bool((dates[column].cast(pl.Int32) > 12).any()) for column in ("a", "b")]
    dotted = bool(dates["text"].str.contains(r"^\d+\.").all())
    if over == [True, True] or (over == [False, False] and not dotted):
        raise SchemaError(
            f"{path.name}: times such as {dates['text'][0]!r} do not say which number is the day: write them as"
            " 2020-08-26 12:00:00 (a spreadsheet: format the column ISO_TIME as yyyy-mm-dd hh:mm:ss, then save)"
        )
    return over[0] or (dotted and not over[1])


def _fixes(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the columns of a fix, and in `fault` what is wrong with one."""
    garbled = [
        pl.when((pl.col(column) != "") & _number(column).is_null()).then(
            pl.format("{} holds {}, no number", pl.lit(column), pl.col(column))
        )
        for column in (*_NUMBERS, *_RADII, "USA_WIND")
    ]
    fixes = rows.with_columns(
        tcid=pl.col("SID"),
        season=pl.col("SID").str.slice(0, 4).cast(pl.Int32, strict=False),
        typhoon_name=pl.when(~pl.col("NAME").str.to_uppercase().is_in(_UNNAMED)).then(
            pl.col("NAME").str.slice(0, MOST_NAME)
        ),
        longitude=_number("LON") % 360.0,
        latitude=_number("LAT"),
        # the centres of Miami and Honolulu state winds of one minute, the others of ten, that of New Delhi of three,
        # which at sea are as high as those of ten (Harper et al. 2010, WMO/TD-1555)
        max_wind_speed=_positive("WMO_WIND") * KNOT * pl.when(_OF_ONE_MINUTE).then(TEN_MINUTES).otherwise(1.0),
        central_pressure=_positive("WMO_PRES"),
        **_radii("gale", "TOKYO_R30"),
        **_radii("storm", "TOKYO_R50"),
    )
    numbered = pl.col("season").is_not_null() & (pl.col("tcid").str.len_chars() <= MOST_ID)
    return fixes.with_columns(
        fault=pl.coalesce(
            pl.when(~numbered).then(pl.format("SID holds '{}', no storm number", pl.col("SID"))),
            pl.when(pl.col("obs_datetime").is_null()).then(
                pl.format("ISO_TIME holds '{}', no time", pl.col("ISO_TIME"))
            ),
            pl.when(~pl.col("BASIN").is_in(_BASINS)).then(pl.format("BASIN holds '{}', no basin", pl.col("BASIN"))),
            *garbled,
            pl.when(pl.any_horizontal(pl.col("longitude", "latitude").is_null())).then(pl.lit("no position")),
        )
    )


def _main_tracks(fixes: pl.DataFrame) -> pl.DataFrame:
    return fixes.filter(~_spur())


def _spur() -> pl.Expr:
    return pl.col("TRACK_TYPE").str.to_lowercase().str.contains("spur")


def _of_record(fixes: pl.DataFrame, basins: Basins) -> tuple[pl.DataFrame, dict[str, int]]:
    """Those of the record, and reason -> how many are not."""
    synoptic = (pl.col("obs_datetime").dt.hour() % 6 == 0) & (pl.col("obs_datetime").dt.minute() == 0)
    left_out = {}
    codes = list(basins.codes) or fixes.filter(basins.near())["BASIN"].unique().sort().to_list()
    window = pl.col("longitude").is_between(80, 200) & pl.col("latitude").is_between(0, 70)
    for reason, of_record in {
        f"outside {_WINDOW}": window if basins.are_western_pacific else pl.lit(True),
        "of another basin": pl.col("BASIN").is_in(["", *codes]),
        "of a side track": ~_spur(),
        "interpolated by the provider": synoptic | pl.col("max_wind_speed").is_not_null(),
    }.items():
        before, fixes = fixes.height, fixes.filter(of_record)
        left_out[reason] = before - fixes.height
    return fixes, {reason: count for reason, count in left_out.items() if count}


def _graded(fixes: pl.DataFrame) -> pl.DataFrame:
    """With a grade: by the wind; without one by what else says how strong the storm was, so that a wind is missed.

    Else says: RSMC Tokyo's grade; the US wind at sea; in a provisional track without any wind, that the storm is named.
    """
    wind = pl.col("max_wind_speed")
    us_wind = _positive("USA_WIND") * (TEN_MINUTES * KNOT)
    at_sea = (_number("DIST2LAND").fill_null(1.0) > 0) & ~pl.col("NATURE").str.to_uppercase().is_in(["ET"])
    provisional = pl.col("TRACK_TYPE").str.to_uppercase().str.contains("PROVISIONAL")
    windless = wind.is_null().all().over("tcid") & us_wind.is_null().all().over("tcid")
    grade = (
        pl.when(wind.is_not_null())
        .then(_by_wind(wind))
        .when(pl.col("TOKYO_GRADE").is_in(list(JMA_GRADES)))
        .then(pl.col("TOKYO_GRADE").replace_strict(JMA_GRADES, default=None))
        .when(pl.col("TOKYO_GRADE") == JMA_STORM)
        .then(pl.lit("TS"))
        .when(at_sea & us_wind.is_not_null())
        .then(_by_wind(us_wind))
        .when(at_sea & provisional & windless & pl.col("typhoon_name").is_not_null())
        .then(pl.lit("TS"))
        .otherwise(pl.lit("TD"))
    )
    return fixes.with_columns(grade=grade)


def _number(column: str) -> pl.Expr:
    value = pl.col(column).cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


def _positive(column: str) -> pl.Expr:
    return pl.when(_number(column) > 0).then(_number(column))


def _by_wind(wind: pl.Expr) -> pl.Expr:
    grade = pl.lit("TD")
    for name, lowest in GRADE_WINDS.items():
        grade = pl.when(wind >= lowest).then(pl.lit(name)).otherwise(grade)
    return grade


def _radii(area: str, prefix: str) -> dict[str, pl.Expr]:
    """Radii of Tokyo, which only the full table has: nautical miles, directions in JMA's code."""
    codes = {str(code): jma_direction(str(code)) for code in range(10)}
    stated = _positive(f"{prefix}_LONG").is_not_null()

    def decoded(part: int, kind: type[pl.DataType]) -> pl.Expr:
        meaning = {code: direction[part] for code, direction in codes.items()}
        return pl.when(stated).then(pl.col(f"{prefix}_DIR").replace_strict(meaning, default=None, return_dtype=kind))

    return {
        f"{area}_long": _positive(f"{prefix}_LONG") * NAUTICAL_MILE,
        f"{area}_short": _positive(f"{prefix}_SHORT") * NAUTICAL_MILE,
        f"{area}_dir": decoded(0, pl.String),
        f"{area}_dir_deg": decoded(1, pl.Float64),
    }
