"""Runs the notebooks that keep their pictures, and stores what they print and draw.

    python docs/notebooks.py            # notebooks/first-steps.ipynb, notebooks/own-data.ipynb

No notebook server is needed: cells run in this process, as the tests run them. Pictures are PNG of 72 dots an inch.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl

FOLDER = Path(__file__).parents[1] / "notebooks"
#: those that are read in a repository viewer; the others are stored without outputs
WITH_OUTPUTS = ("first-steps", "own-data")
_DOTS = 72


def outputs_of(source: str, names: dict[str, Any], label: str) -> list[dict[str, Any]]:
    """Run one cell: what it printed, the value of its last line and its pictures, as a notebook stores them."""
    import matplotlib.pyplot as plt

    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, label, "exec"), names)  # noqa: S102
        if last is not None:
            value = eval(compile(ast.Expression(last.value), label, "eval"), names)  # noqa: S307
    found: list[dict[str, Any]] = []
    if text := printed.getvalue():
        found.append({"name": "stdout", "output_type": "stream", "text": text.splitlines(keepends=True)})
    if value is not None and not _is_drawn(value) and not source.rstrip().endswith(";"):
        shown = repr(value).splitlines(keepends=True)
        found.append(
            {"data": {"text/plain": shown}, "execution_count": None, "metadata": {}, "output_type": "execute_result"}
        )
    for number in plt.get_fignums():
        picture = io.BytesIO()
        plt.figure(number).savefig(picture, dpi=_DOTS, metadata={"Software": None})
        png = base64.b64encode(picture.getvalue()).decode()
        drawn = {"image/png": png, "text/plain": ["<Figure>"]}
        found.append({"data": drawn, "metadata": {}, "output_type": "display_data"})
    plt.close("all")
    return found


def run(notebook: dict[str, Any], name: str) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each code cell with what it gives now."""
    names: dict[str, Any] = {"__name__": name}
    for number, cell in enumerate(each for each in notebook["cells"] if each["cell_type"] == "code"):
        yield cell, outputs_of("".join(cell["source"]), names, f"{name}.ipynb, code cell {number + 1}")


def text_of(outputs: list[dict[str, Any]]) -> list[list[str]]:
    """What is printed, without pictures."""
    return [
        each["text"] if each["output_type"] == "stream" else each["data"]["text/plain"]
        for each in outputs
    ]  # fmt: skip


def _is_drawn(value: object) -> bool:
    """Axes, or a tuple of them, are seen as pictures."""
    parts = value if isinstance(value, tuple) else (value,)
    return bool(parts) and all(type(each).__module__.startswith("matplotlib") for each in parts)


def main() -> int:
    """Store the outputs; returns 0."""
    mpl.use("agg", force=True)
    for name in WITH_OUTPUTS:
        path = FOLDER / f"{name}.ipynb"
        notebook = json.loads(path.read_text("utf-8"))
        for number, (cell, outputs) in enumerate(run(notebook, name), 1):
            cell["outputs"], cell["execution_count"] = outputs, number
            for each in outputs:
                if each["output_type"] == "execute_result":
                    each["execution_count"] = number
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8")
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
