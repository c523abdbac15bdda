"""Land cover from NetCDF maps of LCCS codes, as ESA CCI and Copernicus publish them."""

from __future__ import annotations

import h5netcdf
import numpy as np
import psycopg
import pytest
import xarray as xr

from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition
from engine.io.etl.loaders import landcover, lccs
from engine.io.etl.loading import LoadOptions
from tests.io.lattices import quiet
from tests.io.test_dem import GRID, laid  # noqa: F401  (a fixture)

CODES = np.array(sorted(lccs.MEANINGS), np.uint8)
#: pixels a cell
FINE = 6


def box(grid: GridDefinition = GRID, fine: int = FINE) -> tuple[np.ndarray, np.ndarray]:
    """Latitudes southward and longitudes eastward of the pixels of a lattice."""
    step = grid.step / fine
    south, west = grid.lat0 - grid.step / 2 + step / 2, grid.lon0 - grid.step / 2 + step / 2
    return (south + step * np.arange(grid.n_lat * fine))[::-1], west + step * np.arange(grid.n_lon * fine)


def write(path, codes, latitude, longitude, *, time=True, attributes=None, name=lccs.VARIABLE, **of_file):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5netcdf.File(path, "w") as file:
        file.attrs.update(of_file)
        file.dimensions = {"lat": len(latitude), "lon": len(longitude)} | ({"time": 1} if time else {})
        for axis, degrees, unit in (("lat", latitude, "degrees_north"), ("lon", longitude, "degrees_east")):
            file.create_variable(axis, (axis,), np.float64, data=degrees).attrs["units"] = unit
        if time:
            stamp = file.create_variable("time", ("time",), np.float64, data=np.zeros(1))
            stamp.attrs["units"] = "days since 2022-01-01"
        dimensions, values = (("time", "lat", "lon"), codes[None]) if time else (("lat", "lon"), codes)
        data = file.create_variable(name, dimensions, codes.dtype, data=values)
        data.attrs.update({"valid_min": np.uint8(1), "valid_max": np.uint8(220)} | (attributes or {}))


def load(laid, **given):  # noqa: F811
    with psycopg.connect(laid[0], autocommit=True) as connection:
        return landcover.load(connection, LoadOptions(data=laid[1], **given), quiet)[0]


def stored(laid):  # noqa: F811
    with psycopg.connect(laid[0]) as connection:
        query = "SELECT grid_id, landcover_mode, impervious_ratio, forest_ratio, dist_forest_m FROM grid_attributes"
        return {row[0]: row[1:] for row in connection.execute(query)}


def naive(codes, latitude, longitude, grid=GRID):
    """Cell -> counts of our classes, pixel by pixel."""
    found = {}
    for cell, code in zip(
        grid.locate(latitude[:, None], longitude).ravel().tolist(), codes.ravel().tolist(), strict=True
    ):
        if code:
            found.setdefault(cell, dict.fromkeys(landcover.CLASSES, 0))[lccs.MEANINGS[code][1]] += 1
    return found


def some_codes(rows, columns, seed=1):
    codes = np.random.default_rng(seed).choice(CODES, (rows, columns))
    codes[:3, :3] = 0  # no data
    return codes


@pytest.mark.parametrize("form", ["time", "no time", "northward", "signed bytes", "0 to 360, lon first"])
def test_shares_are_those_of_the_pixels_whatever_the_form_of_the_file(laid, form):  # noqa: F811
    latitude, longitude = box()
    codes = some_codes(len(latitude), len(longitude))
    path = laid[1] / "landcover" / "map.nc"
    if form == "signed bytes":  # how NetCDF classic, which has no unsigned bytes, holds them
        path.parent.mkdir(parents=True)
        axes = {
            "lat": ("lat", latitude, {"units": "degrees_north"}),
            "lon": ("lon", longitude, {"units": "degrees_east"}),
        }
        held = xr.Variable(("lat", "lon"), codes.view(np.int8), {"_Unsigned": "true", "valid_min": np.int8(1)})
        xr.Dataset({lccs.VARIABLE: held}, coords=axes).to_netcdf(path, engine="scipy", format="NETCDF3_CLASSIC")
    elif form == "northward":
        write(path, codes[::-1], latitude[::-1], longitude)
    elif form == "0 to 360, lon first":
        with h5netcdf.File((path.parent.mkdir(parents=True), path)[1], "w") as file:
            file.dimensions = {"longitude": len(longitude), "latitude": len(latitude)}
            file.create_variable("longitude", ("longitude",), np.float64, data=longitude % 360)
            file.create_variable("latitude", ("latitude",), np.float64, data=latitude)
            file.create_variable("LCCS_class", ("longitude", "latitude"), np.uint8, data=codes.T)
    else:
        write(path, codes, latitude, longitude, time=form == "time")
    assert load(laid).status == "published"
    rows, expected = stored(laid), naive(codes, latitude, longitude)
    assert rows.keys() <= expected.keys()
    assert len(rows) > 2
    for cell, (mode, sealed, forest, _) in rows.items():
        counts = dict(expected[cell])
        land = sum(counts.values()) - counts.pop("water")
        assert counts[mode] == max(counts.values())
        assert sealed == pytest.approx(0.85 * counts["urban"] / land, abs=1e-6)
        assert forest == pytest.approx(counts["forest"] / land, abs=1e-6)


def test_the_sea_has_no_part_in_the_land_beside_it_and_a_cell_of_water_alone_is_water(laid):  # noqa: F811
    latitude, longitude = box()
    codes = np.full((len(latitude), len(longitude)), 210, np.uint8)
    codes[-FINE:, :2] = 61  # a third of the first cell
    write(laid[1] / "landcover" / "map.nc", codes, latitude, longitude)
    load(laid)
    rows = stored(laid)
    assert rows[1][:3] == ("forest", 0.0, 1.0)
    assert {row[:3] for cell, row in rows.items() if cell != 1} == {("water", 0.0, 0.0)}


@pytest.mark.parametrize("fine", [1, 2, 5, 24])
def test_a_wood_of_large_pixels_has_no_gaps(laid, fine):  # noqa: F811
    latitude, longitude = box(fine=fine)
    write(laid[1] / "landcover" / "map.nc", np.full((len(latitude), len(longitude)), 90, np.uint8), latitude, longitude)
    load(laid)
    assert {row[-1] for row in stored(laid).values()} == {0.0}


def test_of_a_larger_map_only_the_lattice_is_read_and_the_file_says_its_scope(laid, monkeypatch):  # noqa: F811
    latitude, longitude = box()
    codes = some_codes(len(latitude), len(longitude))
    write(laid[1] / "landcover" / "map.nc", codes, latitude, longitude)
    load(laid)
    expected, step = stored(laid), GRID.step / FINE
    more = np.arange(1, 31) * step
    wide = np.pad(codes, 30, constant_values=7)  # 7 is no code: reading it would be refused
    north = np.concatenate([latitude[0] + more[::-1], latitude, latitude[-1] - more])
    east = np.concatenate([longitude[0] - more[::-1], longitude, longitude[-1] + more])
    write(laid[1] / "landcover" / "map.nc", wide, north, east, scope="synthetic")
    monkeypatch.setattr(lccs, "_SLAB", 7 * len(longitude))
    assert load(laid).status == "published"
    assert stored(laid) == expected
    assert load(laid).status == "up to date"
    with psycopg.connect(laid[0]) as connection:
        scopes = connection.execute("SELECT scope FROM etl_load WHERE status = 'published' AND loader = 'landcover'")
        assert scopes.fetchall() == [("synthetic",)]


def test_of_maps_that_overlap_the_first_by_name_counts(laid):  # noqa: F811
    latitude, longitude = box()
    half = len(longitude) // 2 + 2
    forest = np.full((len(latitude), half), 90, np.uint8)
    forest[:, 0] = 0
    write(laid[1] / "landcover" / "a.nc", forest, latitude, longitude[:half])
    write(laid[1] / "landcover" / "b.nc", np.full((len(latitude), len(longitude)), 190, np.uint8), latitude, longitude)
    load(laid)
    both = np.full((len(latitude), len(longitude)), 190, np.uint8)
    both[:, 1:half] = 90
    expected = naive(both, latitude, longitude)
    for cell, (_, _, share, _) in stored(laid).items():
        assert share == pytest.approx(expected[cell]["forest"] / FINE**2, abs=1e-6)


FLAGS = {"flag_values": np.array([10, 190, 210], np.uint8)}


@pytest.mark.parametrize(
    ("code", "given", "message"),
    [
        (7, {}, r"map\.nc: lccs_class holds 7 in \d+ pixels, which is no code of the LCCS"),
        (190, {"attributes": FLAGS | {"flag_meanings": "cropland forest water"}},
         r"map\.nc: lccs_class: code 190 means 'forest' there, expected 'urban': not the LCCS"),
        (190, {"name": "LC_Type1"}, r"map\.nc: 0 variables lccs_class, expected 1; .* GeoTIFF with a legend\.toml"),
    ],
)  # fmt: skip
def test_a_map_of_other_classes_is_refused(laid, code, given, message):  # noqa: F811
    latitude, longitude = box()
    codes = np.full((len(latitude), len(longitude)), code, np.uint8)
    write(laid[1] / "landcover" / "map.nc", codes, latitude, longitude, **given)
    with pytest.raises(SchemaError, match=message):
        load(laid)


def test_maps_of_two_years_are_refused_rather_than_one_of_them_taken(laid):  # noqa: F811
    latitude, longitude = box()
    for year in (2019, 2020):
        codes = np.full((len(latitude), len(longitude)), 190, np.uint8)
        write(laid[1] / "landcover" / f"{year}.nc", codes, latitude, longitude, time_coverage_start=f"{year}0101")
    with pytest.raises(SchemaError, match=r"2 different times: 2019\.nc \(20190101\), 2020\.nc \(20200101\)"):
        load(laid)
