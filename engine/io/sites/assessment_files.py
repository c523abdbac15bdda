"""Site tables in, assessment tables out, as files."""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from engine.core.errors import LimitError, SettingsError, SinkError, SourceError
from engine.io.files import packed, parquet_file, workbook_in

Kind = Literal["parquet", "csv", "ndjson", "workbook"]

#: what a name ends in -> what the file is
_KINDS: dict[str, Kind] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    **dict.fromkeys(workbook_in.SUFFIXES, "workbook"),
}
SUFFIXES = tuple(_KINDS)
_LINE = re.compile(rb"\S[^\n]*")


def check_suffix(path: Path) -> None:
    """Refuse a file whose name says that it is something else; SettingsError."""
    if path.suffix.lower() not in ("", *SUFFIXES, *packed.SUFFIXES):
        raise SettingsError(
            f"{path}: sites are read from .xlsx, .csv, .parquet, .ndjson, .ods, .xls (also packed as .gz, .zst or .zip)"
        )


def kind_of(path: Path) -> Kind:
    """Kind of a file that is not packed: Parquet or a workbook by its first bytes, else by its name, else by its first
    sign."""
    if path.is_dir():
        return "parquet"
    with path.open("rb") as file:
        head = file.read(4096)
    if head[:4] == b"PAR1":
        return "parquet"
    if workbook_in.kind_of(path) is not None:
        return "workbook"
    by_sign: Kind = "ndjson" if head.lstrip()[:1] == b"{" else "csv"
    by_name = _KINDS.get(path.suffix.lower(), by_sign)
    return by_sign if by_name == "workbook" else by_name  # a text that somebody has named .xls


def require_size(path: Path, limits: packed.Limits) -> int:
    """Rows of a Parquet file, by what it says of itself, before it is read.

    raises : LimitError when they are more bytes than the limit; SettingsError for a file that is none
    """
    try:
        about = pq.read_metadata(path)
        size = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
    except (pa.ArrowException, OSError) as err:
        raise SettingsError(f"{path} cannot be read: {str(err).splitlines()[0]}") from err
    if size > limits.bytes:
        raise LimitError(f"{path} unpacks to {size:,} bytes, more than {limits.bytes:,} (PORTFOLIO_MAX_BYTES)")
    return int(about.num_rows)


def count_breaks(path: Path) -> int:
    """Line ends of a text, blank lines included."""
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def count_lines(path: Path, most: int) -> int:
    """Lines that hold anything, counted up to one more than `most`."""
    return sum(1 for _ in islice(_lines(path), most + 1))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(number from 1, line) of lines that hold anything; a file of blank lines costs no Python a line."""
    with path.open("rb") as file:
        if file.seek(0, 2):
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                number, end = 1, 3 if content[:3] == b"\xef\xbb\xbf" else 0
                for found in _LINE.finditer(content, end):
                    number, end = number + content[end : found.start()].count(b"\n"), found.end()
                    yield number, found[0]


def read_lines(path: Path) -> tuple[list[dict[str, Any]], list[int]]:
    """(objects, numbers of their lines from 1) of an NDJSON file, one object a line; blank lines are none.

    raises : SettingsError for a file that does not exist or holds something else
    """
    records: list[dict[str, Any]] = []
    numbers: list[int] = []
    at = 1
    try:
        for number, line in _lines(path):
            at = number
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError("it is no JSON object")
            if b"\\u" in line:  # half a surrogate pair is no text: it cannot be encoded
                json.dumps(record, ensure_ascii=False).encode()
            records.append(record)
            numbers.append(number)
    except (ValueError, RecursionError) as err:
        raise SettingsError(f"{path}: line {at} is no JSON: {err}") from err
    except OSError as err:
        raise SourceError(f"{path} cannot be read: {err.strerror}") from err
    return records, numbers


def read_parquet(path: Path) -> pl.DataFrame:
    """A table of sites with its types.

    raises : SettingsError for a file that cannot be read
    """
    try:
        return _read_parquet(path)
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError) as err:
        raise SettingsError(f"{path} cannot be read: {str(err).splitlines()[0]}") from err


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


#: what a portfolio writes beside its frames; what a run does not write goes away, as it would be of another
EXTRA = (
    *("portfolio.json", "portfolio.xlsx", "sites.csv", "losses.csv"),
    *("year_losses.csv", "curve.csv", "contributions.csv", "storms.csv"),
    *("ord_plt.csv", "ord_palt.csv", "ord_ept.csv", "ord_elt.csv", "ord_summary-info.csv"),
    *("what_if.json", "what_if.xlsx", "what_if.csv"),  # of a measure, for the results that are here
    *("report-en.html", "report-ko.html"),  # of jobs.report: of the results that were there before
)
#: frames that not every run has
_SOME = ("year_losses", "curve", "contributions", "storms", "site_year_losses")


class FrameFiles:
    """Frames written part by part, one Parquet file each, and what is made of them; the files get their names when all
    is written.

    folder : made when absent. Used as a context: an exception leaves the files of an earlier run as they were
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._extra: list[str] = []
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

    def end(self, stated: Mapping[str, Any]) -> None:
        """End the frames that were appended to so far, so that they can be read.

        stated : goes into the metadata of every Parquet file; what is no text as JSON, what is None not at all
        """
        texts = {name: each if isinstance(each, str) else json.dumps(each) for name, each in stated.items() if each}
        try:
            for writer in self._writers.values():
                if writer.is_open:
                    writer.add_key_value_metadata(texts)
                    writer.close()
        except OSError as err:
            raise SinkError(f"{self._folder} cannot be written: {err}") from err

    def close(self, summary: Mapping[str, Any], stated: Mapping[str, Any]) -> None:
        """Write portfolio.json and end the frames. stated: as in `end`"""
        self.end(stated)
        text = json.dumps(summary, ensure_ascii=False, indent=1, allow_nan=False)
        try:
            self.beside("portfolio.json").write_text(text + "\n", "utf-8")
        except OSError as err:
            raise SinkError(f"{self._folder} cannot be written: {err}") from err

    def beside(self, name: str) -> Path:
        """Path of one of `EXTRA`."""
        self._extra.append(name)
        return self._part(name)

    def table(self, name: str, frame: pl.DataFrame) -> None:
        """Write a frame as one of `EXTRA`: CSV for programs, plain numbers and ISO dates."""
        try:
            frame.write_csv(self.beside(name))
        except OSError as err:
            raise SinkError(f"{self._folder / name} cannot be written: {err}") from err

    def scan(self, name: str) -> pl.LazyFrame:
        """Rows of a frame that has ended."""
        return pl.scan_parquet(self._part(f"{name}.parquet"), glob=False)

    def rows(self, name: str, first: int, last: int) -> pl.DataFrame:
        """The rows of a frame that has ended, of the sites `first` to `last`."""
        return self.scan(name).filter(pl.col("row").is_between(first, last)).collect()

    def publish(self) -> None:
        """Put all files in their places, those of an earlier run away."""
        try:
            for name in [*(f"{name}.parquet" for name in self._writers), *self._extra]:
                self._part(name).replace(self._folder / name)
            absent = {f"{name}.parquet" for name in _SOME if name not in self._writers}
            for name in absent | set(EXTRA) - set(self._extra):
                (self._folder / name).unlink(missing_ok=True)
        except OSError as err:
            raise SinkError(f"{self._folder} cannot be written: {err}") from err

    @property
    def written(self) -> list[str]:
        """Names of the files, those for people first."""
        return [
            *(name for name in reversed(EXTRA) if name in self._extra),
            *(f"{name}.parquet" for name in self._writers),
        ]

    def _part(self, name: str) -> Path:
        return self._folder / f".{name}.part"

    def __enter__(self) -> FrameFiles:
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        for name, writer in self._writers.items():
            writer.close()
            self._part(f"{name}.parquet").unlink(missing_ok=True)
        for name in self._extra:
            self._part(name).unlink(missing_ok=True)
