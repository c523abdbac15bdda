"""Bars on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


@contextmanager
def of_cells(what: str, go_on: Callable[[], None]) -> Iterator[CellBar]:
    """A bar that counts cells, on standard error. go_on: raises where the job was told to stop"""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield CellBar(bar, what, go_on)


@contextmanager
def of_tables() -> Iterator[Callable[..., None]]:
    """A bar that counts what loaders load, on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)

        def show(what: str, done: int = 0, total: int = 0) -> None:
            bar.update(task, description=what or None, completed=done, total=total or None)

        yield show


class CellBar:
    """`_console.CellProgress` as a bar."""

    def __init__(self, bar: Progress, what: str, go_on: Callable[[], None]) -> None:
        self._bar, self._what, self._go_on = bar, what, go_on
        self._task = bar.add_task(what, total=None)

    def __call__(self, done: int, total: int) -> None:
        """So many cells are done."""
        self._go_on()
        self._bar.update(self._task, completed=done, total=total)

    def announce(self, what: str) -> None:
        """Something begins that is worth a word."""
        task = self._bar.tasks[0]
        description = f"{self._what}: {what}"
        self._bar.reset(self._task, total=task.total, completed=int(task.completed), description=description)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} cells/s" if task.speed else "")
