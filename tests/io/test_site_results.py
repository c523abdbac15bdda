"""Results of sites into their tables: what is new is copied, what is known replaced, whoever else is writing."""

import threading
import time

import polars as pl
import psycopg
import pytest

from engine.assess.rules.offered import RISKS
from engine.core.errors import SinkError
from engine.io.db import postgres
from engine.io.db.writers import Writers
from engine.io.results import published_cells
from engine.io.results.published_figures import AAL
from engine.io.sites import site_results
from tests.assess.databases import fill_results


def rows(sites, score):
    """Exposure of sites to all risks: 30 of them are enough to be asked about in bulk."""
    ids = pl.DataFrame({"site_id": [f"00000000-0000-4000-8000-{number:012}" for number in sites]})
    return ids.join(pl.DataFrame({"risk_type": RISKS}), how="cross").with_columns(
        latitude=37.5,
        longitude=127.0,
        exposure_score=pl.lit(score),
        proximity_factor=0.5,
        normalized_asset_value=1.0,
        status=pl.lit("ok"),
        reason=pl.lit(None, pl.String),
        is_default=False,
    )


def scores(url):
    with psycopg.connect(url) as connection:
        text = "SELECT exposure_score, count(*) FROM exposure_results GROUP BY 1 ORDER BY 1"
        return connection.execute(text).fetchall()


def test_known_sites_are_replaced_and_new_ones_added(results):
    with postgres.connect(results) as connection:
        for sites, score in ((range(10), 0.125), (range(30), 0.25), (range(5, 40), 0.5)):
            assert site_results.store(connection, "exposure_results", rows(sites, score)) == 9 * len(sites)
    assert scores(results) == [(0.25, 45), (0.5, 315)]


def test_a_writer_that_comes_second_waits_and_replaces(results):
    with postgres.connect(results) as first, postgres.connect(results) as second:
        pid = second.info.backend_pid
        late = threading.Thread(target=site_results.store, args=(second, "exposure_results", rows(range(30), 0.5)))
        with first.transaction():
            site_results.store(first, "exposure_results", rows(range(29, 59), 0.25))
            late.start()
            waiting = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s"
            with psycopg.connect(results, autocommit=True) as third:
                while third.execute(waiting, (pid,)).fetchone() != (True,):
                    time.sleep(0.01)
        late.join()
    assert scores(results) == [(0.25, 29 * 9), (0.5, 30 * 9)]


def test_writes_that_are_handed_over_are_done_and_their_failures_told(results):
    with postgres.connect(results) as connection:
        with Writers(connection, 2) as writers:
            for site in range(9):
                part = rows([site], 0.25)
                writers.submit(lambda own, part=part: site_results.store(own, "exposure_results", part))
            writers.wait()
            assert scores(results) == [(0.25, 81)]
        with pytest.raises(SinkError, match="failed while writing exposure_results"), Writers(connection, 1) as writers:
            writers.submit(lambda own: site_results.store(own, "exposure_results", rows([1], 2.0)))
    assert scores(results) == [(0.25, 81)]


def test_a_figure_is_read_as_the_number_that_is_stored_without_the_rest_of_its_float(results):
    fill_results(results, range(1, 3))
    pairs = [(2, "full"), (2, "mid_term")]
    with postgres.connect(results) as connection:
        connection.execute("UPDATE modelops_probability_scores SET aal = 0.035")
        found = published_cells.scores(connection, AAL, pl.Series([1, 2]), RISKS, pairs)
    assert found.height == 36
    assert found["aal"].unique().sort().to_list() == [0.01, 0.035]  # 0.035 as a float32: 0.03500000014901161
