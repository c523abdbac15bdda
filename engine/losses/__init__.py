"""Losses of portfolios by year and storm, and what is made of them: curves, tails, contributions, exchange tables.

Pure functions: arrays and frames in, frames out. docs/year-losses.md says what the figures mean.
"""

from engine.losses.curve import RETURN_PERIODS, curve_of, exceedance_curve, loss_steps, rarest
from engine.losses.dependence import dependence
from engine.losses.factors import site_factors, sites_by_risk
from engine.losses.ord import average_loss_table, event_loss_table, exceedance_table, period_loss_table
from engine.losses.sites import levels_of_sites, sets_of_sites, site_levels, site_year_losses
from engine.losses.storms import damage_rate, site_storm_losses, storm_losses, storm_years
from engine.losses.table import CellYears, Sets, cell_years, completed, parts_of, portfolio_years, sets_of, year_losses
from engine.losses.tails import (
    contributions,
    contributions_of,
    diversification,
    largest,
    metrics_of,
    tail_metrics,
    tail_weights,
    tvar,
)
from engine.losses.words import POINT_INTERVAL, headline, once_in

__all__ = [
    "POINT_INTERVAL",
    "RETURN_PERIODS",
    "CellYears",
    "Sets",
    "average_loss_table",
    "cell_years",
    "completed",
    "contributions",
    "contributions_of",
    "curve_of",
    "damage_rate",
    "dependence",
    "diversification",
    "event_loss_table",
    "exceedance_curve",
    "exceedance_table",
    "headline",
    "largest",
    "levels_of_sites",
    "loss_steps",
    "metrics_of",
    "once_in",
    "parts_of",
    "period_loss_table",
    "portfolio_years",
    "rarest",
    "sets_of",
    "sets_of_sites",
    "site_factors",
    "site_levels",
    "site_storm_losses",
    "site_year_losses",
    "sites_by_risk",
    "storm_losses",
    "storm_years",
    "tail_metrics",
    "tail_weights",
    "tvar",
    "year_losses",
]
