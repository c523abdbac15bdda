"""Names that a notebook uses: what completes in an editor, how a run is asked for, and what is made of its result."""

from __future__ import annotations

import ast
import pkgutil
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import pytest
import xarray as xr
from matplotlib.colors import to_hex
from polars.testing import assert_frame_equal

import engine
from engine.core.errors import SettingsError
from engine.core.false_discovery import not_told_apart
from engine.core.scenario import Scenario
from engine.io.climate import snapshot
from engine.maps.picture import DIVERGING, SCALES
from engine.report.maps import own_scale

ROOT = Path(__file__).parents[1]
RISKS, CELLS = ("river_flood", "wildfire"), 60


@pytest.fixture(scope="module")
def source():
    return engine.open_sample()


@pytest.fixture(scope="module")
def result(source):
    return engine.run(source, risks=RISKS, scenarios=["SSP2-4.5", "ssp585"], cells=CELLS)


@pytest.fixture(autouse=True)
def pictures():
    with mpl.rc_context():
        mpl.use("agg", force=True)
        yield
        plt.close("all")


@pytest.mark.parametrize("module", [engine, engine.kernels, engine.io], ids=lambda module: module.__name__)
def test_exactly_the_public_names_complete_in_an_editor(module):
    assert dir(module) == sorted(module.__all__)
    for name in dir(module):
        found = getattr(module, name)
        assert found.__doc__, name
        assert not name.startswith("_")
    with pytest.raises(AttributeError, match="has no attribute 'runn'"):
        module.runn  # noqa: B018


def test_names_that_a_checker_of_types_reads_are_those_that_are_there():
    tree = ast.parse((ROOT / "engine" / "__init__.py").read_text("utf-8"))
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    named = {alias.asname or alias.name for node in checked.body for alias in node.names}
    assert named | {"PERIODS", "Scenario", "Years"} == set(engine.__all__)
    assert (ROOT / "engine" / "py.typed").is_file()
    assert not {each.name for each in pkgutil.iter_modules(engine.__path__)} & set(engine._LATER)


def test_one_name_or_several_ask_for_the_same_run(source, result):
    texts = engine.run(source, risks="wildfire,river_flood", scenarios="2, SSP5-8.5", periods="full", cells=CELLS)
    lists = engine.run(source, RISKS, (Scenario.SSP245, 4), ["full"], cells=str(CELLS))
    assert_frame_equal(texts.probability, lists.probability)
    whole = result.sel(periods="full").to_polars()
    # a run of some periods has the rows of the whole run
    assert_frame_equal(texts.to_polars(), whole)
    single = engine.run(source, "wildfire", 2, "short_term", cells=1)
    assert single.to_polars().select("risk_type", "scenario_id", "time_period").rows() == [
        ("wildfire", 2, "short_term")
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"risks": "wildfires"}, "unknown risk 'wildfires'.*did you mean wildfire"),
        ({"scenarios": "SSP4"}, "unknown scenario 'SSP4'"),
        ({"scenarios": True}, "True is no scenario"),
        ({"scenarios": []}, "no scenario was named"),
        ({"periods": "mid"}, "unknown period 'mid'.*did you mean mid_term"),
        ({"periods": ()}, "no period was named"),
        ({"edition": "2026"}, "unknown edition '2026'"),
        ({"risks": 3}, "risks is 3, expected a name or several"),
        ({"baseline": "1990"}, "'1990' is not a span of years such as 1981-2010"),
        ({"baseline": 1990}, "baseline is 1990, expected years such as '1991-2020'"),
        ({"block_cells": 0}, "block_cells is 0, expected a whole number of 1 or more"),
    ],
)
def test_a_name_that_is_not_known_is_refused_in_a_sentence(source, options, message):
    with pytest.raises(SettingsError, match=message):
        engine.run(source, **options)


def test_the_sample_is_a_source_that_can_be_written_as_a_store(source, tmp_path):
    assert (source.cells().height, source.scope) == (994, "synthetic")
    assert source.cells()["landcover_mode"].null_count() == 0
    assert str(source.axis) == "2021-2100"
    part = engine.run(source, "urban_flood", 2, "full", cells=3)
    assert part.missing == {}
    xr.testing.assert_identical(part.to_xarray().drop_attrs(), part.to_xarray().drop_attrs())
    one = xr.Dataset(
        {"rx1day": (("time", "lat", "lon"), np.full((30, 2, 2), 80.0, "f4") + np.arange(30.0)[:, None, None])},
        {"time": xr.date_range("1991", periods=30, freq="YS"), "lat": [10.0, 10.5], "lon": [20.0, 20.5]},
    )
    one["rx1day"].attrs["units"] = "mm"
    memory = engine.from_xarray(one)
    snapshot.write(memory, tmp_path / "store")
    with_files = engine.open_source(tmp_path / "store")
    assert_frame_equal(engine.run(memory).to_polars(), engine.run(with_files).to_polars())
    with_files.close()


def test_a_place_gets_the_rows_of_its_cell(result):
    cell = result.probability.row(0, named=True)
    found = result.at(cell["latitude"] + 0.04, cell["longitude"] - 0.04)
    assert found["grid_id"].unique().to_list() == [cell["grid_id"]]
    assert found["cell_basis"].unique().to_list() == ["own"]
    assert 4_000 < found["cell_distance_m"][0] < 7_000
    for latitude, longitude, message in ((0.0, 0.0, "lies in no cell with results"), (91.0, 0.0, "is no place")):
        with pytest.raises(SettingsError, match=message):
            result.at(latitude, longitude)
    with pytest.raises(SettingsError, match="the result holds no risk_type drought; it has river_flood, wildfire"):
        result.sel("drought")


def test_a_dataset_holds_every_figure_of_the_rows(result, tmp_path):
    data = result.to_xarray()
    assert data["aal"].dims == ("risk", "scenario", "period", "latitude", "longitude")
    rows = result.to_polars()
    for row in rows.sample(40, seed=1).iter_rows(named=True):
        cell = data.sel(
            risk=row["risk_type"],
            scenario=Scenario(row["scenario_id"]).code,
            period=row["time_period"],
        ).sel(latitude=row["latitude"], longitude=row["longitude"], method="nearest")
        for name in ("aal", "aal_se", "aal_low", "aal_high", "hazard_score"):
            np.testing.assert_equal(float(cell[name]), row[name] if row[name] is not None else np.nan, err_msg=name)
        np.testing.assert_array_equal(cell["bin_probability"], row["bin_probs"])
    assert int(data["aal"].notnull().sum()) == rows["aal"].count()
    data.to_netcdf(tmp_path / "result.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "result.nc", engine="h5netcdf") as back:
        xr.testing.assert_allclose(back.load()["aal_low"], data["aal_low"])
        assert back["aal"].attrs["ancillary_variables"] == data["aal"].attrs["ancillary_variables"]


def test_a_dataset_follows_the_cf_conventions(result):
    """By hand: what cf-checker looks at, as it is in no lock."""
    data = result.to_xarray()
    assert data.attrs["Conventions"] == "CF-1.11"
    assert {"title", "history", "source", "edition", "edition_checksum", "scope_note"} <= data.attrs.keys()
    for name in data.data_vars:
        attributes = data[name].attrs
        if name in ("crs",) or name.endswith("_bounds"):
            continue
        assert attributes["long_name"], name
        assert "units" in attributes or "flag_values" in attributes or "comment" in attributes, name
        for other in attributes.get("ancillary_variables", "").split():
            assert data[other].dims == data[name].dims
        assert attributes["grid_mapping"] in data
        if "flag_values" in attributes:
            assert len(attributes["flag_values"]) == len(attributes["flag_meanings"].split())
    for name, unit in (("latitude", "degrees_north"), ("longitude", "degrees_east")):
        axis = data[name]
        assert (axis.attrs["standard_name"], axis.attrs["units"]) == (name, unit)
        assert (np.diff(axis) > 0).all()
        assert data[axis.attrs["bounds"]].shape == (axis.size, 2)
    assert data["crs"].attrs["grid_mapping_name"] == "latitude_longitude"


def colours_of(axes):
    return [to_hex(colour) for colour in axes.collections[0].get_cmap().colors]


def test_maps_have_the_colours_and_classes_of_the_report(result):
    axes = result.plot("wildfire", period="long_term")
    rows = result.sel("wildfire", "SSP2-4.5", "long_term").probability
    scale = own_scale(rows["aal"].to_numpy(), np.ones(rows.height, bool))
    assert colours_of(axes)[1:] == list(scale.colours)
    assert "cell in the middle" in axes.get_title()
    assert "synthetic input: not a statement about any place" in axes.get_title()
    assert "index loss, not calibrated on losses" in axes.get_title()
    bars = axes.figure.axes[1]
    assert len(bars.collections[0].get_segments()) == CELLS  # the interval of every cell
    axes = result.plot("river_flood", what="score", scenario=4, period="short_term")
    assert colours_of(axes)[1:] == list(SCALES["hazard"].colours)
    axes = result.plot("river_flood", what="change", ax=plt.figure().subplots())
    assert colours_of(axes)[1:] == list(DIVERGING)
    [hatched] = [each for each in axes.collections if each.get_hatch()]
    changed = result.sel("river_flood", "SSP2-4.5", "long_term").probability
    unsure = not_told_apart(changed["change"].to_numpy(), changed["change_se"].to_numpy())
    assert 0 < len(hatched.get_paths()) == unsure.sum()  # no cell of the sea
    low, middle, high = result.plot("river_flood", what="interval")
    values = [np.ma.filled(each.collections[0].get_array(), -1).ravel() for each in (low, middle, high)]
    assert (values[0] <= values[1]).all()
    assert (values[1] <= values[2]).all()
    assert (values[0] < values[2]).any()
    plt.gcf().canvas.draw()


def test_places_of_a_list_are_points_and_one_cell_has_error_bars(source):
    ids = source.cells()["grid_id"]
    whole = engine.run(source, "wildfire", 2, "full")
    apart = whole.probability.gather_every(40)
    assert len(ids) == whole.probability.height
    listed = replace(
        whole,
        probability=apart,
        hazard=whole.hazard.filter(pl.col("grid_id").is_in(apart["grid_id"].implode())),
        summary=replace(whole.summary, apart=True),
    )
    axes = listed.plot()
    assert axes.collections[0].get_offsets().shape == (apart.height, 2)
    coast = np.concatenate(axes.collections[1].get_segments())  # around the places, with a margin
    (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()
    assert west <= coast[:, 0].min() < coast[:, 0].max() <= east
    assert south <= coast[:, 1].min() < 33.3 < 38.3 < coast[:, 1].max() <= north
    assert listed.to_xarray()["aal"].dims == ("risk", "scenario", "period", "cell")
    one = engine.run(source, "wildfire", [2, 4], cells=1).plot("wildfire")
    assert len(one.collections[0].get_segments()) == 7  # full of one scenario, three windows of two


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"risk": "drought"}, "the result holds no drought; it has river_flood, wildfire"),
        ({"what": "aals"}, "what: unknown quantity 'aals'.*did you mean aal"),
        ({"period": "fulll"}, "unknown period 'fulll'.*did you mean full"),
        ({"scenario": 1}, "the result holds no river_flood of SSP1-2.6"),
        ({"what": "change", "period": "short_term"}, "short_term has no change"),
        ({"what": "interval", "ax": object()}, "what='interval' draws three maps"),
    ],
)
def test_a_picture_of_what_is_not_there_is_refused(result, options, message):
    with pytest.raises(SettingsError, match=message):
        result.plot(**options)


def test_a_result_says_what_it_holds(result):
    said = repr(result)
    assert said.splitlines() == [
        "<engine.Result: 60 cells, edition 2025-11, scope synthetic>",
        "risks:     river_flood, wildfire",
        "scenarios: SSP2-4.5, SSP5-8.5",
        "periods:   full, short_term, mid_term, long_term",
    ]
