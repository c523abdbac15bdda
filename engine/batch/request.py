"""Options of a batch run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from engine.core.period import PERIODS, Years
from engine.core.rows import BatchType
from engine.core.scenario import Scenario
from engine.risks.edition import Edition

#: active cells a block, a row group of a store: 16 MB for a monthly variable and scenario
BLOCK_CELLS = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Options of a batch run. What is left out is as in jobs.yearly.

    cells             : the first N active cells, or `lo:hi` for lo <= grid_id < hi; None: all
    year_losses       : store the loss of each year of each cell beside its AAL
    not_given         : risks that are no part of the run, or in part -> what they would need, in words
    resume            : number of the run to go on with; None: a new one
    command, batch_id : see `RunRecord`
    """

    edition: Edition
    risks: tuple[str, ...]
    job_type: BatchType = "yearly"
    scenarios: tuple[Scenario, ...] = tuple(Scenario)
    periods: tuple[str, ...] = tuple(PERIODS)
    baseline: Years | None = None
    cells: str | None = None
    year_losses: bool = True
    not_given: Mapping[str, str] = field(default_factory=dict)
    resume: int | None = None
    block_cells: int = BLOCK_CELLS
    command: str | None = None
    batch_id: UUID | None = None

    @property
    def is_whole(self) -> bool:
        """True when each published risk is replaced as a whole."""
        return self.cells is None and set(self.scenarios) == set(Scenario) and set(self.periods) == set(PERIODS)
