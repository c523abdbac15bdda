"""Physical climate risk for every cell of a grid: bin probabilities, average annual loss, hazard scores."""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from engine.core.period import PERIODS, Years
from engine.core.scenario import Scenario

if TYPE_CHECKING:
    from engine import assess, io, kernels, losses
    from engine.assess import assess_sites
    from engine.batch.explain import explain
    from engine.batch.explanation import Explanation
    from engine.io import open_source
    from engine.io.memory.from_xarray import from_xarray
    from engine.public.result import Result
    from engine.public.run import run
    from engine.public.sample import open_sample
    from engine.risks import load_edition

if sys.platform == "win32":  # files are locked and users told apart in ways of POSIX
    raise ImportError("Windows is not supported: install the engine in the Windows Subsystem for Linux (WSL)")

__all__ = [
    "PERIODS",
    "Explanation",
    "Result",
    "Scenario",
    "Years",
    "assess",
    "assess_sites",
    "explain",
    "from_xarray",
    "io",
    "kernels",
    "load_edition",
    "losses",
    "open_sample",
    "open_source",
    "run",
]
#: name -> module that holds it
_LATER = {
    "Explanation": "engine.batch.explanation",
    "Result": "engine.public.result",
    "assess_sites": "engine.assess",
    "explain": "engine.batch.explain",
    "from_xarray": "engine.io.memory.from_xarray",
    "load_edition": "engine.risks",
    "open_sample": "engine.public.sample",
    "open_source": "engine.io",
    "run": "engine.public.run",
}
_ROOMS = ("assess", "io", "kernels", "losses")


def __getattr__(name: str) -> Any:
    # the run imports every room of the package, each of which imports this one first
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"engine.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
