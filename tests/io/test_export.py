"""Every format of an export holds the figures of the tables, says what they are, and is whole or not there."""

import json
from contextlib import closing

import fastexcel
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely
import xarray as xr
from polars.testing import assert_frame_equal

from engine import kernels
from engine.core.errors import SettingsError, SinkError
from engine.io.db import postgres
from engine.io.export import cog, formats, tables, target
from engine.io.export.dataset import Axes, to_dataset
from engine.io.export.figures import FIGURES, METHODS
from engine.io.export.formats import FORMATS, export_to
from engine.io.export.geoparquet import cell_shapes
from engine.io.export.layers import DatabaseLayers, FolderLayers, LayerKey, RunLayers
from engine.io.export.table import Export, chosen
from tests.io.test_load import publish

KEY = LayerKey("drought", 4, "long_term")
RUN = {"run_id": 7, "edition": "2025-11", "scope": "full", "source_fingerprint": "a" * 64, "summary": None}


class Made:
    """Layers of given cells: the AAL of a cell is its number in ten thousand."""

    where, run, runs = "made", RUN, {7: RUN}

    def __init__(self, latitude, longitude, keys=(KEY,), **summary):
        places = {"latitude": np.asarray(latitude, float), "longitude": np.asarray(longitude, float)}
        ids = np.arange(1, len(places["latitude"]) + 1, dtype=np.int32)
        self.cells, self.keys = pl.DataFrame({"grid_id": ids, **places}), list(keys)
        self.run = RUN | {"summary": summary or None}

    def read(self, key):
        aal = self.cells["grid_id"].cast(pl.Float32) / 10_000
        return pl.DataFrame(
            [self.cells["grid_id"], *(aal.alias("aal") if n == "aal" else pl.Series(n, [None] * len(aal), e.kind)
                                      for n, e in FIGURES.items())]
        )  # fmt: skip


def grid(n_lat, n_lon, south=10.0, west=20.0, step=0.5):
    rows, columns = np.divmod(np.arange(n_lat * n_lon), n_lon)
    east = west + columns * step
    return south + rows * step, np.where(east > 180, east - 360, east)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A published run as files, with its run directory beside."""
    home = tmp_path_factory.mktemp("export")
    publish(str(home / "out"), home / "runs", 1)
    return home


@pytest.fixture(scope="module")
def layers(files):
    return FolderLayers(files / "out")


def test_a_directory_a_run_and_a_database_give_the_same_layers(files, layers, results, tmp_path):
    publish(results, tmp_path, 1)
    with closing(postgres.connect(results)) as connection:
        others = [RunLayers(files / "runs", 1), DatabaseLayers(connection, results)]
        for other in others:
            assert other.keys == layers.keys
            assert len(other.keys) == 26
            assert_frame_equal(other.cells, layers.cells)
            for key in (KEY, LayerKey("extreme_heat", 2, "full")):
                assert_frame_equal(other.read(key), layers.read(key))


def of_geoparquet(folder, cell):
    rows = pl.read_parquet(folder / "drought.parquet")
    return row_of(rows, cell)


def row_of(rows, cell):
    return rows.filter(
        (pl.col("grid_id") == cell) & (pl.col("scenario") == "SSP5-8.5") & (pl.col("time_period") == "long_term")
    ).row(0, named=True)


def of_arrays(data, layers, cell):
    place = layers.cells.filter(pl.col("grid_id") == cell).row(0, named=True)
    chosen_ = data.sel(risk="drought", scenario="SSP5-8.5", period="long_term").sel(
        latitude=place["latitude"], longitude=place["longitude"], method="nearest"
    )
    told = {name: chosen_[name].item() for name in FIGURES}
    return told | {"method": METHODS[int(told["method"])], "significant": bool(told["significant"])}


def of_netcdf(folder, cell, layers):
    with xr.open_dataset(folder / "results.nc", engine="h5netcdf") as data:
        return of_arrays(data, layers, cell)


def of_zarr(folder, cell, layers):
    pytest.importorskip("zarr", reason="the extra export is not installed")
    with xr.open_zarr(folder / "results.zarr", chunks=None) as data:
        return of_arrays(data, layers, cell)


def of_cog(folder, cell, layers):
    place = layers.cells.filter(pl.col("grid_id") == cell).row(0, named=True)
    with rasterio.open(folder / "drought_ssp5-8.5_long_term.tif") as file:
        step, _, west, _, _, north, *_ = file.transform
        row, column = int((north - place["latitude"]) / step), int((place["longitude"] - west) / step)
        return dict(zip(file.descriptions, file.read()[:, row, column].tolist(), strict=True))


def of_workbook(folder, cell):
    return row_of(fastexcel.read_excel(folder / "results.xlsx").load_sheet("drought").to_polars(), cell)


def of_duckdb(folder, cell):
    duckdb = pytest.importorskip("duckdb", reason="the extra export is not installed")
    with duckdb.connect(folder / "results.duckdb", read_only=True) as connection:
        found = connection.execute(
            "SELECT * FROM drought WHERE grid_id = ? AND scenario = 'SSP5-8.5' AND time_period = 'long_term'", [cell]
        )
        return dict(zip([each[0] for each in found.description], found.fetchone(), strict=True))


READERS = {
    "geoparquet": lambda folder, cell, _: of_geoparquet(folder, cell),
    "csv": lambda folder, cell, _: row_of(pl.read_csv(folder / "drought.csv"), cell),
    "xlsx": lambda folder, cell, _: of_workbook(folder, cell),
    "netcdf": of_netcdf,
    "zarr": of_zarr,
    "cog": of_cog,
    "duckdb": lambda folder, cell, _: of_duckdb(folder, cell),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_holds_the_figures_of_the_tables(name, layers, tmp_path):
    if name in ("zarr", "duckdb"):
        pytest.importorskip(name, reason="the extra export is not installed")
    export_to(tmp_path / "out", Export(layers, layers.keys), name)
    true = layers.read(KEY).filter(pl.col("change").is_not_null() & pl.col("hazard_score").is_not_null())
    for row in (true.row(0, named=True), true.row(-1, named=True)):
        told = READERS[name](tmp_path / "out", row["grid_id"], layers)
        for figure in set(told) & set(FIGURES):
            assert np.float32(told[figure]) == np.float32(row[figure]) if isinstance(row[figure], float) else (
                told[figure] == row[figure]
            ), figure  # fmt: skip
        assert {"aal", "aal_low", "aal_high", "hazard_score", "change"} <= set(told)
    about = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))
    assert (about["run_id"], about["edition"], about["scope"]) == (1, "2025-11", "full")


def test_missing_figures_are_missing_and_no_number(layers, tmp_path):
    export = Export(layers, layers.keys)
    for name in ("netcdf", "geoparquet", "csv"):
        export_to(tmp_path / name, export, name)
    gone = layers.read(KEY).filter(pl.col("aal").is_null())["grid_id"][0]
    with xr.open_dataset(tmp_path / "netcdf/results.nc", engine="h5netcdf") as data:
        told = of_arrays(data.fillna(-9), layers, gone)
        assert (told["aal"], told["change"], told["method"]) == (-9, -9, "insufficient_data")
        assert int(np.isfinite(data["aal"].sel(risk="drought", scenario="SSP1-2.6", period="full")).sum()) == 0
    assert of_geoparquet(tmp_path / "geoparquet", gone)["aal"] is None
    assert row_of(pl.read_csv(tmp_path / "csv/drought.csv"), gone)["aal"] is None


def test_geoparquet_says_where_its_cells_are_and_what_its_columns_mean(layers, tmp_path):
    export_to(tmp_path / "out", Export(layers, chosen(layers, risks=["drought"])), "geoparquet")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["drought.parquet", "export.json", "run.json"]
    schema = pq.read_schema(tmp_path / "out/drought.parquet")
    geo = json.loads(schema.metadata[b"geo"])
    column = geo["columns"][geo["primary_column"]]
    assert (geo["version"], column["encoding"], column["geometry_types"]) == ("1.1.0", "WKB", ["Polygon"])
    assert column["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
    assert all(field.metadata and field.metadata[b"description"] for field in schema)
    rows = pl.read_parquet(tmp_path / "out/drought.parquet")
    shapes = shapely.from_wkb(rows["geometry"].to_list())
    sides = rows["bbox"].struct.unnest().to_numpy()
    np.testing.assert_array_equal(shapely.bounds(shapes), sides)
    np.testing.assert_allclose(sides[:, 2] - sides[:, 0], 0.01, atol=1e-9)
    centres = shapely.centroid(shapes)
    np.testing.assert_allclose(shapely.get_x(centres), rows["longitude"], atol=1e-9)
    np.testing.assert_allclose(column["bbox"], [*sides[:, :2].min(axis=0), *sides[:, 2:].max(axis=0)])


def test_a_cell_on_the_date_line_is_cut_there_and_stays_as_large():
    export = Export(Made(*grid(2, 5, west=179.0)), [KEY])
    shapes = cell_shapes(export, "polygon")
    west, south, east, north = export.lattice.bounds
    assert (west, east) == (178.75, 181.25)
    assert {each.geom_type for each in shapes} == {"Polygon", "MultiPolygon"}
    np.testing.assert_allclose(shapely.area(shapes), 0.25)
    assert np.abs(shapely.bounds(shapes)[:, [0, 2]]).max() == 180.0
    assert set(np.unique([each.geom_type for each in cell_shapes(export, "point")])) == {"Point"}
    assert cog._box(export.lattice) == [178.75, south, -178.75, north]
    assert shapely.geometry.shape(cog._outline(export.lattice)).area == pytest.approx((east - west) * (north - south))


def test_arrays_follow_cf_and_streamed_files_equal_the_dataset_in_memory(layers, tmp_path):
    export = Export(layers, chosen(layers, risks=["drought"], scenarios=[2, 4]))
    export_to(tmp_path / "out", export, "netcdf")
    rows = pl.concat(export.rows(key) for key in export.keys)
    with xr.open_dataset(tmp_path / "out/results.nc", engine="h5netcdf") as data:
        own = to_dataset(rows, layers.run)
        assert own.sizes == data.sizes
        for name in FIGURES:
            np.testing.assert_array_equal(xr.decode_cf(own)[name], data[name])
            assert own[name].attrs["long_name"] == data[name].attrs["long_name"]
        assert data.attrs["Conventions"] == "CF-1.11"
        assert data["aal"].attrs["ancillary_variables"].split() == [n for n, e in FIGURES.items() if e.of == "aal"]
        assert data["crs"].attrs["grid_mapping_name"] == "latitude_longitude"
        assert {each.attrs.get("grid_mapping", each.encoding.get("grid_mapping")) for each in
                (data[name] for name in FIGURES)} == {"crs"}  # fmt: skip
        for name in ("latitude", "longitude"):
            bounds = data[data[name].attrs["bounds"]].to_numpy()
            np.testing.assert_allclose(bounds[1:, 0], bounds[:-1, 1], atol=1e-9)
            np.testing.assert_allclose(bounds.mean(axis=1), data[name])
        assert data["first_year"].sel(period="long_term") == 2081
        assert list(data["aal"].sel(period="mid_term").coords["scenario_id"].values) == [2, 4]


def test_places_of_a_list_are_points_and_no_raster(tmp_path):
    apart = Made([33.1, 35.77, 37.5], [126.5, 128.1, 127.0], apart=True)
    export = Export(apart, [KEY])
    with pytest.raises(SettingsError, match="places of a list and no area"):
        export_to(tmp_path / "cog", export, "cog")
    assert not (tmp_path / "cog").exists()
    export_to(tmp_path / "nc", export, "netcdf")
    with xr.open_dataset(tmp_path / "nc/results.nc", engine="h5netcdf") as data:
        assert data.attrs["featureType"] == "point"
        assert data["aal"].dims == ("risk", "scenario", "period", "cell")
        np.testing.assert_allclose(data["aal"].squeeze(), np.float32([1, 2, 3]) / 10_000)
        np.testing.assert_array_equal(data["aal"].coords["latitude"], [33.1, 35.77, 37.5])
    assert {each.geom_type for each in cell_shapes(export, "polygon")} == {"Point"}


def test_a_raster_is_tiled_north_up_with_names_and_overviews(tmp_path):
    made = Made(*grid(300, 520, step=0.1))
    export_to(tmp_path / "out", Export(made, [KEY]), "cog")
    with rasterio.open(tmp_path / "out/drought_ssp5-8.5_long_term.tif") as file:
        assert (file.width, file.height, file.descriptions, file.block_shapes) == (520, 300, ("aal",), [(256, 256)])
        assert np.isnan(file.nodata)
        assert file.overviews(1)[:2] == [2, 4]
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (file.tags()["RISK"], file.tags()["YEARS"], file.tags()["EDITION"]) == (
            "drought",
            "2081-2100",
            "2025-11",
        )
        assert tuple(np.round(file.transform, 9))[:6] == (0.1, 0, made_bounds(made)[0], 0, -0.1, made_bounds(made)[3])
        assert file.read(1)[0, 0] == made.read(KEY)["aal"][299 * 520]
    item = json.loads((tmp_path / "out/drought_ssp5-8.5_long_term.json").read_text("utf-8"))
    assert item["assets"]["data"]["href"] == "./drought_ssp5-8.5_long_term.tif"
    assert (item["bbox"], item["properties"]["end_datetime"]) == (list(made_bounds(made)), "2100-12-31T23:59:59Z")


def made_bounds(made):
    west, south, east, north = Export(made, [KEY]).lattice.bounds
    return west, south, east, north


def test_a_workbook_that_does_not_fit_is_refused_with_what_to_do(layers, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MOST_ROWS", 600)
    with pytest.raises(SettingsError, match=r"up to 780 rows \(60 cells, 13 pairs .*--scenarios and --period"):
        export_to(tmp_path / "out", Export(layers, layers.keys), "xlsx")
    assert list(tmp_path.iterdir()) == []


def test_an_export_is_whole_or_not_there_and_replaces_nothing_unasked(layers, tmp_path, monkeypatch):
    one, two = (Export(layers, chosen(layers, risks=[risk])) for risk in ("drought", "extreme_heat"))
    place = tmp_path / "out"
    assert export_to(place, one, "csv").size > 0
    before = (place / "drought.csv").read_bytes()
    assert export_to(place, one, "csv").size is None
    with pytest.raises(SettingsError, match=r"holds another export.*--force"):
        export_to(place, two, "csv")

    def failing(folder, export):
        (folder / "half.csv").write_text("1")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(formats, "_writer", lambda name, geometry: failing)
        with pytest.raises(SinkError, match="no space left"):
            export_to(place, two, "csv", force=True)
    assert (place / "drought.csv").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    export_to(place, two, "csv", force=True)
    assert {path.name for path in place.iterdir()} >= {"extreme_heat.csv", "columns.csv"}
    assert not (place / "drought.csv").exists()
    (place / "extreme_heat.csv").write_bytes(b"cut")
    assert not target.is_equal(place, {"of": 1})
    with pytest.raises(SettingsError, match="holds another export"):
        export_to(place, two, "csv")
    (tmp_path / "own").mkdir()
    (tmp_path / "own/thesis.txt").write_text("mine")
    with pytest.raises(SettingsError, match="holds files that are no export"):
        export_to(tmp_path / "own", two, "csv", force=True)


def test_what_is_not_there_is_named(layers):
    with pytest.raises(SettingsError, match="no results of risk typhoon; there: drought, extreme_heat"):
        chosen(layers, risks=["typhoon"])
    with pytest.raises(SettingsError, match="none of the 26 layers"):
        chosen(layers, scenarios=[1], periods=["full"])


def test_words_of_methods_are_those_of_the_kernels():
    assert METHODS == kernels.METHODS
    axes = Axes(RUN, ["drought"], [4], ["long_term"], Made([1.0], [2.0]).cells, None)
    assert axes.array("method", pl.DataFrame({"grid_id": [1], "method": ["kde"]}, schema_overrides={
        "grid_id": pl.Int32})).tolist() == [2]  # fmt: skip
