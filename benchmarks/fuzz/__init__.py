"""Files that went wrong, through every loader and `derive`: none may end in a traceback, or be taken for whole.

    python -m benchmarks fuzz [--files 2000] [--seed 1] [--only CASE ...]
    python -m benchmarks fuzz --only arguments settings editions --files 10000

Every file is damaged as copying damages (bits, cuts, holes, lost, repeated and swapped blocks, noise, error pages) or
edited as people and programs edit (encodings, shortened and repeated lines, emptied columns, odd numbers, odd JSON, a
member of an archive with checksums that hold, a value or attribute of a NetCDF), and given to `jobs.etl` in process,
over an embedded server that holds what the sound files gave. What becomes of it:

refused                 one sentence, the warehouse as it was
same data               the damage was to bytes that mean nothing
other data, told        accepted, with a finding, a rejected line or a warning that the sound files do not give
other data, plausible   accepted without a word, because nothing tells it from another sound file: another digit in a
                        table of text, a bit of an uncompressed number, a name, text cut exactly between two lines

A fault is: a traceback or a crash; exit code 2, which ends the loaders behind; a refusal that changed a table;
other data from a container whose checksum says so (zip, xlsx, gzip); and structure lost without a word: after a damage
(not an edit) fewer rows in any table, or fewer numbers when the file is no plain text; text cut between two lines is
left out.

What people type (`words`) goes through `main()` of every job, without servers: command lines, `.env` files, editions.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import scratch
from benchmarks.fuzz import words
from benchmarks.fuzz.cases import CASES
from benchmarks.fuzz.judge import CRASH, FAULTS, OUTCOMES, Bench, Verdict
from benchmarks.harness import Options
from engine.io.db.embedded import EmbeddedServer

FILES = 2_000
_FAULTS = tuple(dict.fromkeys((*FAULTS, *words.FAULTS)))
_OUTCOMES = tuple(dict.fromkeys((*words.OUTCOMES, *OUTCOMES, *words.FAULTS)))
#: seconds of one file; the first of `derive` compiles
PATIENCE = 90.0


def shares(files: int, names: Sequence[str]) -> dict[str, int]:
    """How many files each case gets; all get one."""
    return {name: max(1, files // len(names) + (number < files % len(names))) for number, name in enumerate(names)}


def measure(options: Options) -> list[dict[str, Any]]:
    """A row a case: how many files, and what became of them. Faults are listed on standard error."""
    known = [*CASES, *words.KINDS]
    if strange := sorted(set(options.only) - set(known)):
        raise SystemExit(f"--only {strange[0]}: the cases are {', '.join(known)}")
    names = [name for name in known if name in options.only or not options.only]
    rows = []
    for name, files in shares(options.files or FILES, names).items():
        counts: Counter[str] = Counter()
        typed = name in words.KINDS
        judge = words.judged(name, options.seed, range(files)) if typed else _loaded(options, name, files)
        for verdict in judge:
            counts[verdict.outcome] += 1
            if verdict.outcome in _FAULTS:
                print(f"{verdict.outcome}: {verdict}", file=sys.stderr, flush=True)
        rows.append({"case": name, "files": files, **{outcome: counts[outcome] for outcome in _OUTCOMES}})
        print(f"{name}: {dict(counts)}", file=sys.stderr, flush=True)
    rows.append({column: "all" if column == "case" else sum(row[column] for row in rows) for column in rows[0]})
    return rows


def _loaded(options: Options, name: str, files: int) -> Iterator[Verdict]:
    return judged(options.scratch, name, options.seed, range(files))


def judged(home: Path, name: str, seed: int, numbers: Sequence[int]) -> Iterator[Verdict]:
    """Verdicts of a case, by a process of its own: a library may take it down with it, and another goes on."""
    context = multiprocessing.get_context("spawn")
    waiting = list(numbers)
    while waiting:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(home, name, seed, waiting, theirs))
        process.start()
        theirs.close()
        try:
            while waiting and ours.poll(PATIENCE):
                verdict = ours.recv()
                waiting.remove(verdict.number)
                yield verdict
        except EOFError:  # it is gone
            process.join(PATIENCE)
        finally:
            process.kill()
            process.join()
        if waiting:
            yield Verdict(name, waiting.pop(0), "", "", CRASH, f"exit code {process.exitcode}")


def _work(home: Path, name: str, seed: int, numbers: Sequence[int], pipe: Connection) -> None:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, scratch.server(home / "fuzz") as server:
        _forgetful(server)
        os.environ["ETL_WORKERS"] = "1"  # the tables are tiny
        bench = Bench(server, CASES[name], Path(folder) / "case")
        for number in numbers:
            pipe.send(bench.judge(seed, number))
        bench.close()
    pipe.close()


def _forgetful(server: EmbeddedServer) -> None:
    """Nothing here needs to survive a power cut, and databases are copied by the thousand."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off".encode())
        connection.execute("SELECT pg_reload_conf()")
