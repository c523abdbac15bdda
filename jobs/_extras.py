"""Name the missing extra of the package, from the package's own metadata."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.core.errors import needs
from jobs import _called

PACKAGE = "climate-risk-engine"
_OF_AN_EXTRA = re.compile(r"([A-Za-z0-9._-]+).*;.*extra\s*==\s*['\"]([^'\"]+)['\"]")


def missing(err: ModuleNotFoundError) -> str | None:
    """The extra that brings the module which was not found; None when no extra does: then the fault is ours."""
    return extra_of(err.name) if err.name and "." not in err.name else None


def require(modules: Sequence[str]) -> None:
    """Look for modules without importing them.

    raises : ModuleNotFoundError as their import would
    """
    from importlib.util import find_spec

    for module in modules:
        if find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)


def extra_of(module: str) -> str | None:
    """The extra that brings a module; of several the smallest. Our distributions are named as their modules are."""
    found = [name for name, distributions in extras().items() if _plain(module) in distributions]
    return min(found, key=lambda name: len(extras()[name]), default=None)


def extras() -> dict[str, set[str]]:
    """Extra -> names of its distributions."""
    from importlib.metadata import PackageNotFoundError, requires  # slow, and rarely asked for

    found: dict[str, set[str]] = {}
    try:
        stated = requires(PACKAGE) or []
    except PackageNotFoundError:  # not installed: nothing says what brings what
        return found
    for requirement in stated:
        if of := _OF_AN_EXTRA.match(requirement):
            found.setdefault(of[2], set()).add(_plain(of[1]))
    return found


def sentence(extra: str, job: str) -> str:
    """What to do about it."""
    return f"{_name(job)} {needs(extra)}"


def _name(job: str) -> str:
    if not job:
        return "this"
    return _called.command(job) if _called.by_entry_point() else f"jobs.{job}"


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
