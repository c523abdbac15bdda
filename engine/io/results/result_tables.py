"""The result tables of a run: their columns, and how rows are made from the frames of computed blocks."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby, pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.core import levels
from engine.core.counted import agree, of_all
from engine.core.errors import SchemaError
from engine.core.period import FULL, WINDOWS
from engine.core.rows import ENSEMBLE_FIGURES, HALVES, ROWS, JobType
from engine.core.scenario import DEFAULT_SCENARIO
from engine.io.results.percentiles import with_percentiles
from engine.io.results.spool import RunDirectory

#: table -> the risks whose rows a run publishes there
Parts = Mapping[str, Sequence[str]]

#: digits of a probability in `bin_data`, unless an edition's bins need more
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class BinStyle:
    """How one risk's bins are written in `bin_data`, and which years its year losses are of.

    damage_rates : one a bin, mildest first; None for a risk that is not priced
    lower        : lower bound of the intensity, the first range starts there; None: at -inf
    negated      : the intensity is the negative of a known index (drought: -SPEI), ranges are written in the index
    digits       : of a probability; 4 or more
    years        : (scenario_id, period, sample years) in the order in which rows of year losses hold them; empty where
                   the run has none
    """

    damage_rates: tuple[float | None, ...]
    lower: float | None = None
    negated: bool = False
    digits: int = _DIGITS
    years: tuple[tuple[int, str, tuple[int, ...]], ...] = ()


def mixture(risk: str, run_id: int, edition: str, baseline: str, new_edition: str, new_baseline: str) -> str:
    """Reason why a partial run must not be merged into published rows."""
    return (
        f"{risk}: cannot merge a partial run (edition {new_edition}, baseline {new_baseline}) into the results of run "
        f"{run_id} (edition {edition}, baseline {baseline}): run the whole grid, or use another sink"
    )


@dataclass(frozen=True, slots=True)
class ResultTable:
    """One table. columns : those that a run fills, in table order; the rest have defaults. stamp : its time column.

    spooled : kind of rows (`engine.core.rows`) that it is made from
    detail  : True for the windows of all scenarios, False for the default scenario's whole axis; an ensemble has both
    keys    : primary key first, then further unique keys
    layer   : columns of which ranges of pages hold few values, since that is how a run is loaded; indexed as such
    """

    name: str
    spooled: str
    detail: bool
    columns: pl.Schema
    stamp: str
    keys: tuple[tuple[str, ...], ...]
    layer: tuple[str, ...] = ()

    @property
    def pairs(self) -> pl.Expr:
        """Which spooled rows belong to this table."""
        if self.spooled in ("year_losses", "ensemble"):
            return pl.lit(True)
        if self.detail:
            return pl.col("time_period").is_in(WINDOWS)
        return (pl.col("time_period") == FULL) & (pl.col("scenario_id") == int(DEFAULT_SCENARIO))


_CELL = {"latitude": pl.Float64(), "longitude": pl.Float64(), "risk_type": pl.String(), "grid_id": pl.Int32()}
_DETAIL = {"grid_id": pl.Int32(), "scenario_id": pl.Int16(), "risk_type": pl.String(), "time_period": pl.String()}
_CELL_KEYS = (("latitude", "longitude", "risk_type"), ("grid_id", "risk_type"))
_DETAIL_KEYS = (("grid_id", "scenario_id", "risk_type", "time_period"),)
_LAYER = ("scenario_id", "time_period")

PROBABILITY = ResultTable(
    "probability_results",
    "probability",
    False,
    pl.Schema(
        {
            **_CELL,
            "aal": pl.Float32(),
            "aal_se": pl.Float32(),
            "aal_low": pl.Float32(),
            "aal_high": pl.Float32(),
            "rates_low": pl.Float32(),
            "rates_high": pl.Float32(),
            "bin_data": pl.String(),
            "n_samples": pl.Int16(),
            "method": pl.String(),
            "run_id": pl.Int32(),
        }
    ),
    "calculated_at",
    _CELL_KEYS,
)
HAZARD = ResultTable(
    "hazard_results",
    "hazard",
    False,
    pl.Schema(
        {
            **_CELL,
            "hazard_score": pl.Float32(),
            "hazard_score_100": pl.Float32(),
            "hazard_level": pl.String(),
            "run_id": pl.Int32(),
        }
    ),
    "calculated_at",
    _CELL_KEYS,
)
PROBABILITY_SCORES = ResultTable(
    "modelops_probability_scores",
    "probability",
    True,
    pl.Schema(
        {
            **_DETAIL,
            "aal": pl.Float32(),
            "aal_se": pl.Float32(),
            "aal_low": pl.Float32(),
            "aal_high": pl.Float32(),
            "rates_low": pl.Float32(),
            "rates_high": pl.Float32(),
            "change": pl.Float32(),
            "change_se": pl.Float32(),
            "significant": pl.Boolean(),
            "bin_probs": pl.List(pl.Float32()),
            "n_samples": pl.Int16(),
            "method": pl.String(),
        }
    ),
    "computed_at",
    _DETAIL_KEYS,
    _LAYER,
)
HAZARD_SCORES = ResultTable(
    "modelops_hazard_scores",
    "hazard",
    True,
    pl.Schema({**_DETAIL, "score": pl.Float64(), "percentile": pl.Float64()}),
    "computed_at",
    _DETAIL_KEYS,
    _LAYER,
)
#: `sample_years` says of which years a run's rows are; the server holds the lists as bytes
YEAR_LOSSES = ResultTable(
    "modelops_year_losses",
    "year_losses",
    False,
    pl.Schema({**ROWS["year_losses"].schema, "run_id": pl.Int32()}),
    "computed_at",
    (("grid_id", "risk_type", "run_id"),),
)
ENSEMBLE_SCORES = ResultTable(
    "modelops_ensemble_scores",
    "ensemble",
    True,
    pl.Schema({**_DETAIL, "members": pl.Int16(), **dict.fromkeys(ENSEMBLE_FIGURES, pl.Float32())}),
    "computed_at",
    _DETAIL_KEYS,
    _LAYER,
)
_TABLES = (PROBABILITY_SCORES, YEAR_LOSSES, PROBABILITY, HAZARD_SCORES, HAZARD, ENSEMBLE_SCORES)
#: the largest of a run first: two connections then finish at about the same time
TABLES = {table.name: table for table in _TABLES}
#: what is spooled -> the table that names the run of every row made from it
MADE_BY = {table.spooled: table.name for table in (PROBABILITY, HAZARD)}


def tables_of(job: JobType) -> tuple[str, ...]:
    """Result tables that a job writes."""
    return tuple(name for name, table in TABLES.items() if ROWS[table.spooled].half in HALVES[job])


def parts_of(risks: Mapping[str, Collection[str]], periods: Collection[str]) -> dict[str, list[str]]:
    """Risks that a run publishes in each result table.

    risks   : half of a run -> risks that are computed there
    periods : names of the run's periods
    """
    has_rows = {True: any(period != FULL for period in periods), False: FULL in periods}
    found = {
        name: list(risks.get(ROWS[table.spooled].half, ()))
        for name, table in TABLES.items()
        if has_rows[table.detail] or (table is YEAR_LOSSES and periods)
    }
    return {name: listed for name, listed in found.items() if listed}


def partition(table: str, risk: str) -> str:
    """Name of a published partition."""
    return f"{table}_{risk}"


def read_rows(
    run: RunDirectory, table: ResultTable, risk: str, styles: Mapping[str, BinStyle], *, ranked: bool
) -> Iterator[pl.DataFrame]:
    """Rows of one table and risk from all blocks of a run, in block order, a frame at a time.

    styles  : of every risk whose `bin_data` is written
    ranked  : False for a part of the grid: percentiles are null
    returns : frames of `table.columns`; at most a block, but percentiles hold one risk's scores of the whole grid
    """
    blocks: Iterator[pl.DataFrame] = (
        run.scan(table.spooled, number)
        .filter((pl.col("risk_type") == risk) & table.pairs)
        .select(_inputs(table))
        .collect()
        for number in sorted(run.notes)
    )
    if table is HAZARD_SCORES and ranked:
        scores = pl.concat(blocks)  # ranks need the whole grid at once; a risk at a time
        blocks = with_percentiles(scores).iter_slices(200_000) if scores.height else iter([])
    for block in blocks:
        yield to_rows(table, block, risk, run.run_id, styles)


def _inputs(table: ResultTable) -> list[str]:
    if table is YEAR_LOSSES:
        return ["grid_id", "losses", "valid"]
    if table is ENSEMBLE_SCORES:
        return ["grid_id", "scenario_id", "time_period", "members", *ENSEMBLE_FIGURES]
    spooled = {
        "probability": [
            "aal",
            "aal_se",
            "aal_low",
            "aal_high",
            "rates_low",
            "rates_high",
            "change",
            "change_se",
            "significant",
            "bin_probs",
            "edges",
            "n_samples",
            "method",
        ],
        "hazard": ["hazard_score"],
    }
    keys = ["grid_id", "scenario_id", "time_period"] if table.detail else ["grid_id", "latitude", "longitude"]
    of_windows, of_whole_axis = {"change", "change_se", "significant"}, {"edges"}
    unused = of_whole_axis if table.detail else of_windows
    return keys + [name for name in spooled[table.spooled] if name not in unused]


def to_rows(
    table: ResultTable, block: pl.DataFrame, risk: str, run_id: int, styles: Mapping[str, BinStyle]
) -> pl.DataFrame:
    """Spooled rows of one risk as rows of a table, rounded as the table stores them (half-even)."""
    rows = block.with_columns(risk_type=pl.lit(risk), run_id=pl.lit(run_id, pl.Int32))
    if table is PROBABILITY:
        rows = rows.with_columns(bin_data(block["edges"], block["bin_probs"], styles[risk]))
    elif table is HAZARD:
        percent = (pl.col("hazard_score").cast(pl.Float64) * 100).cast(pl.Float32)
        level = levels.word(pl.col("hazard_score"), levels.HAZARD)
        rows = rows.with_columns(hazard_score_100=percent, hazard_level=level)
    elif table is HAZARD_SCORES:
        percentile = pl.col("percentile") if "percentile" in rows.columns else pl.lit(None, pl.Float64)
        # numeric(5,4) and numeric(5,2): rounded here, so that files and tables hold the same digits
        rows = rows.with_columns(
            score=pl.col("hazard_score").cast(pl.Float64).round(4, mode="half_to_even"),
            percentile=percentile.round(2, mode="half_to_even"),
        )
    if "latitude" in table.columns:
        rows = rows.with_columns(pl.col("latitude", "longitude").round(6, mode="half_to_even"))
    return rows.select(pl.col(name).cast(kind) for name, kind in table.columns.items())


def bin_data(edges: pl.Series, probabilities: pl.Series, style: BinStyle) -> pl.Series:
    """The bin record as JSON text, one array a row.

    edges         : list[f64], m - 1 inner edges used in the cell, ascending
    probabilities : list[f32], m a row, null where the cell has no result; rounded in the text only
    returns       : `[{"bin":1,"range":"0~3","probability":0.8,"base_damage_rate":0.001},...]` or null
    raises        : SchemaError when a row has another number of bins or edges than the style
    """
    m = len(style.damage_rates)
    known = probabilities.is_not_null()
    wrong = known & ((probabilities.list.len() != m) | (edges.list.len() != m - 1).fill_null(True))
    if count := int(wrong.sum()):
        raise SchemaError(
            f"{of_all(count, len(edges), 'row')} {agree(count, 'does', 'do')} not have {m} bins and {m - 1} edges"
        )
    shares = probabilities.filter(known).list.to_array(m).to_numpy().astype(np.float64)
    texts, rows = _share_texts(shares.T.ravel(), style.digits), len(shares)
    inner = edges.filter(known).list.to_array(m - 1).to_numpy()
    first, last = "-inf" if style.lower is None else f"{style.lower:.4g}", "inf"
    if style.negated:
        first, last = "inf" if style.lower is None else f"{-style.lower:.4g}", "-inf"
    limits = [first, *(_text(inner[:, i], style.negated) for i in range(m - 1)), last]
    parts: list[str | pl.Series] = []
    for i, ((left, right), rate) in enumerate(zip(pairwise(limits), style.damage_rates, strict=True)):
        low, high = (right, left) if style.negated else (left, right)
        parts += [f'{"," if i else "["}{{"bin":{i + 1},"range":"', low, "~", high, '","probability":']
        parts += [texts[i * rows : (i + 1) * rows], f',"base_damage_rate":{json.dumps(rate)}}}']
    text = pl.select(pl.concat_str([pl.lit(part) for part in _merged([*parts, "]"])])).to_series()
    return text.gather(pl.select(pl.when(known).then(known.cum_sum() - 1)).to_series()).alias("bin_data")


def _share_texts(shares: NDArray[np.float64], digits: int) -> pl.Series:
    if digits == _DIGITS:
        return _shares().gather(pl.Series(np.rint(shares * 10**digits).astype(np.uint32)))
    return pl.Series([str(round(share, digits)) for share in shares.tolist()], dtype=pl.String)


@cache
def _shares() -> pl.Series:
    """Every probability of four digits as text: a look-up costs less than writing a number."""
    return pl.Series([str(k / 10_000) for k in range(10_001)])


def _merged(parts: Iterable[str | pl.Series]) -> list[str | pl.Series]:
    """The same text in fewer parts: what is alike in all rows becomes one."""
    merged: list[str | pl.Series] = []
    for alike, run in groupby(parts, lambda part: isinstance(part, str)):
        pieces = list(run)
        merged += ["".join(map(str, pieces))] if alike else pieces
    return merged


def _text(edge: NDArray[np.float64], negated: bool) -> str | pl.Series:
    """`%.4g` of every value, formatting each distinct one once: fixed edges have one, quantile edges many."""
    values, where = np.unique(edge, return_inverse=True)
    texts = [f"{value:.4g}" for value in (-values if negated else values) + 0.0]  # + 0.0: never "-0"
    return texts[0] if len(texts) == 1 else pl.Series(texts, dtype=pl.String).gather(where)
