"""Course of `jobs.calibrate`."""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path

from engine.losses.fit import calibration, shipped
from engine.losses.fit.calibration import Bar, Fitted, Skill
from engine.losses.fit.skill import Draws
from engine.risks import load_edition
from jobs import _calibrated_edition, _calibration_report, _console, _station_tables

log = logging.getLogger("jobs")


def run(args: argparse.Namespace) -> int:
    """Fit, test, write the edition with its draws, and the report."""
    with tempfile.TemporaryDirectory(prefix="climate-risk-") as folder:
        made, bars, drawn, known = _fit(args, _stations(args, Path(folder)))
    name = args.out.stem
    files = _calibrated_edition.texts(name, load_edition(args.base), made, drawn, summary(made, bars))
    _write(args.out, files.edition)
    _write(args.out.with_name(f"{name}.draws.json"), files.draws)
    if args.report is not None:
        _write(args.report, _calibration_report.render(name, made, known, drawn, bars))
    missed = sum(not bar.met for bar in bars)
    log.info("%s: %d bars of the back-test met, %d missed", args.out, len(bars) - missed, missed)
    return _console.COMPLETE


def _stations(args: argparse.Namespace, folder: Path) -> Path:
    """Folder of the rain: the package's, the one that was named, or `folder`, filled from tables of stations."""
    if args.climate == ["stations"]:
        return shipped.sources().stations
    files = [Path(path) for path in args.climate]
    if len(files) == 1 and files[0].is_dir():
        return files[0]
    _station_tables.write_rain(files, args, folder)
    return folder


def _fit(args: argparse.Namespace, stations: Path) -> tuple[Fitted, list[Bar], Draws, Skill]:
    own = shipped.sources()
    sources = own._replace(
        losses=args.losses or own.losses,
        stations=stations,
        places=args.exposure or own.places,
        tracks=args.tracks or own.tracks,
    )
    made = calibration.fitted(sources)
    log.info("fitted to %d years and storms", int(made.used.sum()))
    known = calibration.skill_of(made)
    bars = [*calibration.bars(made, known), *calibration.bars_held_out(calibration.held_out(made))]
    return made, bars, calibration.draws(made), known


def summary(made: Fitted, bars: list[Bar]) -> list[str]:
    """What a reader of the edition should know: data, level, skill."""
    flood, typhoon = made.national
    years, storms = int((~made.data.storm).sum()), int((made.data.storm & made.used).sum())
    return [
        f"Fitted to {years} yearly totals and {storms} typhoons, {made.data.year.min()}-{made.last}.",
        f"National mean AAL at level A: floods {100 * flood:.4f} %, typhoon {100 * typhoon:.4f} %.",
        "Back-test:",
        *(f"  {'met   ' if bar.met else 'MISSED'} {bar.name} {bar.asked}: {bar.figure}" for bar in bars),
    ]


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8", newline="\n")
