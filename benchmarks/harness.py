"""Run rivals in turn, describe the machine, write rows down as they were measured: the parts that benchmarks share."""

from __future__ import annotations

import json
import os
import platform
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numba

README = Path(__file__).with_name("README.md")
PACKAGES = ("numpy", "numba", "scipy", "polars", "pyarrow", "psycopg", "adbc-driver-postgresql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says; `cells`, `sites` None: the benchmark's own size.

    scratch : folder that keeps stores and databases between runs
    rounds  : turns each rival takes; the best counts
    files, seed, only : of `fuzz`: how many files go wrong, in which way, and of which cases alone; files and seed of
                        `hostile`, too, whose files are requests
    number, seed      : of `kills`: how many, and at which moments
    only also names races of `rivals` and settings of `tune`
    store, warehouse  : of `tune`: the user's own, instead of a sample
    """

    cells: int | None
    sites: int | None = None
    years: int
    rounds: int
    scratch: Path
    files: int | None = None
    number: int | None = None
    seed: int = 1
    only: tuple[str, ...] = ()
    store: Path | None = None
    warehouse: bool = False


def in_turn(
    rivals: Mapping[str, Callable[[], Any]],
    rounds: int,
    *,
    clock: Mapping[str, Callable[[Any], float]] | None = None,
) -> tuple[dict[str, float], dict[str, Any]]:
    """Best seconds and last answer of each rival. They take turns, so a busy minute hits them all.

    clock : rival -> its seconds from its answer, for one that times itself in a process of its own
    """
    seconds = dict.fromkeys(rivals, float("inf"))
    answers = {}
    for _ in range(rounds):
        for name, rival in rivals.items():
            started = time.perf_counter()
            answers[name] = rival()
            took = clock[name](answers[name]) if clock and name in clock else time.perf_counter() - started
            seconds[name] = min(seconds[name], took)
    return seconds, answers


def verdict(value: float, *, at_least: float | None = None, at_most: float | None = None) -> str:
    """A target and whether the value meets it, for a table."""
    met = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
    target = f">= {at_least:g}" if at_least is not None else f"<= {at_most:g}"
    return f"{target}: {'met' if met else 'MISSED'}"


def machine() -> dict[str, str | int | float]:
    names = [line for line in _cpuinfo() if line.startswith("model name")]
    return {
        "processor": names[0].split(":", 1)[1].strip() if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count() or 0,
        "threads": numba.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def write(
    rows: list[dict[str, Any]], name: str, folder: Path | None, *, before: Mapping[str, str | int | float] | None = None
) -> str:
    """A Markdown table of the rows; with a folder, also FOLDER/NAME.md and one JSON line a row in FOLDER/NAME.jsonl.

    before : the machine as it was when the benchmark began: its load is the neighbours', not ours
    """
    described = before or machine()
    head = list(rows[0])
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [f"| {' | '.join(_text(row[column]) for column in head)} |" for row in rows]
    lines += ["", f"{time.strftime('%Y-%m-%d')}, " + ", ".join(f"{key} {value}" for key, value in described.items())]
    table = "\n".join(lines)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.md").write_text(table + "\n")
        with (folder / f"{name}.jsonl").open("a") as file:
            for row in rows:
                file.write(json.dumps(row | {"machine": described, "at": time.strftime("%Y-%m-%d")}) + "\n")
    return table


def into_readme(table: str, name: str, readme: Path = README) -> None:
    """Put a table between the two marks of its benchmark.

    raises : ValueError when the page has no such marks
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    text = readme.read_text("utf-8")
    marked = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not marked.search(text):
        raise ValueError(f"{readme} has no marks for {name}")
    readme.write_text(marked.sub(lambda _: f"{begin}\n{table}\n{end}", text), "utf-8")


def _text(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
