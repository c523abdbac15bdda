"""What has to be said beside figures so that they are not read for something else."""

from __future__ import annotations

_HOW = {"extreme_heat": "how hot it is", "extreme_cold": "how cold it is", "drought": "how dry it is"}


def own_past(risk: str) -> str:
    """Of a risk whose bins are cut at quantiles of each cell's own baseline."""
    return f"Measures change against the place's own past, not {_HOW.get(risk, 'how strong it is')}"
