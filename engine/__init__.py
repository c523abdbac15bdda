"""Physical climate risk for every cell of a grid: bin probabilities, average annual loss, hazard scores."""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from engine.core.period import PERIODS
from engine.core.scenario import Scenario

if TYPE_CHECKING:
    from engine import losses
    from engine.batch.explain import explain
    from engine.batch.explanation import Explanation
    from engine.batch.pipeline import Result, run

if sys.platform == "win32":  # files are locked and users told apart in ways of POSIX
    raise ImportError("Windows is not supported: install the engine in the Windows Subsystem for Linux (WSL)")

__all__ = ["PERIODS", "Explanation", "Result", "Scenario", "explain", "losses", "run"]
#: name -> module that holds it
_LATER = {
    "Explanation": "engine.batch.explanation",
    "Result": "engine.batch.pipeline",
    "explain": "engine.batch.explain",
    "run": "engine.batch.pipeline",
}


def __getattr__(name: str) -> Any:
    # the pipeline imports every room of the package, each of which imports this one first
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    if name == "losses":
        return importlib.import_module("engine.losses")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
