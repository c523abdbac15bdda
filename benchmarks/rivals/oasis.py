"""Yearly losses of portfolios: average and exceedance curve against aalpy and lecpy of oasislmf.

Every portfolio is a summary of Oasis, every year a period with one event. Oasis puts the k-th largest of n years at a
return period of n / k, ours at (n + 1) / k: losses are compared rank by rank, which are the same years.
"""

from __future__ import annotations

import logging
import shutil
import warnings
from importlib import import_module, util
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.harness import Options
from benchmarks.rivals.contest import Raced, in_turn, not_raced, row
from engine import losses

YEARS, PORTFOLIOS = 80, 200
RACE, RIVAL = "losses of years", "oasislmf aalpy and lecpy"
#: what float32, in which Oasis holds losses, and six printed decimals leave of a loss
TOLERANCE = 1e-6
_SUMMARY_STREAM = 3 << 24 | 1
Floats = NDArray[np.float64]


def year_losses(portfolios: int) -> Floats:
    """(P, years) losses that float32 holds exactly, no two of a portfolio alike."""
    rng = np.random.default_rng(7)
    drawn = rng.gamma(0.6, 40_000.0, (portfolios, YEARS)).astype(np.float32) + np.float32(1.0)
    return drawn.astype(np.float64)


def ours(table: Floats) -> tuple[Floats, Floats]:
    """(P,) averages, and (P, years) losses at the rank of each year, largest first."""
    periods = (YEARS + 1.0) / np.arange(1, YEARS // 2 + 1)
    of_rank = np.array([losses.curve_of(model, periods=periods)["loss"].to_numpy()[::-1] for model in table])
    return table.mean(axis=1), of_rank


def write_files(table: Floats, folder: Path) -> None:
    """The streams that aalpy and lecpy read: occurrences, and a summary a portfolio."""
    (folder / "input").mkdir(parents=True)
    (folder / "work/losses").mkdir(parents=True)
    portfolios, years = table.shape
    number = np.arange(1, years + 1, dtype=np.int32)
    occurrences = np.stack([number, number, np.ones_like(number)], axis=1)
    with (folder / "input/occurrence.bin").open("wb") as file:
        file.write(np.array([0, years], np.int32).tobytes() + occurrences.tobytes())
    block = [
        ("event", "i4"),
        ("summary", "i4"),
        ("value", "f4"),
        ("sample", "i4"),
        ("loss", "f4"),
        ("end", "i4"),
        ("zero", "f4"),
    ]
    rows = np.zeros((years, portfolios), np.dtype(block))
    rows["event"], rows["summary"] = number[:, None], np.arange(1, portfolios + 1)
    rows["value"], rows["sample"], rows["loss"] = table.max(), 1, table.T
    with (folder / "work/losses/summary.bin").open("wb") as file:
        file.write(np.array([_SUMMARY_STREAM, 1, 1], np.int32).tobytes() + rows.tobytes())


def theirs(folder: Path, portfolios: int) -> tuple[Floats, Floats]:
    """The same of aalpy and lecpy, their tables read back."""
    for left in (folder / "work/losses").glob("*_files"):
        shutil.rmtree(left)
    aal, curve = folder / "aal.parquet", folder / "ept.parquet"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_module("oasislmf.pytools.aal.manager").run(folder, "losses", str(aal), output_format="parquet")
        import_module("oasislmf.pytools.lec.manager").run(
            folder, "losses", str(curve), agg_full_uncertainty=True, output_format="parquet"
        )
    averages = pl.read_parquet(aal).filter(SampleType=2).sort("SummaryId")
    points = (
        pl.read_parquet(curve).filter(EPCalc=2, EPType=3).sort("SummaryId", "ReturnPeriod", descending=[False, True])
    )
    by_rank = points["Loss"].to_numpy().reshape(portfolios, -1)[:, : YEARS // 2]
    return averages["MeanLoss"].to_numpy().astype(np.float64), by_rank.astype(np.float64)


def race(options: Options) -> list[dict[str, Any]]:
    """One row.

    raises : AssertionError when an average, or a loss at a rank, differs by more than float32 does
    """
    if util.find_spec("oasislmf") is None:
        return [not_raced(RACE, RIVAL, "oasislmf is not installed")]
    logging.getLogger("oasislmf").setLevel(logging.ERROR)
    portfolios = min(options.cells or PORTFOLIOS, PORTFOLIOS)
    table, folder = year_losses(portfolios), options.scratch / "oasis"
    shutil.rmtree(folder, ignore_errors=True)
    write_files(table, folder)
    theirs(folder, portfolios)  # compiled before
    ours(table[:1])
    took, answers = in_turn({"ours": lambda: ours(table), RIVAL: lambda: theirs(folder, portfolios)}, options.rounds)
    shutil.rmtree(folder)
    off = max(float(np.abs(a / b - 1).max()) for a, b in zip(answers[RIVAL], answers["ours"], strict=True))
    assert off <= TOLERANCE, f"oasislmf differs by {off}"
    raced = Raced(
        RACE, RIVAL, f"{portfolios:,} portfolios x {YEARS} years", f"{off:.1e} of a loss",
        "reads and writes files, ours does not; Oasis puts T = n / rank, ours (n + 1) / rank: compared by rank",
    )  # fmt: skip
    return [row(raced, took["ours"], took[RIVAL])]
