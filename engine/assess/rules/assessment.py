"""Sites in, results out: the stages of an assessment in their order. No database, no file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from engine.assess.rules import integrate, intervals
from engine.assess.rules.config import AssessConfig
from engine.assess.rules.exposure import exposure_of
from engine.assess.rules.integrate import Stages
from engine.assess.rules.intervals import CELL_ENDS
from engine.assess.rules.measures import prevented
from engine.assess.rules.offered import RISKS
from engine.assess.rules.prepare import Prepared, prepare, wants
from engine.assess.rules.scaling import scaled_aal, vulnerability_scale
from engine.assess.rules.tables import Table, frame_of
from engine.assess.rules.validation import FAILURES, IDENTITY
from engine.assess.rules.vocabulary import NO_HAZARD, PERIOD, RISK
from engine.assess.rules.vulnerability import vulnerability_of
from engine.assess.rules.wide import Frames
from engine.core.cells import HasResults
from engine.core.errors import SchemaError

#: told after each risk: its name
Report = Callable[[str], None]
_KEYS = ("grid_id", "scenario_id", "time_period", "risk_type")


@dataclass(frozen=True, slots=True)
class AssessmentResult:
    """Frames of an assessment. Rows follow the risks in canonical order, then the sites, then scenario and period.

    Every frame starts with `row` (of `sites`, from 0), `site_id` (the caller's text, else null) and `site_uuid`.

    exposure, vulnerability : a row per site and risk
    aal, risk  : a row per site, risk, scenario and period; empty when the stage was not run
    totals     : a row per site, scenario and period
    failures   : `risk_type`, `field`, `reason`: every fault of an input row, and every result that could not be
                 computed
    """

    exposure: pl.DataFrame
    vulnerability: pl.DataFrame
    aal: pl.DataFrame
    risk: pl.DataFrame
    totals: pl.DataFrame
    failures: pl.DataFrame


def assess_sites(
    sites: Table,
    hazards: Table | None = None,
    probabilities: Table | None = None,
    config: AssessConfig | None = None,
) -> AssessmentResult:
    """Exposure, vulnerability, final AAL and integrated risk of sites.

    Tables are frames of polars or pandas, Arrow tables, mappings of columns or lists of rows, each a mapping.

    sites         : flat columns, as `engine.assess.rules.fields` lists them; an absent column is null. All eight
                    building columns null: building unknown, defaults are taken and flagged. Rows are assets: equal
                    coordinates and equal ids are allowed
    hazards       : `grid_id`, `risk_type`, `scenario_id`, `time_period`, `hazard_score` (0..1); None: no risk scores
    probabilities : the same keys and `aal` (ratio), and where they are known the ends of its intervals, `aal_low`,
                    `aal_high`, `rates_low`, `rates_high`; None: no AAL
    config        : None: the published settings on the Korean grid
    returns       : every value depends on its own row alone, to the last bit; a row that is not valid is in `failures`
                    with each of its faults, and nowhere else
    raises        : SchemaError when hazards or probabilities lack a column or hold a key twice
    """
    settings = config or AssessConfig()
    sites = frame_of(sites, "sites")
    hazards = None if hazards is None else frame_of(hazards, "hazards")
    probabilities = None if probabilities is None else frame_of(probabilities, "probabilities")
    read = {"hazard_score": hazards, "aal": probabilities}
    prepared = prepare(sites, settings, has_results=_cells_of({k: v for k, v in read.items() if v is not None}))
    return assess_prepared(prepared, hazards, probabilities, settings)


def assess_prepared(
    prepared: Prepared, hazards: pl.DataFrame | None, probabilities: pl.DataFrame | None, settings: AssessConfig
) -> AssessmentResult:
    """`assess_sites` of sites that are prepared."""
    exposed = run_exposure(prepared, settings)
    vulnerable = run_vulnerability(prepared)
    scaled = None
    if probabilities is not None:
        base = by_request(prepared, probabilities, "aal")
        scaled = run_scaling(prepared, vulnerable, base, settings)
        scaled = with_intervals(prepared, scaled, vulnerable, probabilities)
    integrated = None
    if hazards is not None:
        integrated = run_integration(prepared, exposed, vulnerable, by_request(prepared, hazards, "hazard_score"))
    return collect(prepared, Stages(exposed, vulnerable, scaled, integrated))


def _cells_of(results: Mapping[str, pl.DataFrame]) -> HasResults | None:
    """Whether a cell has a value in any of these frames; None without a frame."""
    if not results:
        return None
    held = [f.drop_nulls(name)["grid_id"] for name, f in results.items() if {"grid_id", name} <= set(f.columns)]
    known = np.unique(np.concatenate([cells.to_numpy() for cells in held])) if held else np.empty(0, np.int32)
    return lambda cells: np.isin(cells, known)


def _silent(_: str) -> None:
    return


def run_exposure(prepared: Prepared, config: AssessConfig, report: Report = _silent) -> Frames:
    """Stage E, a risk after the other."""
    return _each(report, lambda risk: exposure_of(risk, prepared.sites, config))


def run_vulnerability(prepared: Prepared, report: Report = _silent) -> Frames:
    """Stage V."""
    return _each(report, lambda risk: vulnerability_of(risk, prepared.sites))


def run_scaling(
    prepared: Prepared, vulnerable: Frames, base: pl.DataFrame, config: AssessConfig, report: Report = _silent
) -> Frames:
    """Stage AAL. base: AAL of the cell, a row a request, a column a risk (`by_request`)."""
    site = prepared.requests["site"]
    asset = prepared.sites["total_asset_value"].gather(site)
    return _each(
        report,
        lambda risk: scaled_aal(
            base[risk],
            vulnerable[risk].select(pl.col("vulnerability_score", "is_default").gather(site)),
            _not_borne(prepared.sites, risk).gather(site),
            asset,
            config,
            risk,
        ),
    )


def _not_borne(sites: pl.DataFrame, risk: str) -> pl.Series:
    """Share of the loss by a risk that the owner does not bear: insured, and of the rest what a measure prevents."""
    insured = sites["insurance_rate"]
    if prevented(risk) not in sites.columns:
        return insured
    return 1 - (1 - insured) * (1 - sites[prevented(risk)])


def run_integration(prepared: Prepared, exposed: Frames, vulnerable: Frames, hazard: pl.DataFrame) -> Frames:
    """Stage of integrated risk. hazard: a row a request, a column a risk (`by_request`)."""
    site = prepared.requests["site"]
    frames = {risk: integrate.integrated(site, exposed[risk], vulnerable[risk], hazard[risk]) for risk in RISKS}
    return integrate.with_contributions(prepared, frames)


def _each(report: Report, compute: Callable[[str], pl.DataFrame]) -> Frames:
    frames = {}
    for risk in RISKS:
        frames[risk] = compute(risk)
        report(risk)
    return frames


def with_intervals(prepared: Prepared, scaled: Frames, vulnerable: Frames, probabilities: pl.DataFrame) -> Frames:
    """AAL of all risks with intervals (`intervals.scaled`); null where the probabilities have no ends.

    scaled        : of `run_scaling`; vulnerable: of `run_vulnerability`
    probabilities : of the cells, with or without `intervals.CELL_ENDS`
    """
    absent = [pl.lit(None, pl.Float64).alias(name) for name in CELL_ENDS if name not in probabilities.columns]
    ends = requested(prepared, probabilities.with_columns(absent), CELL_ENDS)
    site = prepared.requests["site"]
    asset = prepared.sites["total_asset_value"].gather(site)
    found = {}
    for risk, rows in scaled.items():
        insurance = _not_borne(prepared.sites, risk).gather(site)
        scale = vulnerable[risk].select(vulnerability_scale(pl.col("vulnerability_score"))).to_series().gather(site)
        own = {name: frame[risk] for name, frame in ends.items()}
        found[risk] = intervals.scaled(rows, scale * (1 - insurance), asset, own)
    return found


def by_request(prepared: Prepared, values: pl.DataFrame, column: str) -> pl.DataFrame:
    """Values of the cells, (requests, 9 risks), float64, joined on cell, scenario and period; null where absent."""
    return requested(prepared, values, (column,))[column]


def requested(prepared: Prepared, values: pl.DataFrame, columns: Sequence[str]) -> dict[str, pl.DataFrame]:
    """The same for several columns at once, a frame each."""
    if absent := [name for name in (*_KEYS, *columns) if name not in values.columns]:
        raise SchemaError(f"{columns[0]} frame: no column {', '.join(absent)}")
    pairs = prepared.requests.select("scenario_id", "time_period").unique().with_row_index("pair")
    values = values.select(
        pl.col("grid_id").cast(pl.Int32),
        pl.col("scenario_id").cast(pl.Int16),
        pl.col("time_period").cast(pl.String).cast(PERIOD, strict=False),
        risk=pl.col("risk_type").cast(pl.String).cast(RISK, strict=False).to_physical(),
        **{f"value_{column}": pl.col(column).cast(pl.Float64) for column in columns},
    ).join(pairs, on=["scenario_id", "time_period"])
    values = values.filter(pl.col("risk").is_not_null())
    cells, cell_of_site = np.unique(prepared.sites["grid_id"].to_numpy(), return_inverse=True)
    # a dense block (cells, pairs, risks): a lookup by place costs a fraction of a join on four keys
    block = np.full((len(cells), max(pairs.height, 1), len(RISKS)), np.nan)
    ids = values["grid_id"].to_numpy()
    place = np.searchsorted(cells, ids)
    held = np.flatnonzero(np.append(cells, 0)[place] == ids)
    where = (place[held], values["pair"].to_numpy()[held], values["risk"].to_numpy()[held])
    filled = np.zeros(block.shape, np.bool_)
    filled[where] = True
    if duplicates := len(held) - int(filled.sum()):
        raise SchemaError(f"{columns[0]} frame: {duplicates} duplicate keys (cell, risk, scenario, period)")
    requests = prepared.requests.join(pairs, on=["scenario_id", "time_period"], how="left", maintain_order="left")
    asked = cell_of_site[requests["site"].to_numpy()], requests["pair"].to_numpy()
    found = {}
    for column in columns:
        block[where] = values[f"value_{column}"].fill_null(np.nan).to_numpy()[held]
        found[column] = pl.from_numpy(block[asked], schema=list(RISKS)).with_columns(pl.all().fill_nan(None))
    return found


def by_site(prepared: Prepared, frames: Frames) -> pl.DataFrame:
    """One long frame of a stage that runs once a site, with `row`, place and risk."""
    asked = {risk: prepared.sites[wants(risk)] for risk in RISKS}
    return _long(prepared.sites.select(*IDENTITY, "latitude", "longitude"), frames, asked)


def by_pair(prepared: Prepared, frames: Frames) -> pl.DataFrame:
    """One long frame of a stage that runs once a scenario and period."""
    site = prepared.requests["site"]
    keys = pl.concat(
        [prepared.sites.select(*IDENTITY, "latitude", "longitude")[site], prepared.requests.drop("site")],
        how="horizontal",
    )
    return _long(keys, frames, {risk: prepared.sites[wants(risk)].gather(site) for risk in RISKS})


def collect(prepared: Prepared, stages: Stages) -> AssessmentResult:
    """Long frames, totals and failures of all stages that ran."""
    long = {
        "exposure": by_site(prepared, stages.exposure),
        "vulnerability": by_site(prepared, stages.vulnerability),
        "aal": None if stages.aal is None else by_pair(prepared, stages.aal),
        "risk": None if stages.risk is None else by_pair(prepared, stages.risk),
    }
    totals = integrate.totals(prepared, stages)
    failures = _failures(prepared, [frame for frame in long.values() if frame is not None], totals)
    return AssessmentResult(
        **{name: pl.DataFrame() if frame is None else frame for name, frame in long.items()},
        totals=totals,
        failures=failures,
    )


def _long(keys: pl.DataFrame, frames: Frames, asked: Mapping[str, pl.Series]) -> pl.DataFrame:
    """One frame of all risks, by risk and then by row of `keys`; risks that a row did not ask for are left out."""
    parts = [
        pl.concat([keys, frame], how="horizontal").with_columns(risk_type=pl.lit(risk, RISK))
        for risk, frame in frames.items()
    ]
    head = [name for name in keys.columns if name not in ("scenario_id", "time_period")]
    tail = [name for name in parts[0].columns if name not in (*head, "risk_type")]
    # whole parts one after the other: nothing is copied as long as every site asks for every risk
    parts = [part if asked[risk].all() else part.filter(asked[risk]) for risk, part in zip(frames, parts, strict=True)]
    return pl.concat(parts, rechunk=False).select(*head, "risk_type", *tail)


def _failures(prepared: Prepared, frames: Collection[pl.DataFrame], totals: pl.DataFrame) -> pl.DataFrame:
    """Faults of input rows, then what could not be computed: each risk and reason of a site once."""
    failed = [frame.filter(pl.col("status") == "failed").select(*IDENTITY, "risk_type", "reason") for frame in frames]
    rows = pl.concat(failed).unique(maintain_order=True)
    field = pl.col("reason").str.strip_prefix("missing_input:")
    rows = rows.with_columns(field=pl.when(field != pl.col("reason")).then(field))
    lost = totals.filter(pl.col("reason") == NO_HAZARD).select(*IDENTITY, "reason").unique(maintain_order=True)
    parts = [prepared.failures, _as_failures(lost), _as_failures(rows)]
    return pl.concat(parts).sort("row", maintain_order=True)


def _as_failures(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in FAILURES.items()
    )


def chunks(prepared: Prepared, size: int) -> Iterator[Prepared]:
    """Parts of at most `size` sites, in order."""
    for start in range(0, prepared.sites.height, size):
        yield prepared.slice(start, size)
