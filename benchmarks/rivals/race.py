"""All races, one after the other."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from benchmarks.harness import Options
from benchmarks.rivals import databases, drought, estimator, etccdi, oasis, sites
from benchmarks.rivals.contest import not_raced

RACES: dict[str, Callable[[Options], list[dict[str, Any]]]] = {
    "estimator": estimator.race,
    "etccdi": etccdi.race,
    "spei": drought.race,
    "sites": sites.race,
    "losses": oasis.race,
    "reading": databases.race_reading,
    "loading": databases.race_loading,
}
#: rivals that one may think of, and why no race has them
OTHERS = {
    "jax": "a compiler for the estimator that needs its own port of it",
    "pgpq": "encodes Arrow as binary COPY and leaves the sending to psycopg",
    "SPEI of R": "its figures are in the tests; timing needs R",
    "physrisk": "asks hazard data from a hub over the network",
}


def all_races(options: Options) -> list[dict[str, Any]]:
    """Rows of the races that `options.only` names, or of all and the rivals that no race has.

    raises : ValueError for a name that is no race
    """
    if unknown := sorted(set(options.only) - set(RACES)):
        raise ValueError(f"--only: no race {', '.join(unknown)}; there are {', '.join(RACES)}")
    rows = []
    for name, race in RACES.items():
        if not options.only or name in options.only:
            print(f"race: {name}", file=sys.stderr, flush=True)
            rows += race(options)
    if not options.only:
        rows += [not_raced("none", name, why) for name, why in OTHERS.items()]
    return rows
