"""The engine against what else there is, each rival installed for it and raced in the same run.

    python -m benchmarks rivals [--cells N] [--rounds N] [--only RACE ...]

`environment` installs the rivals, with the engine, from `benchmarks/rivals.lock` into `.venv-rivals`; `race` runs
there, in a process of its own. Rivals and ours take turns; every row has wall time and the processor time of the
process and its children, the largest difference of the answers, and a remark where the two do not do the same. Rows
that lose are kept, and what is not there is a row that says so.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.harness import Options
from benchmarks.rivals import environment


def measure(options: Options) -> list[dict[str, Any]]:
    """Rows of all races, or of those that `only` names.

    raises : OSError when the rivals cannot be installed; RuntimeError when a race breaks
    """
    python = environment.install()
    with tempfile.TemporaryDirectory() as folder:
        asked, found = Path(folder, "asked.json"), Path(folder, "rows.json")
        kept = {"cells": options.cells, "rounds": options.rounds, "scratch": str(options.scratch)}
        asked.write_text(json.dumps(kept | {"only": options.only}))
        done = subprocess.run([python, "-m", "benchmarks.rivals", asked, found], cwd=environment.ROOT)
        if done.returncode:
            raise RuntimeError(f"the races ended with exit code {done.returncode}")
        rows: list[dict[str, Any]] = json.loads(found.read_text())
    return rows
