"""Lines of an edition's file that set the figures of a risk."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import NamedTuple

from engine.risks import edition_file
from engine.risks.edition_file import EditionText
from engine.risks.editions import EDITIONS


class EditionLines(NamedTuple):
    """The table of a risk in a file. line: of its header, from 1; text: the table as it is written"""

    file: str
    line: int
    text: str


def lines_of(edition: str | Path, risk: str) -> EditionLines | None:
    """The table of a risk in a published edition, or in a file; of a file without one that of its base.

    edition : as `load_edition` takes it
    returns : None where neither has a table of the risk
    raises  : SettingsError, DefinitionError for a file that cannot be read
    """
    name = str(edition)
    if name in EDITIONS:
        label = f"{name}.toml"
        text = (resources.files("engine.risks") / "editions" / label).read_text("utf-8")
    else:
        label, text = Path(name).name, edition_file.read(Path(name))
    file = EditionText(label, text)
    if risk in file.data:
        first = file.line_of(risk)
        return EditionLines(label, first, "\n".join(_table(file.lines, first, risk)))
    base = file.data.get("base")
    return lines_of(str(base), risk) if base in EDITIONS and base != name else None


def _table(lines: list[str], first: int, risk: str) -> list[str]:
    """Lines from `first` (counted from 1) to the next table of something else."""
    found = [lines[first - 1]]
    for line in lines[first:]:
        header = line.split("#")[0].strip()
        if header.startswith("[") and header.strip("[] \"'").split(".")[0].strip(" \"'") != risk:
            break
        found.append(line)
    while found and not found[-1].strip():
        found.pop()
    return found
