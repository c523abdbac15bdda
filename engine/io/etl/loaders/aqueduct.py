"""Water stress scores of provinces, today and projected, from the Aqueduct 4.0 country rankings workbook.

Source: Kuzma et al. (2023), Aqueduct 4.0, World Resources Institute, doi:10.46830/writn.23.00061, CC BY 4.0.
"""

from __future__ import annotations

from pathlib import Path

import fastexcel
import polars as pl

from engine.core.counted import agree, counted
from engine.core.errors import SchemaError
from engine.core.keys import KEYS
from engine.core.quality import ERROR, WARNING, Finding, load_ranges
from engine.io.etl import loading
from engine.io.etl.loading import Task
from engine.io.etl.places import copy_frame
from engine.io.files import containers, source_files
from engine.io.files.reading import reading

NAME, TABLE = "aqueduct", "water_stress_rankings"
PATTERN = "Aqueduct40_rankings*.xlsx"
ATTRIBUTION = "WRI Aqueduct 4.0 (Kuzma et al. 2023, doi:10.46830/writn.23.00061), accessed as a workbook, CC BY 4.0"
INDICATOR, BASELINE_YEAR, BASELINE = "bws", 2019, "baseline"
SCENARIOS, YEARS = ("opt", "bau", "pes"), (2030, 2050, 2080)
WEIGHTS = ("Tot", "Dom", "Ind", "Irr", "Liv", "One")
KOREA, KOREAN_PROVINCES = "KOR", 17
_MISSING = -9999.0
#: of scores, ranks and classes; what 16 bits hold
_LARGEST = 32_767
_TEXT = ("gid_0", "gid_1", "name_0", "name_1", "indicator_name", "weight", "label", "un_region", "wb_region")
_NUMBERS = {"score": pl.Float64, "score_ranked": pl.Int32, "cat": pl.Int16}


@loading.loader(NAME, version="1", takes=("gate",))
def load(task: Task) -> None:
    """Replace `water_stress_rankings` by the workbook's rows of baseline water stress, every country.

    raises : MissingInputError without a workbook; SchemaError for a workbook without the sheets, columns or codes
    """
    path = source_files.one_file(task.options.data, NAME, PATTERN)
    with task.table(TABLE, [path]) as record:
        if record.up_to_date:
            return
        task.progress(path.name)
        frame = read(path)
        limits = load_ranges(task.options.gate)["aqueduct_score"]
        outside = frame.filter(~pl.col("score").is_between(limits.low, limits.high)).height
        if outside:
            message = f"{outside} scores outside {limits.low:g}..{limits.high:g}"
            record.findings.append(Finding(ERROR, TABLE, message, outside))
        record.refuse_errors()
        record.findings += _gaps_of_korea(frame)
        with record.transaction():
            task.connection.execute(f"DELETE FROM {TABLE}")
            copy_frame(task.connection, TABLE, frame)
            record.rows, record.fill_value = frame.height, _MISSING
            record.gate_report = {"attribution": ATTRIBUTION, "without_score": frame["score"].null_count()}


def read(path: Path) -> pl.DataFrame:
    """Rows of both province sheets in the table's columns; the baseline as year 2019, scenario `baseline`.

    -9999 becomes null; category -1 (arid and low use) is a class and stays.
    """
    containers.refuse_damaged_zip(path)
    with reading(path):
        workbook = fastexcel.read_excel(path)
    frames = [_sheet(path, workbook, "province_baseline"), _sheet(path, workbook, "province_future")]
    frame = pl.concat(frames)
    if duplicates := frame.height - frame.select(KEYS[TABLE]).n_unique():
        raise SchemaError(
            f"{path.name}: {counted(duplicates, 'duplicate row')} of the same province, year, scenario and weight"
        )
    return frame


def _sheet(path: Path, workbook: fastexcel.ExcelReader, suffix: str) -> pl.DataFrame:
    names = [n for n in workbook.sheet_names if n.strip().lower().replace(" ", "_").endswith(suffix)]
    if len(names) != 1:
        raise SchemaError(
            f"{path.name} has {len(names)} sheets {suffix}; its sheets: {', '.join(workbook.sheet_names)}"
        )
    # every cell as text: a column that begins with hundreds of whole numbers must not decide the type of the rest
    with reading(f"{path.name}, sheet {names[0]}"):
        sheet = workbook.load_sheet(names[0], dtypes="string").to_polars()
        sheet = sheet.rename({column: column.strip().lower() for column in sheet.columns})
    future = suffix.endswith("future")
    needed = (*_TEXT, *_NUMBERS, *(("year", "scenario") if future else ()))
    if absent := [column for column in needed if column not in sheet.columns]:
        raise SchemaError(f"{path.name}, sheet {names[0]}: no column {', '.join(absent)}")
    sheet = sheet.filter(pl.col("indicator_name") == INDICATOR)
    if not future:
        sheet = sheet.with_columns(year=pl.lit(str(BASELINE_YEAR)), scenario=pl.lit(BASELINE))
    frame = sheet.select(*_TEXT, "year", "scenario", *_NUMBERS)
    typed = frame.with_columns(
        pl.col("gid_1").fill_null(""),
        pl.col("year").cast(pl.Float64, strict=False).cast(pl.Int16, strict=False),
        *(pl.col(name).cast(pl.Float64, strict=False) for name in _NUMBERS),
    )
    for column in ("year", *_NUMBERS):
        if bad := int((typed[column].is_null() & frame[column].is_not_null()).sum()):
            raise SchemaError(
                f"{path.name}, sheet {names[0]}: {counted(bad, 'value')} of {column}"
                f" {agree(bad, 'is', 'are')} not numbers"
            )
    for column, known in (
        ("scenario", SCENARIOS if future else (BASELINE,)),
        ("weight", WEIGHTS),
        ("year", YEARS if future else (BASELINE_YEAR,)),
    ):
        if unknown := set(typed[column].unique().to_list()) - set(known):
            raise SchemaError(f"{path.name}, sheet {names[0]}: unknown {column} {sorted(map(str, unknown))}")
    for column in _NUMBERS:
        if bad := typed.filter(~pl.col(column).is_between(-_LARGEST, _LARGEST)).height:
            raise SchemaError(
                f"{path.name}, sheet {names[0]}: {counted(bad, 'value')} of {column}"
                f" {agree(bad, 'is', 'are')} too large to be one"
            )
    present = [pl.when(pl.col(name) != _MISSING).then(pl.col(name)).cast(kind) for name, kind in _NUMBERS.items()]
    return typed.with_columns(present)


def _gaps_of_korea(frame: pl.DataFrame) -> list[Finding]:
    """Korea complete: 17 provinces in every year, scenario and weight. Silent for a workbook without Korea."""
    korea = frame.filter(pl.col("gid_0") == KOREA)
    if korea.is_empty():
        return []
    expected = KOREAN_PROVINCES * len(WEIGHTS) * (len(YEARS) * len(SCENARIOS) + 1)
    findings = []
    if korea.height != expected:
        findings.append(
            Finding(WARNING, TABLE, f"{counted(korea.height, 'row')} of {KOREA}, expected {expected}", korea.height)
        )
    if unscored := korea.filter((pl.col("weight") == "Tot") & pl.col("score").is_null()).height:
        findings.append(
            Finding(WARNING, TABLE, f"{counted(unscored, 'row')} of {KOREA} without a total score", unscored)
        )
    return findings
