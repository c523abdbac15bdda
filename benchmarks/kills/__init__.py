"""Kill -9 runs at random moments, resume them, and count what is torn, lost or mixed.

A run spools three blocks of 60 cells, loads and switches, by the code of the jobs; the values are made up, and the
first digit of every one says which run it is of. After every kill the published tables must be those of the run before
or of this one, whole; after resuming, equal to the last byte to what other runs of these values publish. A reader reads
all the while.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import harness, scratch
from benchmarks.harness import Options
from benchmarks.kills import life, look
from benchmarks.kills.life import Died, Life
from engine.io.db import migrate

KILLS = 500
#: of one sink before it is the other's turn, so that a run that is stopped early tells something of both
_TURN = 25
#: a run in how many is killed again when it is resumed
_AGAIN = 0.4


@dataclass(slots=True)
class Tally:
    """What came of the kills of one sink.

    stages  : what the killed process was doing; resumed : how many of them had gone on with a killed run
    torn    : the published tables were neither those of the run before nor of this one
    unequal : after the run's end they were not what they should be, to the last byte
    failed  : a run that was not killed, or a lock that stayed
    """

    kills: int = 0
    resumed: int = 0
    stages: Counter[str] = field(default_factory=Counter)
    torn: int = 0
    unequal: int = 0
    failed: list[str] = field(default_factory=list)
    reads: int = 0
    mixtures: int = 0
    reader_errors: list[str] = field(default_factory=list)
    expected: dict[int, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def faults(self) -> int:
        return self.torn + self.unequal + len(self.failed) + self.mixtures + len(self.reader_errors)


def measure(options: Options) -> list[dict[str, Any]]:
    """One row a sink; half of the kills each."""
    wanted = max((options.number or KILLS) // 2, 1)
    options.scratch.mkdir(parents=True, exist_ok=True)
    tallies = {"directory": Tally(), "database": Tally()}
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder, _database(options.scratch) as url:
        targets = {"directory": str(Path(folder) / "out"), "database": url}
        with suppress(KeyboardInterrupt):  # what was tried by then is told
            for upto in [*range(_TURN, wanted, _TURN), wanted]:
                for name, tally in tallies.items():
                    began = time.perf_counter()
                    harass(targets[name], Path(folder) / f"runs_{name}", upto, options.seed + upto, tally)
                    tally.seconds += time.perf_counter() - began
                    print(f"{name}: {tally.kills} kills, {tally.reads} reads, {tally.faults} faults", flush=True)
    return [row(name, tally, options.seed) for name, tally in tallies.items()]


def row(name: str, tally: Tally, seed: int) -> dict[str, Any]:
    for text in (*tally.failed, *tally.reader_errors)[:5]:
        print(f"{name}: {text}", flush=True)
    return {
        "sink": name,
        "kills": tally.kills,
        **{f"in {stage}": tally.stages[stage] for stage in life.STAGES},
        "of a resumed run": tally.resumed,
        "torn": tally.torn,
        "unequal after resuming": tally.unequal,
        "failed": len(tally.failed),
        "reads": tally.reads,
        "mixtures": tally.mixtures,
        "reader errors": len(tally.reader_errors),
        "target": harness.verdict(tally.faults, at_most=0),
        "seed": seed,
        "seconds": tally.seconds,
    }


@contextmanager
def _database(folder: Path) -> Iterator[str]:
    with scratch.server(folder) as server:
        url = server.create("kills")
        with closing(psycopg.connect(url, autocommit=True)) as connection:
            connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            migrate.apply(connection, "results")
        yield url


def harass(target: str, runs: Path, kills: int, seed: int, tally: Tally) -> None:
    """Kill runs into a sink until so many are dead; every one is brought to its end before the next begins.

    target : a database address or a directory, which nobody else writes
    runs   : folder for run directories
    tally  : is added to
    """
    chance = random.Random(seed)
    usual = min(_seconds(Life(target, runs, 0).to_the_end) for _ in range(2))  # the first one starts the fork server
    with look.readers(target) as watching:
        generation = 0
        while tally.kills < kills:
            before, generation = generation, generation % 8 + 1
            _one_run(target, runs, (before, generation), tally, lambda: chance.uniform(0, usual), chance, kills)
            found = look.contents(target)
            if tally.expected.setdefault(generation, found) != found or not look.is_of(found, generation):
                tally.unequal += 1
    reads, mixtures, errors = watching.counts()
    tally.reads, tally.mixtures = tally.reads + reads, tally.mixtures + mixtures
    tally.reader_errors += errors


def _seconds(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _one_run(
    target: str,
    runs: Path,
    states: tuple[int, int],
    tally: Tally,
    moment: Callable[[], float],
    chance: random.Random,
    kills: int,
) -> None:
    """Kill a run, perhaps again while it is resumed, and then let it end; the state is looked at after every kill."""
    this, killed = Life(target, runs, states[1]), False
    while tally.kills < kills and (not killed or chance.random() < _AGAIN):
        try:
            stage = this.killed_after(moment())
        except Died as err:
            tally.failed.append(str(err))
            return
        if stage is None:  # it came to its end before
            return
        tally.kills, killed = tally.kills + 1, True
        tally.stages[stage] += 1
        tally.resumed += this.resumed
        if look.generations(target) not in [{state} for state in states]:
            tally.torn += 1
    try:
        this.to_the_end()
    except Died as err:
        tally.failed.append(str(err))
