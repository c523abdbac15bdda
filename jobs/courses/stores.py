"""Course of `jobs.etl stores`."""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from engine.core import settings
from engine.core.errors import EngineError, SettingsError
from engine.io import etl, open_source
from engine.io.climate import snapshot
from engine.io.climate.store import MANIFEST, read_manifest
from engine.io.db import migrate, postgres
from engine.io.db.embedded import WAREHOUSE, EmbeddedServer
from engine.io.etl import sources
from engine.io.etl.loading import LoadOptions
from jobs import _console

log = logging.getLogger("jobs")

_GRIDDED = ("monthly_grid", "yearly_grid", "optional_grid")


def run(args: argparse.Namespace) -> int:
    """Load and write one model after the other, report."""
    started = time.perf_counter()
    workers = settings.load().etl_workers
    models = sorted(path for path in args.data.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not models:
        raise SettingsError(f"--data {args.data} holds no folders: each climate model has one of its own")
    _refuse_unlike(models)
    left = [model for model in models if not _is_finished(args.out / model.name)]
    for model in models:
        if model not in left:
            log.info("%s is there and finished: left as it is", args.out / model.name)
    if left:
        args.out.mkdir(parents=True, exist_ok=True)
        # beside the stores, where there is room for them
        with (
            tempfile.TemporaryDirectory(prefix=".warehouse-", dir=args.out) as home,
            EmbeddedServer(Path(home)) as server,
        ):
            url = server.create(WAREHOUSE)
            with closing(postgres.connect(url)) as connection:
                migrate.apply(connection, "warehouse")
            for number, model in enumerate(left):
                _load(url, LoadOptions(data=model, gate=args.gate, workers=workers))
                if number == 0 and args.common is not None:
                    _load(url, LoadOptions(data=args.common, gate=args.gate, workers=workers))
                with closing(open_source(url)) as source:
                    done = snapshot.write(source, args.out / model.name)
                log.info("store=%s megabytes=%.1f", args.out / model.name, done["bytes"] / 1e6)
    log.info(
        "stores=%d written=%d out=%s seconds=%.1f", len(models), len(left), args.out, time.perf_counter() - started
    )
    return _console.COMPLETE


def _refuse_unlike(models: Sequence[Path]) -> None:
    """Refuse models that hold different variables: the table of the model before would stay for the one without.

    raises : SettingsError
    """
    held = {model: {(name, s.code) for name, s in sources.gridded(model)} for model in models}
    for model in models:
        held[model] |= {("sea level", scenario.code) for scenario in sources.sea_level(model)}
    every = set().union(*held.values())
    for model in models:
        if lacking := sorted(every - held[model]):
            name, scenario = lacking[0]
            more = f" and {len(lacking) - 1} more files" if len(lacking) > 1 else ""
            raise SettingsError(f"{model} has no {name} of {scenario}{more}, which another model has")


def _is_finished(store: Path) -> bool:
    """Whether a store is whole. One that was begun is of a warehouse that is gone.

    raises : SettingsError for one that was begun and is not finished
    """
    if not (store / MANIFEST).is_file():
        return False
    if not read_manifest(store)["complete"]:
        raise SettingsError(f"{store} was begun and not finished: remove it, it is written anew")
    return True


def _load(url: str, options: LoadOptions) -> None:
    """Load all that is in a folder.

    raises : EngineError where a table failed, or nothing was loaded
    """
    with _console.load_progress() as progress:
        reports = etl.run_loaders(url, [etl.ALL], options, progress)
    if failed := [report for report in reports if report.status == "failed"]:
        raise EngineError(f"{options.data}: {failed[0].table or failed[0].loader}: {failed[0].message}")
    if any(report.status == "up to date" for report in reports if report.loader in _GRIDDED):
        raise EngineError(f"{options.data}: its files are those of the model before; each model has data of its own")
    if not any(report.status == "published" for report in reports):
        raise EngineError(f"{options.data}: nothing was loaded, no file there is one that a loader knows (docs/etl.md)")
