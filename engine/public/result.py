"""Result of a run in memory: frames, and what is made of them for a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import polars as pl

from engine.batch.summary import Summary
from engine.core import cells
from engine.core.counted import counted
from engine.core.errors import SettingsError
from engine.core.grid import GridDefinition
from engine.core.names import unknown
from engine.core.period import PERIODS, Years
from engine.core.rows import KEY
from engine.core.scenario import Scenario
from engine.core.sphere import great_circle
from engine.risks.registry import parse_risks

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

What = Literal["aal", "score", "change", "interval"]


class Origin(NamedTuple):
    """What a result was made of.

    address, fingerprint : of the source; edition, edition_checksum: of the figures
    baseline             : years that quantile edges were cut from
    scope                : `full`, `sample:N`, `synthetic` or `observed`
    axis                 : years of the source
    names                : of its scenarios, as pictures and datasets show them
    """

    address: str
    fingerprint: str
    edition: str
    edition_checksum: str
    baseline: str
    scope: str
    axis: Years
    names: Mapping[Scenario, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Result of `run`: polars frames with a row a cell, risk, scenario and period.

    probability : grid_id, latitude, longitude, risk_type, scenario_id, time_period, aal, aal_se, aal_low, aal_high,
                  rates_low, rates_high, change, change_se, significant, bin_probs, edges, n_samples, method
    hazard      : the same keys, hazard_score
    year_losses : grid_id, risk_type, scenario_id, time_period, loss of each year and valid share of it, null where all
                  are whole; empty unless asked for
    sample_years : risk_type, scenario_id, time_period, and the years that those lists are of
    missing     : risk -> tables that it lacks
    failed      : risk -> what is wrong with its inputs
    summary     : figures of the whole run, with its warnings
    grid        : lattice of the cells; None of a warehouse without one
    origin      : source and edition
    """

    probability: pl.DataFrame
    hazard: pl.DataFrame
    year_losses: pl.DataFrame
    sample_years: pl.DataFrame
    missing: dict[str, tuple[str, ...]]
    failed: dict[str, str]
    summary: Summary
    grid: GridDefinition | None
    origin: Origin

    def __repr__(self) -> str:
        frame = self.to_polars()
        scenarios = ", ".join(self.origin.names[Scenario(each)] for each in sorted(frame["scenario_id"].unique()))
        lines = [
            f"<engine.Result: {counted(self.summary.cells, 'cell')}, edition {self.origin.edition},"
            f" scope {self.origin.scope}>",
            f"risks:     {', '.join(self.risks) or 'none'}",
            f"scenarios: {scenarios}",
            f"periods:   {', '.join(name for name in PERIODS if name in set(frame['time_period']))}",
        ]
        lines += [f"missing:   {risk}: {', '.join(tables)}" for risk, tables in self.missing.items()]
        lines += [f"failed:    {risk}: {why}" for risk, why in self.failed.items()]
        return "\n".join(lines)

    @property
    def risks(self) -> tuple[str, ...]:
        """Risks with a probability or a score, in canonical order."""
        found = {*self.probability["risk_type"].unique(), *self.hazard["risk_type"].unique()}
        return tuple(each.risk for each in self.summary.risks if each.risk in found)

    def to_polars(self) -> pl.DataFrame:
        """One frame: the columns of `probability` and `hazard_score`, a row a cell, risk, scenario and period."""
        places = [*KEY, "latitude", "longitude"]
        return self.probability.join(self.hazard, on=places, how="full", coalesce=True).sort(
            "risk_type", "scenario_id", "time_period", "grid_id"
        )

    def to_xarray(self) -> xr.Dataset:
        """A dataset by the CF conventions 1.11, with NaN where there is no result.

        Dimensions are risk, scenario, period, and latitude and longitude, or `cell` for places of a list; bins and
        edges have one more, padded with NaN. Standard error and interval are ancillary variables of `aal`.
        """
        from engine.public.cube import dataset_of

        return dataset_of(self)

    def sel(
        self,
        risks: str | Iterable[str] | None = None,
        scenarios: Scenario | int | str | Iterable[Scenario | int | str] | None = None,
        periods: str | Iterable[str] | None = None,
    ) -> Result:
        """The part of a result for some risks, scenarios and periods, named as for `run`; the summary stays whole.

        raises : SettingsError for a name that is not known, or that the result does not hold
        """
        from engine.public.run import chosen_periods, chosen_scenarios

        frame = self.to_polars()
        wanted: dict[str, tuple[Any, ...]] = {}
        for column, names in (
            ("risk_type", () if risks is None else parse_risks(risks)),
            ("scenario_id", tuple(int(each) for each in chosen_scenarios(scenarios))),
            ("time_period", chosen_periods(periods)),
        ):
            held = set(frame[column])
            if absent := [each for each in names if each not in held]:
                raise SettingsError(f"the result holds no {column} {absent[0]}; it has {_listed(held)}")
            if names:
                wanted[column] = names
        condition = pl.all_horizontal(pl.lit(True), *(pl.col(name).is_in(each) for name, each in wanted.items()))
        return replace(
            self,
            probability=self.probability.filter(condition),
            hazard=self.hazard.filter(condition),
            year_losses=self.year_losses.filter(condition),
            sample_years=self.sample_years.filter(condition),
        )

    def at(self, latitude: float, longitude: float) -> pl.DataFrame:
        """Rows of the cell of a place, as `to_polars` has them, with `cell_basis` and `cell_distance_m`.

        latitude, longitude : degrees, longitude -180..360
        returns : the cell that holds the place (`own`), else the nearest with results within a cell's diagonal
                  (`nearest`), as for sites
        raises  : SettingsError for a place outside
        """
        frame = self.to_polars()
        if not (abs(latitude) <= 90.0 and -180.0 <= longitude <= 360.0):
            raise SettingsError(f"{latitude}, {longitude} is no place: latitude -90..90, longitude -180..360")
        if self.grid is None:
            grid_id, basis, metres = _nearest_of_list(frame, latitude, longitude)
        else:
            held = frame["grid_id"].unique().to_numpy()
            found = cells.choose([latitude], [longitude], self.grid, lambda asked: np.isin(asked, held))
            grid_id, metres = int(found.grid_id[0]), float(found.metres[0])
            basis = "nearest" if found.nearest[0] else "own"
        if not grid_id:
            raise SettingsError(
                f"{latitude}, {longitude} lies in no cell with results, nor within a cell's diagonal of one"
            )
        return frame.filter(pl.col("grid_id") == grid_id).with_columns(
            cell_basis=pl.lit(basis), cell_distance_m=pl.lit(round(metres, 1))
        )

    def plot(
        self,
        risk: str | None = None,
        *,
        scenario: Scenario | int | str | None = None,
        period: str | None = None,
        what: What = "aal",
        ax: Axes | None = None,
    ) -> Axes | tuple[Axes, ...]:
        """Draw a map of one layer in the colours and classes of the report, or the one cell with its intervals.

        risk     : None: the only one, else the first
        scenario : None: SSP2-4.5 where it has the period, else the first
        period   : None: `full` where there is one, else the last window
        what     : `aal`, with the 90 % interval of the mean cell under the title and cells hatched whose interval is
                   wider than their AAL; `score`; `change` against the short term, hatched where it is not told from
                   noise; `interval`: lower end, AAL and upper end side by side
        ax       : axes to draw on; None: new ones. `interval` takes none
        returns  : the axes, three of `interval`
        raises   : SettingsError for a layer that the result does not hold, or without matplotlib (extra `report`)
        """
        try:
            from engine.public.plot import draw
        except ImportError as err:
            raise SettingsError("plots need matplotlib: pip install 'climate-risk-engine[report]'") from err
        return draw(self, risk, scenario, period, what, ax)


def _nearest_of_list(frame: pl.DataFrame, latitude: float, longitude: float) -> tuple[int, str, float]:
    """The place of a list that is nearest, which has no lattice to lie in."""
    places = frame.select("grid_id", "latitude", "longitude").unique("grid_id").sort("grid_id")
    here = np.array([latitude]), np.array([longitude])
    metres = great_circle(*here, places["latitude"].to_numpy(), places["longitude"].to_numpy())
    which = int(np.argmin(metres))
    return int(places["grid_id"][which]), "nearest", float(metres[which])


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(map(str, sorted(names)))


def layer_of(
    result: Result, risk: str | None, scenario: Scenario | int | str | None, period: str | None
) -> tuple[str, Scenario, str, pl.DataFrame]:
    """One risk, scenario and period of a result, chosen or by default, with its rows; refuses what it does not hold."""
    from engine.public.run import chosen_scenarios

    if not result.risks:
        raise SettingsError("the result holds no risk: see result.missing and result.failed")
    name = parse_risks(risk)[0] if risk is not None else result.risks[0]
    if name not in result.risks:
        lacking = ", ".join(result.missing.get(name, ()))
        why = result.failed.get(name) or (f"it lacks {lacking}" if lacking else "")
        raise SettingsError(f"the result holds no {name}{f': {why}' if why else ''}; it has {', '.join(result.risks)}")
    frame = result.to_polars().filter(pl.col("risk_type") == name)
    periods = [each for each in PERIODS if each in set(frame["time_period"])]
    if period is not None and period not in periods:
        raise SettingsError(unknown("period", str(period), periods))
    pairs = set(frame.select("scenario_id", "time_period").iter_rows())
    wanted = chosen_scenarios(scenario)[:1] if scenario is not None else tuple(Scenario)
    order = sorted(wanted, key=lambda each: each is not Scenario.SSP245)
    last = [each for each in periods if each != "full"][-1:]
    for window in [period] if period is not None else [*(each for each in periods if each == "full"), *last]:
        for each in order:
            if (int(each), window) in pairs:
                rows = frame.filter((pl.col("scenario_id") == int(each)) & (pl.col("time_period") == window))
                return name, each, window, rows
    asked = " ".join(each.code for each in wanted) if scenario is not None else "any scenario"
    raise SettingsError(f"the result holds no {name} of {asked}, {period or 'any period'}")
