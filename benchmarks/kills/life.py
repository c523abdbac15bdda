"""One run in a process of its own, which may be killed and gone on with.

Processes are forked from a server that has everything imported and no thread: starting one takes some milliseconds.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import polars as pl

from engine.core.errors import BusyError, SettingsError
from engine.io import open_sink
from engine.io.results import load, result_folder, sink_directory, sink_postgres, spool
from engine.io.results.result_tables import BinStyle
from engine.io.results.sink import WRITES, RunRecord
from engine.io.results.spool import RunDirectory

STAGES = ("begin", "spool", "load", "switch", "end")
RISKS = ("extreme_heat", "drought")
PARTS = dict.fromkeys(WRITES["yearly"], RISKS)
BLOCKS = [(1, 31), (31, 51), (51, 61)]
RECORD = RunRecord(
    job_type="yearly",
    scope="full",
    edition="2025-11",
    edition_checksum="b" * 64,
    edition_checksums=dict.fromkeys(RISKS, "b" * 64),
    source_fingerprint="a" * 64,
    baseline="1991-2020",
    total_grids=60,
)
_IDENTITY = {"job_type": "yearly", "scope": "full", "edition": "2025-11", "source_fingerprint": "a" * 64}
_PAIRS = [(2, "full")] + [(s, p) for s in (1, 2, 3, 4) for p in ("short_term", "mid_term", "long_term")]
STYLES = {
    risk: BinStyle((0.0, 0.3, 0.9), lower=0.0, years=tuple((*pair, (2021,)) for pair in _PAIRS)) for risk in RISKS
}
#: a killed client's session lasts until its statement ends
_PATIENCE = 20.0
#: imported here, since what the server of forks has not imported every process of it would
_USED = (sink_directory, sink_postgres)
_FORKED = multiprocessing.get_context("forkserver")


class Died(Exception):
    """A run that nobody killed did not come to its end."""


class Life:
    """A run of one generation (0 to 8, the first digit of all its values) into a sink.

    resumed : whether the process last started went on with what an earlier one left
    """

    def __init__(self, target: str, runs: Path, generation: int) -> None:
        self._target, self._runs, self._generation = target, runs, generation
        self._known = spool.run_ids(runs)
        self.resumed = False

    def to_the_end(self) -> None:
        """raises : Died with the reason"""
        if (stage := self._run(None)) is not None:
            raise Died(f"killed in {stage} by somebody else")

    def killed_after(self, seconds: float) -> str | None:
        """SIGKILL that long after the start; returns the stage that it was in, None when it had ended by then."""
        return self._run(seconds)

    def _run(self, seconds: float | None) -> str | None:
        _FORKED.set_forkserver_preload([__name__])
        mine = spool.run_ids(self._runs) - self._known
        self.resumed = bool(mine)
        ours, theirs = _FORKED.Pipe(duplex=False)
        told = (self._target, self._runs, self._generation, max(mine, default=None), theirs)
        process = _FORKED.Process(target=_live, args=told)
        process.start()
        theirs.close()
        process.join(seconds)
        if process.is_alive():
            process.kill()
        process.join()
        heard = _heard(ours)
        if process.exitcode == -signal.SIGKILL:
            return next((word for word in reversed(heard) if word in STAGES), STAGES[0])
        if process.exitcode:
            raise Died(heard[-1] if heard else f"exit code {process.exitcode}")
        return None


def _heard(pipe: Connection) -> list[str]:
    words = []
    with closing(pipe):
        while True:
            try:
                words.append(pipe.recv_bytes().decode())
            except (EOFError, OSError):
                return words


def _live(target: str, runs: Path, generation: int, resume: int | None, pipe: Connection) -> None:
    """The forked process."""

    def say(word: str) -> None:
        pipe.send_bytes(word.encode())

    load.switch = _noted(load.switch, say)
    result_folder.switch = _noted(result_folder.switch, say)
    try:
        live(target, runs, generation, resume, say)
    except Exception as err:  # noqa: BLE001  # whatever it is, the parent counts it
        say(f"{type(err).__name__}: {err}")
        raise SystemExit(1) from None


def _noted(switch: Callable[..., Any], say: Callable[[str], None]) -> Callable[..., Any]:
    def noted(*args: Any, **named: Any) -> Any:
        say("switch")
        return switch(*args, **named)

    return noted


def live(target: str, runs: Path, generation: int, resume: int | None, say: Callable[[str], None]) -> None:
    """Begin or go on, spool, publish, as `engine.batch.execute` does it."""
    say("begin")
    deadline = time.monotonic() + _PATIENCE
    with closing(open_sink(target)) as sink:
        while True:
            try:
                with sink.guard("yearly"):
                    _run_inside(sink, runs, generation, resume, say)
                return
            except BusyError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def _run_inside(sink: Any, runs: Path, generation: int, resume: int | None, say: Callable[[str], None]) -> None:
    try:
        run = _begin(sink, runs, resume)
    except SettingsError as err:
        if "was published" not in str(err):
            raise
        return  # killed after the switch: nothing is left to do
    say("spool")
    for number in run.missing:
        run.commit(run.store_block(number, frames(BLOCKS[number], generation)))
    say("load")
    sink.publish(run, PARTS, STYLES, whole_grid=True, replaces=True, summary={"generation": generation})
    say("end")
    sink.finish("completed", processed=60)


def _begin(sink: Any, runs: Path, resume: int | None) -> RunDirectory:
    if resume is not None and spool.open_folder(runs).size(f"{resume}/manifest.json") is not None:
        sink.reopen(resume, RECORD)
        return RunDirectory.resume(runs, resume, _IDENTITY, BLOCKS)
    return RunDirectory.create(runs, sink.begin(RECORD, runs), _IDENTITY, BLOCKS)


def frames(cells: tuple[int, int], generation: int) -> dict[str, pl.DataFrame]:
    """The frames of a block: every value is generation / 10 + grid_id / 10,000."""
    ids = pl.DataFrame({"grid_id": pl.Series(range(*cells), dtype=pl.Int32)})
    keys = (
        ids.with_columns(latitude=33 + pl.col("grid_id") / 100, longitude=pl.lit(126.5))
        .join(pl.DataFrame({"risk_type": RISKS}), how="cross")
        .join(
            pl.DataFrame(_PAIRS, schema={"scenario_id": pl.Int16, "time_period": pl.String}, orient="row"), how="cross"
        )
        .with_columns(value=(generation / 10 + pl.col("grid_id") / 10_000).cast(pl.Float32))
    )
    value = pl.col("value")
    probability = keys.with_columns(
        aal=value,
        aal_se=value / 100,
        aal_low=value / 2,
        aal_high=value,
        rates_low=pl.lit(None, pl.Float32),
        rates_high=pl.lit(None, pl.Float32),
        change=pl.lit(None, pl.Float32),
        change_se=pl.lit(None, pl.Float32),
        significant=pl.lit(None, pl.Boolean),
        bin_probs=pl.concat_list(1 - value, value, pl.lit(0, pl.Float32)),
        edges=pl.lit([1.0, 2.0]),
        n_samples=pl.lit(80, pl.Int16),
        method=pl.lit("kde"),
    )
    years = keys.group_by("grid_id", "risk_type", maintain_order=True).agg(losses=value)  # a year a pair
    return {
        "probability": probability,
        "year_losses": years.with_columns(valid=pl.lit(None, pl.List(pl.Float32))),
        "hazard": keys.rename({"value": "hazard_score"}),
    }
