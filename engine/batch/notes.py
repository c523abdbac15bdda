"""Notes of a block: counts, faults and timings, kept beside its rows and added up over the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

#: risk -> name (of a pair, an attribute, a component) -> cells
Counts = dict[str, dict[str, int]]


@dataclass(slots=True)
class BlockNotes:
    """Counts and timings of one block, or of a whole run.

    faults         : variable -> why the risks that read it must not be published
    failed         : risk -> what in its inputs was refused; its rows must not be published
    gaps           : variable -> cells that lack a value in some scenario
    known, scored  : risk -> pair -> cells with bin probabilities, cells with a hazard score
    facts          : risk -> what its figures stand on
    fallback_edges : risk -> cells whose baseline gave no quantiles
    unknown        : risk -> cell attribute -> cells that needed its "unknown" rule
    record_years   : risk -> years of its samples, where these are the same in every period (track record, trend)
    dropped        : risk -> component -> cells in which it was left out for want of an attribute
    checks         : message -> (cells where it is true, cells)
    """

    cells: int
    faults: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    gaps: dict[str, int] = field(default_factory=dict)
    known: Counts = field(default_factory=dict)
    scored: Counts = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    fallback_edges: dict[str, int] = field(default_factory=dict)
    unknown: Counts = field(default_factory=dict)
    record_years: dict[str, list[int]] = field(default_factory=dict)
    dropped: Counts = field(default_factory=dict)
    checks: dict[str, tuple[int, int]] = field(default_factory=dict)
    read_seconds: float = 0.0
    compute_seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """For the manifest of the run directory."""
        return asdict(self)

    @classmethod
    def from_json(cls, notes: Mapping[str, Any]) -> BlockNotes:
        """Back from the manifest."""
        return cls(**notes)


def total(notes: Iterable[BlockNotes]) -> BlockNotes:
    """Notes of a run from those of its blocks: counts and seconds added up; of several texts the first block's."""
    run = BlockNotes(cells=0)
    for note in notes:
        run.cells += note.cells
        run.read_seconds += note.read_seconds
        run.compute_seconds += note.compute_seconds
        for texts, more in ((run.faults, note.faults), (run.failed, note.failed), (run.facts, note.facts)):
            texts.update({name: text for name, text in more.items() if name not in texts})
        run.record_years = note.record_years | run.record_years
        for cells, added in ((run.gaps, note.gaps), (run.fallback_edges, note.fallback_edges)):
            _add(cells, added)
        for counts, of_block in (
            (run.known, note.known),
            (run.scored, note.scored),
            (run.unknown, note.unknown),
            (run.dropped, note.dropped),
        ):
            for risk, found in of_block.items():
                _add(counts.setdefault(risk, {}), found)
        for message, (true, cells_checked) in note.checks.items():
            before = run.checks.get(message, (0, 0))
            run.checks[message] = (before[0] + true, before[1] + cells_checked)
    return run


def _add(counts: dict[str, int], more: Mapping[str, int]) -> None:
    for name, cells in more.items():
        counts[name] = counts.get(name, 0) + cells
