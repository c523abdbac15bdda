"""What every benchmark shares: run rivals in turn, describe the machine, write rows down as they were measured."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numba


def in_turn(rivals: Mapping[str, Callable[[], Any]], rounds: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Best seconds and last answer of each rival. They take turns, so a busy minute hits them all."""
    seconds = dict.fromkeys(rivals, float("inf"))
    answers = {}
    for _ in range(rounds):
        for name, rival in rivals.items():
            started = time.perf_counter()
            answers[name] = rival()
            seconds[name] = min(seconds[name], time.perf_counter() - started)
    return seconds, answers


def machine() -> dict[str, str | int]:
    names = [line for line in _cpuinfo() if line.startswith("model name")]
    return {
        "processor": names[0].split(":", 1)[1].strip() if names else platform.processor() or platform.machine(),
        "threads": numba.get_num_threads(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("numpy", "numba", "scipy")},
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def write(rows: list[dict[str, Any]], name: str, folder: Path | None) -> str:
    """A Markdown table of the rows; with a folder, also FOLDER/NAME.md and one JSON line a row in FOLDER/NAME.jsonl."""
    described = machine()
    head = list(rows[0])
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [f"| {' | '.join(_text(row[column]) for column in head)} |" for row in rows]
    lines += ["", ", ".join(f"{key} {value}" for key, value in described.items())]
    table = "\n".join(lines)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.md").write_text(table + "\n")
        with (folder / f"{name}.jsonl").open("a") as file:
            for row in rows:
                file.write(json.dumps(row | {"machine": described, "at": time.strftime("%Y-%m-%d")}) + "\n")
    return table


def _text(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
