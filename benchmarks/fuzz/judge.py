"""One damaged input through `jobs.etl`, as the command runs, and what became of it.

A warehouse holds what the sound files gave. The damaged ones are loaded over it; what is in the tables afterwards is
compared, value by value, and put back when it changed.
"""

from __future__ import annotations

import io
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import h5netcdf
import numpy as np
import psycopg
from psycopg import sql

from benchmarks.fuzz.cases import CASES, DERIVE, Case
from benchmarks.fuzz.mutations import DAMAGES, mutated
from benchmarks.fuzz.samples import YEARS
from engine.io.db import migrate
from engine.io.db.embedded import EmbeddedServer
from jobs import etl

#: what can become of a damaged input
EQUAL, TOLD, PLAUSIBLE, REFUSED = "same data", "other data, told", "other data, plausible", "refused"
#: and what must not
LOST, CHECKSUM, TRACEBACK = "structure lost", "checksum ignored", "traceback"
STOPS, HALF, CRASH = "stops other loaders", "half written", "crash or hang"
FAULTS = (LOST, CHECKSUM, TRACEBACK, STOPS, HALF, CRASH)
OUTCOMES = (EQUAL, TOLD, PLAUSIBLE, REFUSED, *FAULTS)
#: of a refusal: a sentence is not a dump
LONGEST = 700
_DAMAGES = {change.__name__ for change in DAMAGES}
_CHECKED = (b"PK", b"\x1f\x8b")
_PLAIN = (".csv", ".txt", ".asc", ".json", ".geojson", ".toml", ".prj", ".cpg")


@dataclass(frozen=True)
class Verdict:
    """What became of file `number` of a case: the words to run it again, and what was said."""

    case: str
    number: int
    file: str
    change: str
    outcome: str
    said: str


@dataclass(frozen=True)
class State:
    """What tables or files hold: every row as text, and how many numbers, by table."""

    rows: dict[str, list[str]]
    numbers: dict[str, int]

    def fewer_rows(self, than: State) -> bool:
        return any(len(self.rows.get(name, ())) < len(rows) for name, rows in than.rows.items())

    def fewer_numbers(self, than: State) -> bool:
        return any(self.numbers.get(name, 0) < count for name, count in than.numbers.items())


@dataclass
class Said:
    """Exit code of a command, None when it did not end, and all it printed and logged."""

    code: int | None
    text: str

    @property
    def findings(self) -> set[str]:
        lines = {line for line in self.text.splitlines() if line.startswith(("E ", "W ")) or " WARNING " in line}
        rejected = [line.split()[5] for line in self.text.splitlines() if len(line.split()) == 9]
        return lines | {f"rejected {number}" for number in rejected if number.isdecimal() and number != "0"}


@contextmanager
def heard() -> Iterator[io.StringIO]:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers[:], root.level = [handler], logging.INFO
    try:
        with redirect_stdout(out), redirect_stderr(out):
            yield out
    finally:
        root.handlers[:], root.level = before, level


def run(words: list[str]) -> Said:
    with heard() as out:
        try:
            code = etl.main(words)
        except BaseException as err:  # whatever a user would see as a traceback, panics of Rust included
            if isinstance(err, KeyboardInterrupt | SystemExit):
                raise
            return Said(1, f"{out.getvalue()}Traceback: {type(err).__name__}Error: {err}")
    return Said(code, out.getvalue())


@dataclass
class Bench:
    """A case in place: its sound files, its warehouse, what they gave, what was said of them."""

    server: EmbeddedServer
    case: Case
    folder: Path
    sound: State = field(init=False)
    baseline: Said = field(init=False)

    def __post_init__(self) -> None:
        self.data, self.out = self.folder / "data", self.folder / "out"
        self.base, self.work = (f"fuzz_{list(CASES).index(self.case.name)}_{end}" for end in ("base", "work"))
        self.url = ""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.case.name != DERIVE:
            self._fill()
        self.case.write(self.data)
        self.files = sorted(path for path in self.data.rglob("*") if path.is_file())
        self.originals = {path: path.read_bytes() for path in self.files}
        self.baseline = self._load()
        if self.baseline.code:
            raise RuntimeError(f"{self.case.name}: the sound files are refused: {self.baseline.text}")
        self.sound = self.state()
        if self.case.name != DERIVE:
            self.base, before = f"{self.base}_loaded", self.base
            self._copy(self.work, self.base)
            self._drop(before)

    def _fill(self) -> None:
        self._drop(self.base)
        with psycopg.connect(self.server.create(self.base), autocommit=True) as connection:
            migrate.apply(connection, "warehouse")
        for need in self.case.needs:
            before = CASES[need]
            before.write(self.folder / need)
            loaded = run([before.loader, "--warehouse", self.server.url(self.base), "--data", str(self.folder / need)])
            if loaded.code:
                raise RuntimeError(loaded.text)
        self.reset()

    def _copy(self, source: str, target: str) -> None:
        self._drop(target)
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(target), sql.Identifier(source))
            )

    def _drop(self, name: str) -> None:
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def reset(self) -> None:
        """The warehouse as the sound files left it."""
        self._copy(self.base, self.work)
        self.url = self.server.url(self.work)

    def close(self) -> None:
        for name in (self.base, self.work) if self.case.name != DERIVE else ():
            self._drop(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _load(self) -> Said:
        shutil.rmtree(self.data / "rejects", ignore_errors=True)
        if self.case.name == DERIVE:
            shutil.rmtree(self.out, ignore_errors=True)
            return run([DERIVE, "--daily", *map(str, self.files), "--out", str(self.out), "--base", str(YEARS)])
        return run([self.case.loader, *self.case.words, "--warehouse", self.url, "--data", str(self.data)])

    def state(self) -> State:
        return _of_files(self.out) if self.case.name == DERIVE else _of_tables(self.url, self.case.tables)

    def judge(self, seed: int, number: int) -> Verdict:
        """Damage one file, load, look, put everything back."""
        rng = np.random.default_rng([seed, list(CASES).index(self.case.name), number])
        path = self.files[int(rng.integers(len(self.files)))]
        content, change = mutated(self.originals[path], path.name, rng)
        outcome, said = self.outcome_of(path, content, change)
        return Verdict(self.case.name, number, path.name, change, outcome, said)

    def outcome_of(self, path: Path, content: bytes, change: str) -> tuple[str, str]:
        """What becomes of one file with this content in the place of its own, and the last thing said of it."""
        original = self.originals[path]
        try:
            path.write_bytes(content)
            said = self._load()
            outcome = EQUAL if content == original else self._outcome(path, original, content, change, said)
        finally:
            path.write_bytes(original)
        return outcome, _last(said)

    def _outcome(self, path: Path, original: bytes, content: bytes, change: str, said: Said) -> str:
        if "Traceback" in said.text or "failed unexpectedly" in said.text:
            self._put_back()
            return TRACEBACK
        if said.code == 2 and self.case.name != DERIVE:
            return STOPS
        now = self.state() if said.code == 0 or self.case.name != DERIVE else self.sound
        if said.code:
            if now == self.sound or said.code == 3:  # tables that were done before the refused one may be new
                if now != self.sound:
                    self._put_back()
                return REFUSED if len(_last(said)) <= LONGEST else TRACEBACK
            self._put_back()
            return HALF
        self._put_back()
        if now == self.sound:
            return EQUAL
        if said.findings - self.baseline.findings:
            return TOLD
        if change in _DAMAGES and original[:2] in _CHECKED:
            return CHECKSUM
        return LOST if self._is_lost(path, content, change, now) else PLAUSIBLE

    def _is_lost(self, path: Path, content: bytes, change: str, now: State) -> bool:
        """An edit may take something away by right. So may a cut between two lines of text, and any damage to a name of
        an optional property in it: what is left is another sound file."""
        if change not in _DAMAGES:
            return False
        if path.suffix.lower() not in _PLAIN:
            return now.fewer_rows(self.sound) or now.fewer_numbers(self.sound)
        return now.fewer_rows(self.sound) and not (change.startswith(("cut", "lose")) and content.endswith(b"\n"))

    def _put_back(self) -> None:
        if self.case.name != DERIVE:
            self.reset()


def _last(said: Said) -> str:
    lines = [line for line in said.text.splitlines() if "failed: " in line or "refused: " in line or "Error" in line]
    return lines[-1] if lines else ""


def _of_tables(url: str, tables: tuple[str, ...]) -> State:
    rows: dict[str, list[str]] = {}
    numbers: dict[str, int] = {}
    with psycopg.connect(url) as connection:
        for table in tables:
            columns = connection.execute(
                """SELECT column_name, data_type FROM information_schema.columns
                   WHERE table_name = %s AND column_name <> 'admin_id'
                     AND (data_type NOT LIKE 'timestamp%%' OR column_default IS NULL) ORDER BY ordinal_position""",
                (table,),
            ).fetchall()
            chosen = sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)
            query = sql.SQL("SELECT r::text FROM (SELECT {} FROM {}) r ORDER BY 1").format(
                chosen, sql.Identifier(table)
            )
            rows[table] = [text for (text,) in connection.execute(query).fetchall()]
            numbers[table] = 0
            for name in (name for name, kind in columns if kind in ("real", "double precision")):
                count = sql.SQL("SELECT count(*) FROM {} WHERE {} <> 'NaN'")
                found = connection.execute(count.format(sql.Identifier(table), sql.Identifier(name))).fetchone()
                numbers[table] += found[0] if found else 0
    return State(rows, numbers)


def _of_files(folder: Path) -> State:
    rows: dict[str, list[str]] = {}
    numbers: dict[str, int] = {}
    for path in sorted(folder.rglob("*.nc")):
        with h5netcdf.File(path) as file:
            for name, variable in file.variables.items():
                block = variable[...]
                key = f"{path.name}/{name}"
                rows[key] = [block.tobytes().hex()] * int(block.shape[0])
                numbers[key] = int(np.count_nonzero(block > -9000.0))
    return State(rows, numbers)
