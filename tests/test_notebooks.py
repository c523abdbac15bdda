"""The notebooks run from top to bottom. In this process: the kernels are compiled already, and warnings are errors."""

import importlib.util
import json
from pathlib import Path

import matplotlib as mpl
import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
_spec = importlib.util.spec_from_file_location("notebooks", ROOT / "docs" / "notebooks.py")
notebooks = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(notebooks)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs_and_its_claims_hold(path):
    notebook = json.loads(path.read_text("utf-8"))
    with mpl.rc_context():
        mpl.use("agg", force=True)
        for number, (cell, outputs) in enumerate(notebooks.run(notebook, path.stem), 1):
            if path.stem not in notebooks.WITH_OUTPUTS:
                assert cell["outputs"] == [], "committed with outputs: a diff would show pictures"
                continue
            # pictures differ with fonts and versions of matplotlib: that there is one is all that is asked
            assert notebooks.text_of(outputs) == notebooks.text_of(cell["outputs"]), (
                f"code cell {number} gives something else than is stored: python docs/notebooks.py"
            )
