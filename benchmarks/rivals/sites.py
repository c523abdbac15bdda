"""Assessments of sites against the same rules as a loop over sites: `benchmarks assess`, shorter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks import assess
from benchmarks.harness import Options
from benchmarks.rivals.contest import Raced, Took, row

SITES = 5_000


def race(options: Options) -> list[dict[str, Any]]:
    """One row a rival, of `assess.measure`: rates of wall time.

    raises : AssertionError when the answers differ
    """
    n = options.sites or SITES
    rows = []
    for found in assess.measure(replace(options, sites=n)):
        ours, rival = found["ours, s"], n / found["rival, sites/s"]
        raced = Raced(
            "sites", found["rival"], f"{n:,} sites x {found['risks x scenarios']}",
            f"{found['largest difference']:.1e}",
            "extrapolated from its rate on some sites",
        )  # fmt: skip
        rows.append(row(raced, Took(ours, float("nan")), Took(rival, float("nan")), by="wall"))
    return rows
