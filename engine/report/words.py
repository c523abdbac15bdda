"""Format figures of the report."""

from __future__ import annotations

from itertools import pairwise

from engine.risks.bins import Bins
from engine.risks.definition import Intensity


def percent(value: float | None, digits: int = 3) -> str:
    """A ratio as per cent, with so many significant digits; small ones are not rounded to nothing."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    scaled = 100 * value
    if digits < 3 and 99 < abs(scaled) < 100:  # nearly all is not all: 99.6
        return f"{scaled:.1f}".removesuffix(".0")
    text = f"{scaled:.{digits}g}"
    return f"{scaled:,.0f}" if abs(float(text)) >= 10**digits else text  # what rounds up to 100 is not "1e+02"


def ratio(value: float | None) -> str:
    """A number between -1 and 1 with two decimals."""
    return "–" if value is None else f"{value:.2f}"


def score(value: float | None) -> str:
    """A hazard score 0..1 on the scale of 100, one decimal."""
    return "–" if value is None else f"{100 * value:.1f}"


def count(value: float | None) -> str:
    """A whole number with separators."""
    return "–" if value is None else f"{value:,.0f}"


def level(value: float | None) -> str:
    """A level of an intensity, three significant digits."""
    if value is None:
        return "–"
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}"
    return text.replace("-", "−")


def bin_ranges(bins: Bins, intensity: Intensity) -> list[str]:
    """The bins in words, mildest first: quantiles of the cell's baseline, or limits in the unit of the intensity."""
    if bins.of_baseline:
        cuts = [f"Q{100 * edge:g}" for edge in bins.edges]
        return [f"below {cuts[0]}", *(f"{low} to {high}" for low, high in pairwise(cuts)), f"{cuts[-1]} and more"]
    unit = "" if intensity.unit == "1" else f" {intensity.unit}"
    if intensity.negated:
        cuts = [f"{-edge:g}".replace("-", "−") for edge in bins.edges]
        return [f"above {cuts[0]}", *(f"{low} to {high}" for low, high in pairwise(cuts)), f"{cuts[-1]} and less"]
    cuts = [f"{edge:g}" for edge in bins.edges]
    first = "no event" if bins.atom and bins.lower == bins.edges[0] else f"below {cuts[0]}{unit}"
    inner = [f"{low} to {high}{unit}" for low, high in pairwise(cuts)]
    if first == "no event":
        inner[0] = f"up to {cuts[1]}{unit}"
    return [first, *inner, f"{cuts[-1]}{unit} and more"]
