import warnings
from contextlib import ExitStack

import numpy as np
import psycopg
import pytest
import rasterio
from affine import Affine

from engine.core.errors import SchemaError
from engine.io.etl.load_record import GateError
from engine.io.etl.loaders import landcover
from engine.io.etl.loading import LoadOptions
from engine.io.files.source_files import MissingInputError
from tests.io.lattices import quiet
from tests.io.test_dem import GRID, TO_DEGREES, laid  # noqa: F401  (a fixture)

MINISTRY = dict(zip(landcover.CLASSES, range(100, 800, 100), strict=True))
OTHER = {"water": 1, "urban": 2, "agricultural": 3, "forest": 4, "grassland": 5, "wetland": 6, "barren": 7}
WEST, NORTH = 226_000.0, 422_000.0
SHARES = {
    "urban": 0.1,
    "agricultural": 0.15,
    "forest": 0.62,
    "grassland": 0.05,
    "wetland": 0.02,
    "barren": 0.03,
    "water": 0.03,
}


def legend(folder, numbers):
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["[classes]", *(f'{value} = "{name}"' for name, value in numbers.items())]
    (folder / "legend.toml").write_text("\n".join(lines))


def sheet(path, numbers, n=300, west=WEST, north=NORTH, seed=1, crs="EPSG:5186", names=None):
    """A sheet of 30 m with random classes, the first column without data. Returns the class names."""
    if names is None:
        names = np.random.default_rng(seed).choice(list(SHARES), (n, n), p=list(SHARES.values()))
    values = np.vectorize(numbers.get)(names).astype(np.uint16)
    values[:, 0] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", width=n, height=n, count=1, dtype="uint16", crs=crs, nodata=0,
        transform=Affine(30, 0, west, 0, -30, north),
    ) as target:  # fmt: skip
        target.write(values, 1)
    return names


def naive(names, west=WEST, north=NORTH, counts=None, taken=()):
    """grid_id -> class -> pixels, pixel centre by pixel centre."""
    counts = {} if counts is None else counts
    n = len(names)
    for i in range(n):
        x = west + (np.arange(1, n) + 0.5) * 30
        y = np.full(n - 1, north - (i + 0.5) * 30)
        free = np.ones(n - 1, bool)
        for left, top, size in taken:
            free &= ~((x > left + 30) & (x < left + size * 30) & (y < top) & (y > top - size * 30))
        longitude, latitude = TO_DEGREES.transform(x, y)
        ids = GRID.locate(latitude, longitude)
        for cell, name, ok in zip(ids.tolist(), names[i, 1:].tolist(), free.tolist(), strict=True):
            if ok and cell:
                counts.setdefault(cell, dict.fromkeys(SHARES, 0))[name] += 1
    return counts


def load(laid, **options):  # noqa: F811
    with psycopg.connect(laid[0], autocommit=True) as connection:
        (report,) = landcover.load(connection, LoadOptions(data=laid[1], **options), quiet)
    return report


def attributes(laid, columns="grid_id, landcover_mode, impervious_ratio, forest_ratio"):  # noqa: F811
    with psycopg.connect(laid[0]) as connection:
        return connection.execute(f"SELECT {columns} FROM grid_attributes ORDER BY grid_id").fetchall()


@pytest.mark.parametrize("numbers", [MINISTRY, OTHER])
def test_shares_of_overlapping_sheets_are_those_of_every_pixel_counted_once_under_either_legend(laid, numbers):  # noqa: F811
    folder = laid[1] / "landcover"
    legend(folder, numbers)
    one = sheet(folder / "36704.tif", numbers)
    two = sheet(folder / "36705.tif", numbers, west=WEST + 4500, seed=2)
    report = load(laid)
    expected = naive(two, WEST + 4500, counts=naive(one), taken=[(WEST, NORTH, 300)])
    assert (report.status, report.rows) == ("published", len(expected))
    for cell, mode, impervious, forest in attributes(laid):
        held = expected[cell]
        assert mode == max(held, key=held.get)
        assert forest == pytest.approx(held["forest"] / sum(held.values()), abs=1e-6)
        assert impervious == pytest.approx(0.85 * held["urban"] / sum(held.values()), abs=1e-6)
    assert load(laid).status == "up to date"


def test_the_wrong_legend_is_refused_because_the_country_would_look_wrong(laid):  # noqa: F811
    folder = laid[1] / "landcover"
    sheet(folder / "36704.tif", {name: number // 100 for name, number in MINISTRY.items()})
    legend(folder, OTHER)
    with pytest.raises(GateError, match=r"the share of forest under this legend outside 0\.55\.\.0\.7"):
        load(laid)
    assert attributes(laid) == []


def test_distance_to_forest_reaches_the_nearest_pixel_of_any_sheet(laid):  # noqa: F811
    folder = laid[1] / "landcover"
    legend(folder, MINISTRY)
    names = np.full((300, 300), "agricultural", object)
    names[:, 200:] = "forest"
    sheet(folder / "a.tif", MINISTRY, names=names)
    gate = laid[1] / "gate.toml"
    gate.write_text("[landcover_forest]\nhard = [0, 1]\n")
    load(laid, gate=gate)
    edge = WEST + 200 * 30
    plane = dict(attributes(laid, "grid_id, dist_forest_m"))
    x = np.array([WEST + 500.0, WEST + 3000.0])
    y = np.full(2, NORTH - 4500.0)
    for cell in GRID.locate(*TO_DEGREES.transform(x, y)[::-1]).tolist():
        i, j = GRID.indices([cell])
        longitude, latitude = GRID.longitudes[j], GRID.latitudes[i]
        here = TO_DEGREES.transform(longitude, latitude, direction="INVERSE")[0][0]
        assert plane[cell] == pytest.approx(max(edge - here, 0), abs=35)


def test_sheets_without_legend_crs_or_known_classes_are_refused(laid):  # noqa: F811
    folder = laid[1] / "landcover"
    path = folder / "a.tif"
    sheet(path, MINISTRY, crs=None)
    with pytest.raises(MissingInputError, match=r"a legend is needed: no file landcover/legend\*\.toml"):
        load(laid)
    legend(folder, MINISTRY)
    with pytest.raises(SchemaError, match=r"a\.tif does not state its CRS; give it with --crs"):
        load(laid)
    assert load(laid, crs="EPSG:5186").status == "published"
    legend(folder, {name: value for name, value in MINISTRY.items() if name != "barren"})
    with pytest.raises(SchemaError, match=r"value 600 in .* pixels is not in the legend"):
        load(laid, crs="EPSG:5186")
    legend(folder, MINISTRY)
    with pytest.raises(SchemaError, match="no pixel lies on the lattice when read as EPSG:5174"):
        load(laid, crs="EPSG:5174")
    path.write_text("<html>")
    with pytest.raises(SchemaError, match=r"a\.tif is an error page, not data"):
        load(laid)
    (folder / "legend.toml").write_text('[classes]\n1 = "ocean"')
    with pytest.raises(SchemaError, match="1 = 'ocean'; classes are urban"):
        load(laid)


def masked(path, numbers, how, n=60):
    """A sheet of forest whose upper half is masked: its pixels hold the number of water, which counts for nothing."""
    values = np.full((n, n), numbers["forest"], np.uint16)
    values[: n // 2] = numbers["water"]
    mask = np.full((n, n), 255, np.uint8)
    mask[: n // 2] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "width": n, "height": n, "dtype": "uint16", "crs": "EPSG:5186", "count": 1,
               "transform": Affine(30, 0, WEST, 0, -30, NORTH)}  # fmt: skip
    if how == "alpha":
        profile |= {"count": 2, "alpha": "yes"}
    if how == "nodata":
        profile |= {"nodata": numbers["water"]}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=how == "internal mask"),
        rasterio.open(path, "w", **profile) as target,
    ):
        target.write(values, 1)
        if how == "alpha":
            target.write(mask.astype(np.uint16) * 257, 2)
        elif how != "nodata":
            target.write_mask(mask)
    return path


@pytest.mark.parametrize("how", ["internal mask", "mask beside", "alpha", "nodata"])
def test_masked_pixels_are_no_land_cover_whichever_way_the_file_masks_them(tmp_path, how):
    path = masked(tmp_path / "a.tif", MINISTRY, how)
    assert (how == "mask beside") == (tmp_path / "a.tif.msk").exists()
    with ExitStack() as stack:
        legend_numbers = {number: landcover.CLASSES.index(name) for name, number in MINISTRY.items()}
        [sheet_read] = landcover.Sheets(stack, [path], legend_numbers, GRID, None).sheets
        kinds, _, latitude = (np.concatenate(part) for part in zip(*sheet_read.pixels(), strict=True))
        degrees = sheet_read.degrees.transform(np.full(2, WEST + 900), np.array([NORTH - 300, NORTH - 1500]))
        assert sheet_read.covers(*degrees).tolist() == [False, True]
    assert kinds.tolist() == [landcover.CLASSES.index("forest")] * 30 * 60
    assert latitude.max() < degrees[1][0] + 0.006


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (Affine.identity(), "a.tif does not say where its pixels lie: it has no transform and no world file"),
        (Affine(30, 0, WEST, 60, 0, NORTH), "a.tif is broken: its transform .* places no pixel"),
        (Affine(float("nan"), 0, WEST, 0, -30, NORTH), "a.tif is broken: its transform .* places no pixel"),
    ],
)
def test_a_raster_that_does_not_say_where_it_lies_is_refused(laid, transform, message):  # noqa: F811
    folder = laid[1] / "landcover"
    legend(folder, MINISTRY)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(
            folder / "a.tif", "w", driver="GTiff", width=4, height=4, count=1, dtype="uint16", crs="EPSG:5186",
            transform=transform,
        ) as target:  # fmt: skip
            target.write(np.full((1, 4, 4), 300, np.uint16))
    with pytest.raises(SchemaError, match=message):
        load(laid)


def test_a_world_file_beside_a_raster_places_it_and_belongs_to_the_load(laid):  # noqa: F811
    folder = laid[1] / "landcover"
    legend(folder, MINISTRY)
    sheet(folder / "a.tif", MINISTRY)
    with rasterio.open(folder / "a.tif") as source:
        values = source.read(1)
    profile = {"driver": "GTiff", "width": 300, "height": 300, "count": 1, "dtype": "uint16", "crs": "EPSG:5186"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(folder / "a.tif", "w", nodata=0, **profile) as target:
            target.write(values, 1)
    world = folder / "a.tfw"
    world.write_text("\n".join(map(str, (30, 0, 0, -30, WEST + 15, NORTH - 15))))
    assert (load(laid).status, load(laid).status) == ("published", "up to date")
    world.write_text("\n".join(map(str, (30, 0, 0, -30, WEST + 315, NORTH - 15))))
    assert load(laid).status == "published"


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1])
@pytest.mark.parametrize("options", [{}, {"compress": "deflate", "tiled": True, "blockxsize": 64, "blockysize": 64}])
def test_a_raster_that_was_cut_is_refused(laid, share, options):  # noqa: F811
    folder = laid[1] / "landcover"
    legend(folder, MINISTRY)
    sheet(folder / "a.tif", MINISTRY)
    if options:
        with rasterio.open(folder / "a.tif") as source:
            values, profile = source.read(1), source.profile | options
        with rasterio.open(folder / "a.tif", "w", **profile) as target:
            target.write(values, 1)
    raw = (folder / "a.tif").read_bytes()
    (folder / "a.tif").write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(SchemaError, match=r"a\.tif is broken"):
        load(laid)


def test_a_legend_that_is_not_utf8_is_refused(laid):  # noqa: F811
    sheet(laid[1] / "landcover/a.tif", MINISTRY)
    (laid[1] / "landcover/legend.toml").write_bytes('# 범례\n[classes]\n300 = "forest"'.encode("cp949"))
    with pytest.raises(SchemaError, match=r"legend\.toml cannot be read: 'utf-8' codec can't decode"):
        load(laid)


def test_without_sheets_land_cover_is_absent(laid):  # noqa: F811
    assert load(laid).status == "absent"
