"""What has to be said beside figures so that they are not read for something else."""

from __future__ import annotations

#: what a loss in money must carry while the damage rates behind it are not calibrated on losses
LOSS_NOTE = "index loss, not calibrated on losses"
#: risks whose damage one storm can do, and what a sum over more than one of them must say
ONE_STORM = ("river_flood", "urban_flood", "typhoon")
OVERLAP_NOTE = "river flood, urban flood and typhoon may count the rain of one storm up to three times"
_HOW = {"extreme_heat": "how hot it is", "extreme_cold": "how cold it is", "drought": "how dry it is"}


def own_past(risk: str) -> str:
    """Of a risk whose bins are cut at quantiles of each cell's own baseline."""
    return f"Measures change against the place's own past, not {_HOW.get(risk, 'how strong it is')}"
