"""Lines and tables of a job in the language of its reader; lines of the log in JSON stay English."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from engine.core.translation import translate
from jobs import _options


class SpokenConsole(Console):
    """A console that translates what it prints: whole lines, and titles, headings and cells of tables."""

    def print(self, *objects: Any, **more: Any) -> None:
        """See `rich.console.Console`."""
        super().print(*(_told(each) for each in objects), **more)


def _told(shown: Any) -> Any:
    language = _options.language()
    if isinstance(shown, str):
        return translate(shown, language)
    if isinstance(shown, Table):
        for text in ("title", "caption"):
            if isinstance(known := getattr(shown, text), str):
                setattr(shown, text, translate(known, language))
        for column in shown.columns:
            column.header = _told(column.header)
            column._cells = [_told(cell) for cell in column.cells]
    return shown
