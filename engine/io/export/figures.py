"""Figures of a row of results, described once for every format that holds them."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

#: words of `method`, in the order of their codes in arrays
METHODS = ("insufficient_data", "count", "kde", "not_exposed", "not_priced", "fitted")
KEY = ("grid_id", "risk_type", "scenario_id", "time_period")


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureColumn:
    """One figure.

    kind  : type of its column in frames
    unit  : by UDUNITS; 1: a ratio
    title : in a few words
    tells : what it is and when it is missing, in sentences
    of    : the figure that it says how sure it is; None: a figure of its own
    """

    name: str
    kind: pl.DataType
    title: str
    tells: str
    unit: str = "1"
    of: str | None = None


_NO_AAL = "Missing where the cell has too few data or the edition gives the risk no damage rates."
_NO_CHANGE = "Missing in the short term and over the whole axis."
_FIGURES = (
    FigureColumn(
        name="aal", kind=pl.Float32(), title="average annual loss",
        tells=f"Share of the value that is lost in a mean year. {_NO_AAL}",
    ),
    FigureColumn(
        name="aal_low", kind=pl.Float32(), of="aal", title="average annual loss, lower end of the 90 % interval",
        tells="Of the sampling of years; of a calibrated edition with damage rates and their level beside it.",
    ),
    FigureColumn(
        name="aal_high", kind=pl.Float32(), of="aal", title="average annual loss, upper end of the 90 % interval",
        tells="As aal_low.",
    ),
    FigureColumn(
        name="aal_se", kind=pl.Float32(), of="aal", title="average annual loss, standard error of sampling",
        tells=_NO_AAL,
    ),
    FigureColumn(
        name="rates_low", kind=pl.Float32(), of="aal", title="average annual loss, lower end by damage rates alone",
        tells="Missing for an edition that states no draws and no factor.",
    ),
    FigureColumn(
        name="rates_high", kind=pl.Float32(), of="aal", title="average annual loss, upper end by damage rates alone",
        tells="As rates_low.",
    ),
    FigureColumn(
        name="n_samples", kind=pl.Int16(), of="aal", title="number of years or months counted", unit="1",
        tells="Values of the hazard intensity that the probabilities stand on.",
    ),
    FigureColumn(
        name="method", kind=pl.String(), of="aal", title="how the probabilities were estimated", unit="",
        tells=f"One of {', '.join(METHODS)}.",
    ),
    FigureColumn(
        name="change", kind=pl.Float32(), title="change of the average annual loss against the short term",
        tells=f"A difference, in the unit of aal. {_NO_CHANGE}",
    ),
    FigureColumn(
        name="change_se", kind=pl.Float32(), of="change", title="change of the average annual loss, standard error",
        tells=_NO_CHANGE,
    ),
    FigureColumn(
        name="significant", kind=pl.Boolean(), of="change", title="whether the change is more than noise", unit="",
        tells=f"By the false discovery rate over the cells, 0.1. {_NO_CHANGE}",
    ),
    FigureColumn(
        name="hazard_score", kind=pl.Float32(), title="hazard score, 0 to 1",
        tells="A weighted index; neither a probability nor an intensity. Missing in cells without a score.",
    ),
)  # fmt: skip
FIGURES = {each.name: each for each in _FIGURES}
#: columns of a layer: the cell, and its figures
LAYER = pl.Schema({"grid_id": pl.Int32(), **{name: each.kind for name, each in FIGURES.items()}})
#: what else tables hold of a row: name -> meaning
PLACES = {
    "grid_id": "Number of the cell on the lattice of the warehouse.",
    "latitude": "Of the middle of the cell, degrees north, WGS 84.",
    "longitude": "Of the middle of the cell, degrees east, -180 to 180, WGS 84.",
    "risk_type": "Name of the risk.",
    "scenario_id": "Number of the scenario, which `scenario` names: SSP1-2.6, SSP2-4.5, SSP3-7.0, SSP5-8.5 or others.",
    "scenario": "Label of the scenario.",
    "time_period": "Name of the window of years.",
    "first_year": "First year of the window, included.",
    "last_year": "Last year of the window, included.",
}


def described() -> pl.DataFrame:
    """A row a column of the tables: column, unit, title, meaning."""
    rows = [(name, "", "", tells) for name, tells in PLACES.items()]
    rows += [(each.name, each.unit, each.title, each.tells) for each in _FIGURES]
    return pl.DataFrame(rows, schema=["column", "unit", "title", "meaning"], orient="row")
