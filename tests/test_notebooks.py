"""The notebooks run from top to bottom. In this process: the kernels are compiled already, and warnings are errors."""

import json
from pathlib import Path

import matplotlib as mpl
import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs_and_its_claims_hold(path):
    cells = json.loads(path.read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] for cell in code), "committed with outputs: a diff would show pictures"
    with mpl.rc_context():
        mpl.use("agg", force=True)
        names = {"__name__": path.stem}
        for number, cell in enumerate(code):
            exec(compile("".join(cell["source"]), f"{path.name}, code cell {number + 1}", "exec"), names)
        names["plt"].close("all")
