"""Settings that suit this machine and your data: each knob swept by itself over a short sample, the rest as it is.

    python -m benchmarks tune [--store DIR | --warehouse] [--cells N] [--sites N] [--rounds N] [--only SETTING ...]

Blocks, threads and connections are swept over the first N cells of your store, or of the warehouse that DW_* names;
without either, over a sample of the country that is made for it. Nothing is written there: results go to a
database of the scratch folder, loaders and assessments have files and databases of their own in it. Every trial is a
process of its own, and all trials of a knob must give the same results to the byte. A table a knob, and at the end
lines for `.env`: a setting stays as it is unless another is faster by more than the noise.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import assess, portfolio, scratch
from benchmarks import etl as loading
from benchmarks.harness import Options
from engine.batch.pipeline import active_cells
from engine.core import cores, settings
from engine.core.errors import SettingsError
from engine.core.grid import KOREA
from engine.io import etl, open_source
from engine.io.db import migrate, postgres
from engine.io.db.embedded import EmbeddedServer
from engine.io.etl import layout
from engine.io.etl.loading import LoadOptions

#: cells of a run, and of a load; sites of the portfolios, and how many portfolios
CELLS, LOADED, SITES, PORTFOLIOS = 8_000, 2_000, 8_000, 8
#: values that are tried besides today's; of COMPUTE_THREADS 1, 2, 4, ... and all cores
TRIED: dict[str, tuple[int, ...]] = {
    "ETL_WORKERS": (1, 2, 4, 8),
    "PARALLEL_WORKERS": (1, 2, 4, 8),
    "BLOCK_CELLS": (1_024, 2_048, 8_192, 16_384),
    "ASSESS_WORKERS": (1, 2, 8),
    "BATCH_SIZE": (250, 4_000, 16_000),
}
#: share of the fastest that is no better than its neighbours: what two equal runs differ by
NOISE = 0.05

Trial = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """A setting and what of it is tried.

    now    : its value today
    unit   : what a trial does many of
    trials : value -> what `tune_trial` is asked; among them the value of today
    """

    name: str
    unit: str
    now: int
    trials: dict[int, Trial]


class Places:
    """Where trials read and write, each made when a setting that is swept needs it."""

    def __init__(self, options: Options, config: settings.Settings, server: EmbeddedServer) -> None:
        if options.store is not None and options.warehouse:
            raise SettingsError("--store or --warehouse, not both")
        self._options, self._config, self._server = options, config, server
        self.runs = options.scratch / "runs-tune"

    @cached_property
    def source(self) -> str:
        """Address of what runs read: the user's own, else a warehouse of the sample."""
        return _source(self._options, self._config, self._server)

    @cached_property
    def cells(self) -> int:
        """Cells of the source that are run."""
        with closing(open_source(self.source, connections=1)) as opened:
            return active_cells(opened, str(self._options.cells or CELLS)).height

    @cached_property
    def results(self) -> str:
        return scratch.results(self._server, "tune_results")

    @cached_property
    def loaded(self) -> tuple[str, Path]:
        """A warehouse with nothing but a lattice, and files of one variable for it."""
        return _loaded(self._options, self._server)

    @cached_property
    def country(self) -> str:
        return _country(self._server)

    @cached_property
    def assessed(self) -> tuple[str, Path]:
        """A database with what a run has published, and portfolios of sites in its cells."""
        url = scratch.results(self._server, "tune_assessed")
        return url, _portfolios(self._options, self._server)


def measure(options: Options) -> list[dict[str, Any]]:
    """One row a value of a knob; prints the lines for `.env`.

    raises : SettingsError when `only` names another; AssertionError when a knob changes a result
    """
    swept = [*TRIED, "COMPUTE_THREADS"]
    if unknown := sorted(set(options.only) - set(swept)):
        raise SettingsError(f"--only: tune has no setting {', '.join(unknown)}; it has {', '.join(swept)}")
    config = settings.load()
    options.scratch.mkdir(parents=True, exist_ok=True)
    rows = []
    advice = {}
    with scratch.server(options.scratch) as server:
        for knob in knobs(Places(options, config, server), config, options.only or swept):
            print(f"{knob.name}: {', '.join(map(str, knob.trials))}", file=sys.stderr, flush=True)
            found = sweep(knob, options.rounds)
            advice[knob.name] = recommended(found, knob.now)
            rows += [_row(knob, value, trial, advice[knob.name]) for value, trial in found.items()]
    print("\n".join(["# for .env", *(f"{name}={value}" for name, value in advice.items())]) + "\n", flush=True)
    return rows


def knobs(places: Places, config: settings.Settings, wanted: Collection[str]) -> Iterator[Knob]:
    """What is swept of the settings that are wanted, in the order of the way of the data."""
    have = cores.available()
    threads = min(config.compute_threads or have, have)

    def run(**other: Any) -> Trial:
        return {
            "kind": "run",
            "source": places.source,
            "sink": None,
            "runs": str(places.runs),
            "cells": places.cells,
            "block_cells": config.block_cells,
            "threads": threads,
            "connections": config.parallel_workers,
        } | other

    def load(workers: int) -> Trial:
        warehouse, files = places.loaded
        return {"kind": "load", "warehouse": warehouse, "data": str(files), "workers": workers}

    def work(workers: int, batch_size: int) -> Trial:
        application, folder = places.assessed
        addresses = {"warehouse": places.country, "application": application, "folder": str(folder)}
        return {"kind": "portfolios", "workers": workers, "batch_size": batch_size} | addresses

    def blocks() -> list[int]:
        return [n for n in TRIED["BLOCK_CELLS"] if n < 2 * places.cells]

    def knob(name: str, unit: str, now: int, each: Callable[[int], Trial], tried: Iterable[int] | None = None) -> Knob:
        values = sorted({now, *(TRIED[name] if tried is None else tried)})
        return Knob(name=name, unit=unit, now=now, trials={value: each(value) for value in values})

    made: dict[str, Callable[[str], Knob]] = {
        "ETL_WORKERS": lambda name: knob(name, "cells", config.etl_workers, load),
        "PARALLEL_WORKERS": lambda name: knob(
            name, "cells", config.parallel_workers, lambda n: run(connections=n, sink=places.results)
        ),
        "BLOCK_CELLS": lambda name: knob(name, "cells", config.block_cells, lambda n: run(block_cells=n), blocks()),
        "COMPUTE_THREADS": lambda name: knob(name, "cells", threads, lambda n: run(threads=n), _up_to(have)),
        "ASSESS_WORKERS": lambda name: knob(name, "sites", config.assess_workers, lambda n: work(n, config.batch_size)),
        "BATCH_SIZE": lambda name: knob(name, "sites", config.batch_size, lambda n: work(1, n)),
    }
    for name, make in made.items():
        if name in wanted:
            yield make(name)


def sweep(knob: Knob, rounds: int) -> dict[int, dict[str, Any]]:
    """The fastest trial of each value; they take turns, so that a busy minute hits them all."""
    found: dict[int, dict[str, Any]] = {}
    for _ in range(rounds):
        for value, trial in knob.trials.items():
            done = apart(trial)
            if value not in found or done["seconds"] < found[value]["seconds"]:
                found[value] = done
            same = {done["checksum"], *(each["checksum"] for each in found.values())}
            assert len(same) == 1, f"{knob.name}={value} changes the results"
    return found


def recommended(found: dict[int, dict[str, Any]], now: int) -> int:
    """Today's value unless another is faster by more than the noise; of the fastest that with the least memory."""
    best = max(_rate(trial) for trial in found.values())
    good = [value for value, trial in found.items() if _rate(trial) >= (1 - NOISE) * best]
    return now if now in good else min(good, key=lambda value: (found[value]["gib"], value))


def apart(trial: Trial) -> dict[str, Any]:
    """What `tune_trial` prints of it, from a process of its own."""
    command = [sys.executable, "-m", "benchmarks.tune_trial"]
    done = subprocess.run(command, input=json.dumps(trial), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"a trial failed: {done.stderr.strip()[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _rate(trial: dict[str, Any]) -> float:
    return float(trial["done"] / trial["seconds"])


def _row(knob: Knob, value: int, trial: dict[str, Any], advised: int) -> dict[str, Any]:
    return {
        "setting": knob.name,
        "value": f"{value}{' (now)' if value == knob.now else ''}{' <-' if value == advised else ''}",
        "of": f"{trial['done']:,} {knob.unit}",
        "a second": _rate(trial),
        "seconds": trial["seconds"],
        "peak, GiB": trial["gib"],
        "stages, s (reading overlaps)": ", ".join(f"{name} {taken:.1f}" for name, taken in trial["stages"].items()),
        "checksum": trial["checksum"][:8],
    }


def _up_to(most: int) -> list[int]:
    """1, 2, 4, ... and the most."""
    return sorted({1 << n for n in range(most.bit_length())} | {most})


def _source(options: Options, config: settings.Settings, server: EmbeddedServer) -> str:
    if options.store is not None:
        return str(options.store)
    if options.warehouse:
        if config.warehouse_url is None:
            raise SettingsError("--warehouse: no warehouse is configured, set DW_*")
        return config.warehouse_url
    cells = options.cells or CELLS
    with closing(open_source(scratch.store(options.scratch, cells))) as made:
        return scratch.warehouse(server, made, "ours", cells)


def _warehouse(server: EmbeddedServer, name: str) -> str:
    """A database with the tables of a warehouse, empty."""
    url = server.create(name)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        migrate.apply(connection, "warehouse")
    return url


def _country(server: EmbeddedServer) -> str:
    """A warehouse that holds the lattice of the country alone: the sites of the portfolios state everything."""
    url = _warehouse(server, "tune_country")
    with psycopg.connect(url) as connection:
        lattice = (KOREA.lat0, KOREA.lon0, KOREA.n_lat, KOREA.n_lon, KOREA.step, KOREA.first_year, KOREA.last_year)
        connection.execute("INSERT INTO grid_definition VALUES (true, %s, %s, %s, %s, %s, %s, %s)", lattice)
    return url


def _loaded(options: Options, server: EmbeddedServer) -> tuple[str, Path]:
    grid = loading.grid_of(min(options.cells or LOADED, LOADED))
    files = options.scratch / f"netcdf={grid.n_lat}x{grid.n_lon}"
    if not files.is_dir():
        part = files.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        loading.write_files(part, grid)
        part.replace(files)
    url = _warehouse(server, "tune_loaded")
    layout.write_grid(files / "grid.toml", grid)
    etl.run_loaders(url, ["grid"], LoadOptions(data=files), lambda *_: None)
    return url, files / loading.LAYOUTS[0]


def _portfolios(options: Options, server: EmbeddedServer) -> Path:
    """Files of sites all over the country that state everything, and what a run has published of their cells."""
    sites = options.sites or SITES
    folder = options.scratch / f"tune-portfolios={sites}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    table = assess.sites(sites, gaps=0.0)
    for number, part in enumerate(table.iter_slices(-(-sites // PORTFOLIOS))):
        part.write_parquet(folder / f"portfolio-{number}.parquet")
    with closing(postgres.connect(server.url("tune_assessed"))) as connection:
        portfolio.publish(connection, assess.cells_of(table))
    return folder
