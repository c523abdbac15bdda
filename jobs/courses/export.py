"""Course of `jobs.export`."""

from __future__ import annotations

import argparse
import logging
import time
from contextlib import ExitStack, closing
from pathlib import Path

from engine.core import settings
from engine.core.counted import counted
from engine.core.errors import EngineError
from engine.core.scenario import Scenario
from engine.io.db import postgres
from engine.io.export.formats import FORMATS, export_to
from engine.io.export.layers import DatabaseLayers, FolderLayers, Layers, RunLayers
from engine.io.export.table import Export, chosen
from jobs import _addresses, _console
from jobs._parser import listed

log = logging.getLogger("jobs")


def run(args: argparse.Namespace) -> int:
    """Read, write."""
    started = time.perf_counter()
    with ExitStack() as stack:
        layers = _layers(args, stack)
        log.info("run %s from %s", layers.run["run_id"], layers.where)
        keys = chosen(
            layers,
            risks=listed(args.risks) if args.risks else None,
            scenarios=[int(Scenario.parse(name)) for name in listed(args.scenarios)] if args.scenarios else None,
            periods=listed(args.period) if args.period else None,
        )
        export = Export(layers, keys, lambda key: log.debug("%s %s %s", *key))
        written = export_to(args.to, export, args.format, geometry=args.geometry, force=args.force)
    out = _console.console()
    if written.size is None:
        out.print(f"{args.to} holds this export already: nothing was changed", markup=False)
    else:
        if note := export.about["scope_note"]:
            log.warning("%s", note)
        out.print(f"{args.to}: {FORMATS[args.format].holds}", markup=False)
    out.print(
        f"job=export format={args.format} run={layers.run['run_id']} risks={len(export.risks)}"
        f" layers={len(keys)} cells={layers.cells.height}"
        f" megabytes={0.0 if written.size is None else written.size / 1e6:.1f}"
        f" seconds={time.perf_counter() - started:.1f}",
        markup=False,
    )
    return _console.COMPLETE


def _layers(args: argparse.Namespace, stack: ExitStack) -> Layers:
    """Results as the options name them."""
    if args.run is not None and not args.run.isdecimal():
        folder = Path(args.run)
        if (folder / "manifest.json").is_file() and folder.name.isdigit():
            return RunLayers(folder.parent, int(folder.name))
        return FolderLayers(folder)
    config = settings.load()
    runs = args.run_dir or str(config.engine_home / "runs")
    number = None if args.run is None else int(args.run)
    if args.sink is None and config.application_url is None and number is not None and args.run_dir:
        return RunLayers(runs, number)
    absent = "no results: give --sink, set APP_*, or run jobs.yearly, which makes an embedded database"
    sink, _ = _addresses.to_look_at(config, args.sink, None, stack, absent, migrated=True)
    published = _published(sink, stack)
    if number is None or set(published.runs) == {number}:
        return published
    try:
        return RunLayers(runs, number, published.runs)
    except EngineError as err:
        raise type(err)(f"{err}; published is {counted(len(published.runs), 'run')}: {_numbers(published)}") from None


def _published(sink: str, stack: ExitStack) -> Layers:
    if folder := _addresses.folder_of(sink):
        return FolderLayers(folder)
    return DatabaseLayers(stack.enter_context(closing(postgres.connect(sink))), sink)


def _numbers(layers: Layers) -> str:
    return ", ".join(map(str, layers.runs))
