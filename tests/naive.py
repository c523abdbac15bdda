"""The same mathematics as the kernels, slow and obvious: one cell, lists, `math` and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

INSUFFICIENT, COUNT, KDE = 0, 1, 2


def normal_cdf(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    deviations = [value - mean for value in values]
    return (math.fsum(d * d for d in deviations) - math.fsum(deviations) ** 2 / len(values)) / (len(values) - 1)


def bin_probabilities(
    row: Sequence[float], edges: Sequence[float], *, rates: Sequence[float], group: int = 1, **support: Any
) -> tuple[list[float], float, float, int, int]:
    """p, AAL, its standard error, valid samples and method of one cell."""
    valid = {column for column, value in enumerate(row) if not math.isnan(value)}
    if len(valid) < 10 or len(row) - len(valid) > 0.2 * len(row):
        return [math.nan] * len(rates), math.nan, math.nan, len(valid), INSUFFICIENT
    p, losses, method = _shares_and_losses(row, edges, rates=rates, **support)
    aal = math.fsum(p_i * rate for p_i, rate in zip(p, rates, strict=True))
    se = math.nan if method == COUNT and max(p) == 1.0 else standard_error(losses, group, len(row))
    return p, aal, se, len(valid), method


def year_losses(
    row: Sequence[float], edges: Sequence[float], *, rates: Sequence[float], group: int = 1, **support: Any
) -> tuple[list[float], list[float]]:
    """Loss and valid share of each year of one cell."""
    starts = range(0, len(row), group)
    share = [sum(not math.isnan(value) for value in row[start : start + group]) / group for start in starts]
    if bin_probabilities(row, edges, rates=rates, **support)[-1] == INSUFFICIENT:
        return [math.nan] * len(starts), share
    losses = _shares_and_losses(row, edges, rates=rates, **support)[1]
    years = [[losses[column] for column in range(start, start + group) if column in losses] for start in starts]
    return [math.fsum(year) / len(year) if year else math.nan for year in years], share


def _shares_and_losses(
    row: Sequence[float],
    edges: Sequence[float],
    *,
    rates: Sequence[float],
    lower: float | None = None,
    atom: bool = False,
    boundary: str = "reflect",
    min_kde_samples: int = 16,
) -> tuple[list[float], dict[int, float], int]:
    bins = len(edges) + 1
    valid = {column: value for column, value in enumerate(row) if not math.isnan(value)}
    smooth = {column: value for column, value in valid.items() if not (atom and value == lower)}
    values = list(smooth.values())
    if len(values) < min_kde_samples or len(set(values)) == 1:
        shares = {column: counted(value, edges, lower) for column, value in valid.items()}
        method = COUNT
    else:
        h = math.sqrt(variance(values)) * len(values) ** -0.2
        density = smoothed(values, h, edges, lower, boundary)
        shares = dict(zip(smooth, density, strict=True))
        shares |= {column: [1.0] + [0.0] * (bins - 1) for column in valid if column not in smooth}
        method = KDE
    p = [math.fsum(share[i] for share in shares.values()) / len(valid) for i in range(bins)]
    losses = {column: math.fsum(s * r for s, r in zip(share, rates, strict=True)) for column, share in shares.items()}
    if method == KDE and lower is not None and boundary == "truncate":
        # a quotient of means: kernels that lose more mass under the bound have less say
        kept = {column: math.fsum(share) for column, share in shares.items() if column in smooth}
        loss = math.fsum(losses[column] for column in smooth) / len(smooth)
        losses |= {column: loss + losses[column] - loss * kept[column] for column in smooth}
    return p, losses, method


def counted(value: float, edges: Sequence[float], lower: float | None) -> list[float]:
    bin_ = 0 if lower is not None and value <= lower else sum(value >= edge for edge in edges)
    return [float(i == bin_) for i in range(len(edges) + 1)]


def smoothed(
    values: Sequence[float], h: float, edges: Sequence[float], lower: float | None, boundary: str
) -> list[list[float]]:
    """Share of every sample's kernel in each bin. Truncated, the shares of all samples together sum to their number."""

    def below(t: float, x: float) -> float:
        if t == math.inf:
            return 1.0
        if lower is None:
            return normal_cdf((t - x) / h)
        if t <= lower:
            return 0.0
        return normal_cdf((t - x) / h) - normal_cdf((2 * lower - t - x) / h)

    def below_truncated(t: float, x: float) -> float:
        assert lower is not None
        return 0.0 if t <= lower else normal_cdf((t - x) / h) - normal_cdf((lower - x) / h)

    limits = [*edges, math.inf]
    if lower is None or boundary == "reflect":
        cumulative = [[below(t, x) for t in limits] for x in values]
        scale = 1.0
    else:
        cumulative = [[below_truncated(t, x) for t in limits] for x in values]
        scale = math.fsum(each[-1] for each in cumulative) / len(values)
    return [
        [(upper - lower_) / scale for lower_, upper in zip([0.0, *each[:-1]], each, strict=True)] for each in cumulative
    ]


def standard_error(losses: dict[int, float], group: int, columns: int) -> float:
    if group == 1:
        return math.sqrt(variance(list(losses.values())) / len(losses))
    means = {}
    for year in range(columns // group):
        months = [losses[c] for c in range(year * group, (year + 1) * group) if c in losses]
        if months:
            means[year] = math.fsum(months) / len(months)
    if len(means) < 2:
        return math.nan
    mean = math.fsum(means.values()) / len(means)
    products = [(means[y] - mean) * (means[y + 1] - mean) for y in means if y + 1 in means]
    covariance = math.fsum(products) / len(products) if products else 0.0
    return math.sqrt((variance(list(means.values())) + 2 * max(covariance, 0.0)) / len(means))


def fire_weather_index(ta: float, rhm: float, ws: float, rn: float, rain_coefficient: float) -> float:
    rhm = min(max(rhm, 0.0), 100.0)
    factors = math.exp(0.05039 * 3.6 * ws), math.exp(0.08 * (ta - 5)), math.exp(-rain_coefficient * rn)
    return 5 * math.sqrt(1 - rhm / 100) * math.prod(factors)


def extraterrestrial(latitude: float, month: int) -> float:
    """FAO-56 equations 21 to 25, MJ/m2/day."""
    turn = 2 * math.pi * int(30.4 * month - 15) / 365
    phi, tilt = math.radians(latitude), 0.409 * math.sin(turn - 1.39)
    sunset = math.acos(min(max(-math.tan(phi) * math.tan(tilt), -1.0), 1.0))
    angle = sunset * math.sin(phi) * math.sin(tilt) + math.cos(phi) * math.cos(tilt) * math.sin(sunset)
    return 24 * 60 / math.pi * 0.0820 * (1 + 0.033 * math.cos(turn)) * angle


def reference_evapotranspiration(
    ta: float,
    rhm: float,
    ws: float,
    si: float,
    latitude: float,
    month: int,
    z: float,
    tmin: float | None = None,
    tmax: float | None = None,
) -> float:
    """FAO-56 equation 6 over a month, mm."""
    extremes = [ta if tmin is None else tmin, ta if tmax is None else tmax]
    es = sum(0.6108 * math.exp(17.27 * t / (t + 237.3)) for t in extremes) / 2
    ea = es * rhm / 100
    delta = 4098 * 0.6108 * math.exp(17.27 * ta / (ta + 237.3)) / (ta + 237.3) ** 2
    u2 = ws * 4.87 / math.log(67.8 * 10 - 5.42)
    rso = (0.75 + 2e-5 * z) * extraterrestrial(latitude, month)
    cloud = 1.35 * min(max(si / rso, 0.33), 1.0) - 0.35
    rn = 0.77 * si - 4.903e-9 * sum((t + 273.16) ** 4 for t in extremes) / 2 * (0.34 - 0.14 * math.sqrt(ea)) * cloud
    gamma = 0.665e-3 * 101.3 * ((293 - 0.0065 * z) / 293) ** 5.26
    et0 = (0.408 * delta * rn + gamma * 900 / (ta + 273) * u2 * (es - ea)) / (delta + gamma * (1 + 0.34 * u2))
    return max(et0, 0.0) * (31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]
