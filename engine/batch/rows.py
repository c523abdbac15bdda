"""Estimates and scores of a block as rows: one frame a risk, the pairs one below the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.batch.changes import Change
from engine.batch.intervals import Ends
from engine.batch.plan import Pair
from engine.core.panel import Panel
from engine.core.period import FULL
from engine.core.rows import ROWS
from engine.kernels import METHODS, BinProbabilities, YearLosses

Floats = NDArray[np.float64]
NOT_EXPOSED = METHODS.index("not_exposed")
INSUFFICIENT = METHODS.index("insufficient_data")
NOT_PRICED = METHODS.index("not_priced")


class PairedRows:
    """Cells x pairs of one block, and the columns that all its risks share."""

    def __init__(self, panel: Panel, pairs: Sequence[Pair]) -> None:
        keys = panel.cells.select("grid_id", "latitude", "longitude")
        self._pairs, self._cells = tuple(pairs), keys.height
        self._keys = pl.concat(
            keys.with_columns(
                risk_type=pl.lit("", pl.String),
                scenario_id=pl.lit(int(pair.scenario), pl.Int16),
                time_period=pl.lit(pair.period),
            )
            for pair in pairs
        )
        self._methods = pl.Series(METHODS)

    def probability(
        self,
        risk: str,
        estimates: Sequence[BinProbabilities],
        intervals: Ends,
        edges: Floats,
        not_exposed: NDArray[np.bool_] | None,
        changes: Mapping[Pair, Change],
    ) -> pl.DataFrame:
        """Rows of one risk, columns of `ROWS["probability"]`.

        estimates   : one a pair, in order; intervals: of their AALs, one after the other
        edges       : (cells, bins - 1) or (bins - 1,)
        not_exposed : (cells,), overrules the estimate: no loss, which is not the same as no data
        changes     : of the pairs that have one

        Estimates without an AAL are of a risk that is not priced: their rows say so, and have no AAL.
        """
        p = np.concatenate([estimate.p for estimate in estimates])
        n = np.concatenate([estimate.n for estimate in estimates]).astype(np.int16)
        method = np.concatenate([estimate.method for estimate in estimates])
        priced = all(estimate.aal is not None for estimate in estimates)  # damage rates were given
        aal = np.concatenate([cast("Floats", each.aal) for each in estimates]) if priced else np.full(len(p), np.nan)
        error = np.concatenate([cast("Floats", each.aal_se) for each in estimates]) if priced else aal.copy()
        ends = {"aal_low": intervals.low.copy(), "aal_high": intervals.high.copy()}
        if intervals.rates is not None:
            ends |= {"rates_low": intervals.rates[0].copy(), "rates_high": intervals.rates[1].copy()}
        if not_exposed is not None:
            without_loss = np.tile(not_exposed, len(estimates))
            p[without_loss] = np.eye(1, p.shape[1])
            n[without_loss] = 0
            method[without_loss] = NOT_EXPOSED
            for figure in (aal, error, *ends.values()):
                figure[without_loss] = 0.0
        if not priced:  # cells out of the hazard's reach included: a sum must not take some of a risk's cells only
            method[method != INSUFFICIENT] = NOT_PRICED
            for figure in (aal, error, *ends.values()):
                figure[:] = np.nan
        known = pl.Series(method != INSUFFICIENT)
        # bins are labelled in the full period's record only, so only there the edges travel along
        labelled = np.repeat([pair.period == FULL for pair in self._pairs], self._cells)
        bounds = np.tile(np.broadcast_to(edges, (self._cells, p.shape[1] - 1)), (len(self._pairs), 1))
        return self._keys.with_columns(
            risk_type=pl.lit(risk),
            aal=_stored(aal),
            aal_se=_stored(error),
            **dict.fromkeys(("rates_low", "rates_high"), pl.lit(None, pl.Float32))
            | {name: _stored(end) for name, end in ends.items()},
            **self._changes(changes, not_exposed if priced else None),
            bin_probs=pl.when(known).then(pl.Series(p.astype(np.float32)).arr.to_list()),
            edges=pl.when(known & pl.Series(labelled)).then(pl.Series(bounds).arr.to_list()),
            n_samples=pl.Series(n),
            method=self._methods.gather(pl.Series(method.astype(np.uint32))),
        ).select(ROWS["probability"].schema.names())

    def _changes(
        self, changes: Mapping[Pair, Change], not_exposed: NDArray[np.bool_] | None
    ) -> dict[str, pl.Series | pl.Expr]:
        """Columns of the change against the first window; null for pairs without one."""
        unknown = np.full(self._cells, np.nan)
        moved = [changes.get(pair, Change(unknown, unknown)) for pair in self._pairs]
        difference = np.concatenate([each.difference for each in moved])
        doubt = np.concatenate([each.error for each in moved])
        significant = np.concatenate([each.significant for each in moved])
        if not_exposed is not None:
            same = np.concatenate([not_exposed & (pair in changes) for pair in self._pairs])
            difference[same] = doubt[same] = 0.0
            significant[same] = False
        return {
            "change": _stored(difference),
            "change_se": _stored(doubt),
            "significant": pl.when(pl.Series(~np.isnan(doubt))).then(pl.Series(significant)),
        }

    def year_losses(
        self, risk: str, years: Sequence[YearLosses], not_exposed: NDArray[np.bool_] | None
    ) -> pl.DataFrame:
        """A row a cell, columns of `ROWS["year_losses"]`: the years of all pairs, one pair after the other.

        years       : one a pair, in order
        not_exposed : (cells,), overrules the estimate: no loss in any year
        """
        losses = np.hstack([each.loss for each in years], dtype=np.float32, casting="same_kind")
        samples, group = np.hstack([each.samples for each in years]), years[0].group
        if not_exposed is not None:
            losses[not_exposed], samples[not_exposed] = 0.0, group
        gaps = (samples != group).any(axis=1)
        frame = pl.DataFrame(
            {
                "grid_id": self._keys["grid_id"][: self._cells],
                "risk_type": [risk] * self._cells,
                "losses": pl.Series(losses.ravel()).fill_nan(None).reshape(losses.shape).arr.to_list(),
            }
        )
        if not gaps.any():
            return frame.with_columns(valid=pl.lit(None, pl.List(pl.Float32)))
        shares = pl.Series((samples / group).astype(np.float32)).arr.to_list()
        return frame.with_columns(valid=pl.when(pl.Series(gaps)).then(shares))

    def hazard(self, risk: str, scores: Sequence[Floats]) -> pl.DataFrame:
        """Rows of one risk, columns of `ROWS["hazard"]`; a cell without a score has none."""
        score = pl.Series(np.concatenate(scores).astype(np.float32))
        return self._keys.with_columns(risk_type=pl.lit(risk), hazard_score=score).filter(score.is_not_nan())


def _stored(figures: Floats) -> pl.Series:
    """Figures as they are stored: single precision, null where they are not known."""
    return pl.Series(figures.astype(np.float32)).fill_nan(None)
