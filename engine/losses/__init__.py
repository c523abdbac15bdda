"""Losses of portfolios by year and storm, and what is made of them: curves, tails, contributions, exchange tables.

Pure functions: arrays and frames in, frames out. docs/year-losses.md says what the figures mean.
"""

from engine.losses.curve import RETURN_PERIODS, curve_of, exceedance_curve, loss_steps, rarest
from engine.losses.factors import site_factors
from engine.losses.ord import event_loss_table, period_loss_table
from engine.losses.sites import site_levels, site_year_losses
from engine.losses.storms import damage_rate, site_storm_losses, storm_losses, storm_years
from engine.losses.table import CellYears, Sets, cell_years, completed, sets_of, year_losses
from engine.losses.tails import contributions, diversification, largest, metrics_of, tail_metrics, tail_weights, tvar

__all__ = [
    "RETURN_PERIODS",
    "CellYears",
    "Sets",
    "cell_years",
    "completed",
    "contributions",
    "curve_of",
    "damage_rate",
    "diversification",
    "event_loss_table",
    "exceedance_curve",
    "largest",
    "loss_steps",
    "metrics_of",
    "period_loss_table",
    "rarest",
    "sets_of",
    "site_factors",
    "site_levels",
    "site_storm_losses",
    "site_year_losses",
    "storm_losses",
    "storm_years",
    "tail_metrics",
    "tail_weights",
    "tvar",
    "year_losses",
]
