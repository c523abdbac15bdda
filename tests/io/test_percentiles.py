import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from engine.io.results.percentiles import with_percentiles


def scores(values, scenario=2, period="mid_term"):
    return pl.DataFrame(
        {
            "hazard_score": pl.Series(values, dtype=pl.Float32),
            "scenario_id": pl.Series([scenario] * len(values), dtype=pl.Int16),
            "time_period": [period] * len(values),
        }
    )


@given(values=st.lists(st.floats(0, 1, width=32), min_size=1, max_size=60))
def test_ranks_agree_with_scipy_ties_included(values):
    expected = 100 * (rankdata(np.array(values, np.float32)) - 0.5) / len(values)
    np.testing.assert_allclose(with_percentiles(scores(values))["percentile"], expected, rtol=1e-14)


def test_each_scenario_and_period_is_ranked_by_itself():
    first, second = scores([0.1, 0.2, 0.3]), scores([0.9, 0.8], scenario=4)
    together = with_percentiles(pl.concat([first, second, scores([0.5], period="long_term")]))
    np.testing.assert_allclose(together["percentile"], [100 / 6, 50, 500 / 6, 75, 25, 50])


def test_scores_that_round_to_the_same_digits_keep_their_order():
    ranked = with_percentiles(scores([0.50001, 0.50002, 0.50003]))["percentile"]
    assert ranked.is_sorted()
    assert ranked.n_unique() == 3
