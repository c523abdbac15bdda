"""Experiments of CMIP and CORDEX: what files say of theirs, and how it is written."""

from __future__ import annotations

import re
from typing import Any

from engine.core.scenario import EXPERIMENTS, LONGEST_NAME
from engine.io.netcdf import cf

HISTORICAL = "historical"
#: global attributes that say of which experiment the values are, as CMIP, CORDEX and this engine write them
_SAID_BY = ("experiment_id", "driving_experiment_id", "driving_experiment_name", "scenario", "experiment")


def stated(attributes: Any) -> str:
    """`historical`, `rcp85`, `ssp245` or as global attributes call it; "" where they say none."""
    return next((spelt(text) for name in _SAID_BY if (text := cf.text(attributes, name))), "")


def spelt(text: str) -> str:
    """In lower case without signs: `rcp85` of RCP8.5, and of a file of historical years that go on with it."""
    plain = re.sub(r"[^a-z0-9]", "", text.lower())
    ahead = plain.removeprefix(HISTORICAL).removeprefix("hist")
    if plain.startswith("hist"):
        return ahead if ahead in EXPERIMENTS else HISTORICAL
    return plain


def shown(experiment: str) -> str:
    """`RCP8.5` of rcp85."""
    if found := re.fullmatch(r"rcp(\d)(\d)", experiment):
        return f"RCP{found[1]}.{found[2]}"
    if found := re.fullmatch(r"ssp(\d)(\d)(\d)", experiment):
        return f"SSP{found[1]}-{found[2]}.{found[3]}"
    return experiment.upper()[:LONGEST_NAME] if experiment != HISTORICAL else "Historical"
