"""Which cell speaks for a place, against a search of all cells by the ellipsoid's distances."""

import math

import numpy as np
import polars as pl
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.assess import assess_sites
from engine.core.cells import choose
from engine.core.grid import KOREA, GridDefinition
from tests.assess.places import CELL, figures, site

GEOD = pyproj.Geod(ellps="sphere")
GRID = GridDefinition(34.0, 126.0, 12, 9, 0.25, 2021, 2100)
ACROSS = GridDefinition(34.0, 179.0, 12, 9, 0.25, 2021, 2100)


def naive(lat, lon, grid, known):
    """(cell, metres): its own if that has results, else the nearest of all within the diagonal of a cell."""
    own = int(grid.locate(lat, lon))
    centres = {
        int(grid.grid_id(i, j)): (grid.latitudes[i], grid.longitudes[j])
        for i in range(grid.n_lat)
        for j in range(grid.n_lon)
    }
    metres = {cell: GEOD.inv(lon, lat, centres[cell][1], centres[cell][0])[2] for cell in known}
    if own in known:
        return own, metres[own]
    side = math.radians(grid.step) * GEOD.a
    reach = math.hypot(side, side * math.cos(math.radians(lat)))
    within = [(round(far, 1), cell) for cell, far in metres.items() if far <= reach]
    return (min(within)[1], metres[min(within)[1]]) if within else (0, math.nan)


@given(
    lat=st.floats(33.2, 37.6).map(lambda v: round(v, 6)),
    east=st.floats(-0.8, 2.8).map(lambda v: round(v, 6)),
    grid=st.sampled_from([GRID, ACROSS]),
    seed=st.integers(0, 10**6),
    share=st.sampled_from([0.05, 0.3, 0.9]),
)
def test_it_is_the_own_cell_else_the_nearest_within_a_diagonal(lat, east, grid, seed, share):
    lon = (grid.lon0 + east + 180) % 360 - 180
    cells = np.arange(1, grid.n_cells + 1)
    known = set(cells[np.random.default_rng(seed).random(len(cells)) < share].tolist())
    chosen = choose(lat, lon, grid, lambda asked: np.isin(asked, list(known)))
    cell, metres = naive(lat, lon, grid, known)
    assert int(chosen.grid_id[0]) == cell
    assert chosen.metres[0] == pytest.approx(metres, rel=1e-5, abs=0.1, nan_ok=True)
    assert bool(chosen.nearest[0]) == (cell not in (0, int(grid.locate(lat, lon))))


def test_many_places_are_each_what_it_is_alone_and_the_source_is_asked_twice():
    rng = np.random.default_rng(1)
    lat, lon = rng.uniform(33.5, 37.2, 500), rng.uniform(125.6, 128.6, 500)
    known, asked = set(range(1, GRID.n_cells, 3)), []

    def has_results(cells):
        asked.append(len(np.unique(cells)) == len(cells))
        return np.isin(cells, list(known))

    whole = choose(lat, lon, GRID, has_results)
    assert asked == [True, True]
    for i in range(0, 500, 50):
        one = choose(lat[i], lon[i], GRID, has_results)
        assert (one.grid_id[0], one.nearest[0]) == (whole.grid_id[i], whole.nearest[i])


def test_without_results_to_look_at_a_place_has_its_own_cell_or_none():
    chosen = choose([34.0, 33.86], [126.0, 126.0], GRID, None)
    assert chosen.grid_id.tolist() == [1, 0]
    assert not chosen.nearest.any()


def test_sites_take_the_nearest_cell_for_all_risks_with_its_distance():
    east = int(KOREA.locate(37.5665, 126.988))
    result = assess_sites(site(), figures(cells=(east,), scenarios=(2,)), figures(cells=(east,), scenarios=(2,)))
    totals = result.totals.row(0, named=True)
    assert (totals["grid_id"], totals["cell_basis"], totals["status"]) == (east, "nearest", "ok")
    assert totals["cell_distance_m"] == pytest.approx(GEOD.inv(126.978, 37.5665, 126.99, 37.57)[2], abs=0.1)
    far = assess_sites(site(), figures(cells=(CELL + 3,)), figures(cells=(CELL + 3,)))
    assert far.totals["status"].unique().to_list() == ["outside_grid"]
    assert far.failures.row(0, named=True)["reason"] == "Location is outside the data grid"
    # a cell that has an AAL alone is a cell with results
    aal = pl.concat(
        [figures(cells=(CELL,)).with_columns(hazard_score=None), figures(cells=(east,))], how="vertical_relaxed"
    )
    assert set(assess_sites(site(), aal, aal).totals["cell_basis"]) == {"own"}
