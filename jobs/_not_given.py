"""Sources for which a load was given no files, and the risks that need them."""

from __future__ import annotations

from collections.abc import Sequence

from engine.core.variables import VARIABLES
from engine.io import etl
from engine.io.etl.load_record import LoadReport


def lines(reports: Sequence[LoadReport]) -> list[str]:
    """Two lines: what is not given, and the risks of the default edition that are left out for it; none when all is."""
    left = [report for report in reports if report.status == "not given"]
    if not left:
        return []
    names = ", ".join(dict.fromkeys(report.table or report.loader for report in left))
    not_loaded = {table for report in left for table in (report.table, *etl.FILLS.get(report.loader, ()))}
    said = [f"not given: {names} (docs/etl.md names the files)"]
    if risks := _left_out(not_loaded):
        said.append(f"left out, unless the warehouse has this from before: {', '.join(risks)}")
    return said


def nothing_done(reports: Sequence[LoadReport], chosen: Sequence[str]) -> bool:
    """Whether no table stands on a file that was given, or on a loader that was named."""
    done = ("published", "up to date", "checked")
    return not any(r.status in done and (r.files or r.loader in chosen) for r in reports)


def _left_out(not_loaded: set[str]) -> list[str]:
    from engine.risks import load_edition  # compiles nothing, but takes a second to import
    from engine.risks.editions import DEFAULT_EDITION
    from engine.risks.registry import RISKS
    from engine.risks.tables import SMALL_TABLES

    edition = load_edition(DEFAULT_EDITION)
    found = []
    for name in edition.bins:
        risk = RISKS[name]
        intensity = edition.intensity(name)
        needs = {
            *(each for each in intensity.tables if not SMALL_TABLES[each].optional),
            *(VARIABLES[each].table for each in intensity.needed(observed=False)),
        }
        needs |= {table for part in risk.hazard.components for table in part.tables}
        reach = {"dist_coast_m"} & set(risk.hazard.attributes) if intensity.not_exposed else set()
        if not_loaded & (needs | reach):
            found.append(name)
    return found
