"""Method of a run's figures of a risk, as its record tells it: two runs of one method may be mixed and compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def same_figures(run: Mapping[str, Any], other: Mapping[str, Any], risk: str) -> bool:
    """Whether the editions of two runs hold the same figures of a risk.

    run, other : records with `edition_checksum` and, where the run knows them, `edition_checksums` (risk -> checksum)
    """
    mine, theirs = ((each.get("edition_checksums") or {}).get(risk) for each in (run, other))
    if mine is None or theirs is None:  # of a run that knows its edition as a whole only
        return bool(run["edition_checksum"] == other["edition_checksum"])
    return bool(mine == theirs)
