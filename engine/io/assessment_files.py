"""Site tables in, assessment tables out, as files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import SettingsError, SinkError, SourceError
from engine.io import parquet_file

SUFFIXES = (".parquet", ".csv", ".ndjson")


def check_suffix(path: Path) -> str:
    """Kind of a file of sites; SettingsError for another than those of `SUFFIXES`."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise SettingsError(f"{path}: sites are read from {', '.join(SUFFIXES)}")
    return suffix


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of an NDJSON file, one a line.

    raises : SettingsError for a file that does not exist, SourceError for one that cannot be read
    """
    records = []
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise SourceError(f"{path}: line {number} is no JSON object")
                if b"\\u" in line:  # half a surrogate pair is no text: it cannot be encoded
                    json.dumps(record, ensure_ascii=False).encode()
                records.append(record)
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist") from None
    except (ValueError, RecursionError) as err:
        raise SourceError(f"{path}: line {len(records) + 1} is no JSON: {err}") from err
    except OSError as err:
        raise SourceError(f"{path} cannot be read: {err.strerror}") from err
    return records


def read_table(path: Path) -> pl.DataFrame:
    """A table of sites: Parquet with its types, CSV (UTF-8, with a header) with every column as text.

    raises : SettingsError for a file that does not exist, SourceError for one that cannot be read
    """
    try:
        if path.suffix.lower() == ".parquet":
            return _read_parquet(path)
        return pl.read_csv(path, infer_schema=False, glob=False)
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist") from None
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError) as err:
        reason = str(err).splitlines()[0]
        if "invalid utf-8" in reason:  # what a spreadsheet writes by default depends on its language
            reason = "it is not UTF-8; save it as CSV UTF-8, or as Parquet"
        raise SourceError(f"{path} cannot be read: {reason}") from err


#: types of Parquet columns that polars does not know
_FOREIGN = (pa.types.is_decimal256, pa.types.is_interval, pa.types.is_union, pa.types.is_run_end_encoded)


def _read_parquet(path: Path) -> pl.DataFrame:
    """A column of a type that polars does not know is read as text: it may be none that an assessment reads."""
    schema = pq.read_schema(path) if path.is_file() else []  # a folder of files is read as one table
    foreign = [each.name for each in schema if any(is_such(each.type) for is_such in _FOREIGN)]
    if not foreign:
        return parquet_file.read(path) if path.is_file() else pl.read_parquet(path, glob=False)
    names = [each.name for each in schema]
    frame = parquet_file.read(path, [name for name in names if name not in foreign])
    texts = pq.ParquetFile(path).read(columns=foreign)
    columns = {
        name: pl.Series(name, [None if value is None else str(value) for value in texts[name].to_pylist()], pl.String)
        for name in foreign
    }
    return frame.with_columns(columns.values()).select(names)


class FrameFiles:
    """Frames written part by part, one Parquet file each; they get their names when all is written.

    folder : made when absent. Used as a context: an exception leaves the files of an earlier run as they were
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, pq.ParquetWriter] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as err:
            raise SinkError(f"{folder} cannot be made: {err}") from err

    def append(self, name: str, frame: pl.DataFrame) -> None:
        """Add rows to NAME.parquet; enumerations are written as text."""
        table = frame.with_columns(pl.selectors.enum().cast(pl.String)).to_arrow(compat_level=pl.CompatLevel.oldest())
        try:
            if name not in self._writers:
                self._writers[name] = pq.ParquetWriter(self._part(f"{name}.parquet"), table.schema)
            self._writers[name].write_table(table)
        except (OSError, pa.ArrowException) as err:
            raise SinkError(f"{self._folder / name}.parquet cannot be written: {err}") from err

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write portfolio.json and put all files in their places, those of an earlier run with them."""
        try:
            for writer in self._writers.values():
                writer.close()
            text = json.dumps(summary, ensure_ascii=False, indent=1, allow_nan=False)
            self._part("portfolio.json").write_text(text + "\n", "utf-8")
            for name in [*(f"{name}.parquet" for name in self._writers), "portfolio.json"]:
                self._part(name).replace(self._folder / name)
        except OSError as err:
            raise SinkError(f"{self._folder} cannot be written: {err}") from err

    def _part(self, name: str) -> Path:
        return self._folder / f".{name}.part"

    def __enter__(self) -> FrameFiles:
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        for name, writer in self._writers.items():
            writer.close()
            self._part(f"{name}.parquet").unlink(missing_ok=True)
        self._part("portfolio.json").unlink(missing_ok=True)
