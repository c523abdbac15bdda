"""Water balance of the synthetic sample: radiation of the calendar month, evapotranspiration, SPEI-12.

The engine's own kernels are for real runs; these few lines of NumPy keep the generator free of compilation, and let
the sample disagree with the kernels if either is wrong.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from engine.core.period import Years
from engine.core.scenario import Scenario

Floats = NDArray[np.float64]

#: SPEI is standardised against these years of this scenario, for every scenario alike
REFERENCE, CALIBRATION = Scenario.SSP245, Years(2021, 2050)
#: beyond this a thirty-year fit says nothing
LIMIT = 3.5
DAYS = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_MID_MONTH = np.floor(30.4 * np.arange(1, 13) - 15)


def _sunset_angle(latitude: Floats) -> tuple[Floats, Floats, Floats]:
    declination = 0.409 * np.sin(2 * np.pi * _MID_MONTH / 365 - 1.39)
    phi = np.radians(latitude)[:, None]
    return np.arccos(-np.tan(phi) * np.tan(declination)), phi, declination


def extraterrestrial_radiation(latitude: Floats) -> Floats:
    """(C, 12) MJ/m2/day at mid-month for (C,) degrees. Source: FAO-56 (1998), equations 21-25."""
    omega, phi, declination = _sunset_angle(latitude)
    distance = 1 + 0.033 * np.cos(2 * np.pi * _MID_MONTH / 365)
    angles = omega * np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.sin(omega)
    return np.asarray(24 * 60 / np.pi * 0.0820 * distance * angles)


def daylight_hours(latitude: Floats) -> Floats:
    """(C, 12) hours at mid-month. Source: FAO-56 (1998), equation 34."""
    return np.asarray(24 / np.pi * _sunset_angle(latitude)[0])


def evapotranspiration(ta: Floats, extraterrestrial: Floats) -> Floats:
    """Potential evapotranspiration of months, mm, from temperature alone.

    ta, extraterrestrial : (C, M), degC and MJ/m2/day
    source : Oudin et al. (2005), doi:10.1016/j.jhydrol.2004.08.026
    """
    days = np.tile(DAYS, ta.shape[1] // 12)
    return np.asarray(days * extraterrestrial / 2.45 * np.maximum(ta + 5.0, 0.0) / 100.0)


def spei12(balance: Floats, reference: Floats, axis: Years) -> Floats:
    """Twelve-month sums of the water balance on the normal scale of the reference, month by month.

    balance, reference : (C, M) mm on the years of `axis`, the first month a January
    returns : (C, M), NaN in the first 11 months, within +-3.5
    source  : Vicente-Serrano et al. (2010), doi:10.1175/2009JCLI2909.1: log-logistic by L-moments (Hosking 1990)
    """
    sums, of_reference = _sums(balance), _sums(reference)
    out = np.full(sums.shape, np.nan)
    years = axis.columns_of(CALIBRATION)
    for month in range(12):
        base = np.sort(of_reference[:, month::12][:, years], axis=1)
        base = base[:, ~np.isnan(base[0])]
        n = base.shape[1]
        rank = np.arange(n)
        b0, b1 = base.mean(1), (base * rank).mean(1) / (n - 1)
        b2 = (base * rank * (rank - 1)).mean(1) / ((n - 1) * (n - 2))
        l2 = 2 * b1 - b0
        kappa = np.clip(-(6 * b2 - 6 * b1 + b0) / l2, -0.9, 0.9)
        kappa = np.where(np.abs(kappa) < 1e-6, 1e-6, kappa)
        shape = np.pi * kappa / np.sin(np.pi * kappa)
        alpha = l2 / shape
        xi = b0 - alpha * (1 - shape) / kappa
        inner = 1 - (kappa / alpha)[:, None] * (sums[:, month::12] - xi[:, None])
        logit = -np.log(np.maximum(inner, 1e-12)) / kappa[:, None]
        out[:, month::12] = ndtri(1 / (1 + np.exp(-np.clip(logit, -40.0, 30.0))))
    return np.asarray(np.clip(out, -LIMIT, LIMIT))


def _sums(balance: Floats) -> Floats:
    """Sums of twelve months ending here, NaN in the first 11."""
    total = np.cumsum(balance, axis=1)
    out = np.full(balance.shape, np.nan)
    out[:, 11] = total[:, 11]
    out[:, 12:] = total[:, 12:] - total[:, :-12]
    return out
