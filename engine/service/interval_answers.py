"""Sentences of answers about a cell: an AAL with its interval, and a change against the short term."""

from __future__ import annotations

from collections.abc import Mapping

from engine.core import interval_words as words
from engine.core.interval_words import Change, Interval
from engine.io.results.published_cells import CellLoss, CellWindow
from engine.io.results.published_runs import PublishedRisk
from engine.risks.registry import RISKS

Words = dict[str, str]
_MONTHS = 12


def of_loss(found: CellLoss, told: Mapping[str, PublishedRisk]) -> Words | None:
    """Sentences for the AAL of a cell; None for a cell or a risk without one. told: of the published runs"""
    if found.aal is None:
        return None
    run = told.get(found.risk_type)
    years = None if found.method == "not_exposed" else years_of(found.risk_type, run, found.n_samples)
    interval = Interval(
        found.aal, found.aal_low, found.aal_high, years, found.rates_high is not None, run is not None and run.observed
    )
    calibrated = run is not None and run.calibrated
    return {
        "en": words.share_of_value(interval, calibrated=calibrated),
        "ko": words.share_of_value(interval, "ko", calibrated=calibrated),
    }


def of_change(window: CellWindow) -> Words | None:
    """Sentences for the change of a cell against the short term; None where it is not known."""
    if window.change is None or window.change_se is None or window.significant is None:
        return None
    change = Change(window.change, window.change_se, window.significant)
    return {"en": words.change_of_value(change), "ko": words.change_of_value(change, "ko")}


def years_of(risk: str, run: PublishedRisk | None, samples: int) -> int | None:
    """Years that so many samples are of: a monthly intensity has twelve in each; None where the run does not say what
    the risk was measured by."""
    intensity = RISKS[risk].intensities.get(run.intensity or "") if run else None
    if intensity is None:
        return None
    return round(samples / _MONTHS) if intensity.monthly else samples
