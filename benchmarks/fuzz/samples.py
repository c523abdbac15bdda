"""Small sound files of every loader and format, for the fuzz to damage: each function puts its own below a folder."""

from __future__ import annotations

import json
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import xarray as xr
import xlsxwriter
from numpy.typing import NDArray

from engine.core.grid import GridDefinition
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES
from engine.io.etl import layout
from engine.io.etl.loaders import aqueduct, landcover
from engine.kernels.indices import STANDARD, DayAxis

GRID = GridDefinition(36.30, 127.30, 6, 6, 0.01, 2021, 2023)
WEST, SOUTH, EAST, NORTH = 127.295, 36.295, 127.355, 36.355
TYPHOON = resources.files("engine.sample") / "data" / "typhoon"
YEARS = Years(2001, 2003)


def _text(path: Path, text: str, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding)


def _json(path: Path, document: Any) -> None:
    _text(path, json.dumps(document, ensure_ascii=False))


def grid(root: Path) -> None:
    layout.write_grid(root / "grid.toml", GRID)


def _climate(name: str, scenario: Scenario, lattice: GridDefinition = GRID) -> NDArray[np.float32]:
    monthly = VARIABLES[name].monthly
    steps = lattice.axis.n * (12 if monthly else 1)
    rng = np.random.default_rng([int(scenario), len(name)])
    noise = rng.normal(0, 0.3, (steps, lattice.n_lat, lattice.n_lon))
    summer = -np.cos(2 * np.pi * (np.arange(steps) % 12 + 0.5) / 12)[:, None, None]
    values = (12 + 11 * summer if monthly else 20.0) + 0.2 * int(scenario) + noise
    values[:, 0, 0] = np.nan
    return values.astype(np.float32)


def gridded(name: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        for scenario in Scenario:
            path = layout.gridded_path(root, VARIABLES[name], scenario, GRID.axis)
            values = _climate(name, scenario)
            layout.write_gridded(path, GRID, VARIABLES[name], scenario, values, scope="synthetic", attributes={})

    return write


def packed_gridded(root: Path) -> None:
    """Archives under the name of what is inside, and classic NetCDF."""
    gridded("wsdi")(root)
    for number, path in enumerate(sorted(root.rglob("*WSDI*.nc"))):
        if number % 2:
            bare = path.with_suffix(".member")
            path.rename(bare)
            with tarfile.open(path, "w:gz") as archive:
                archive.add(bare, path.name)
            bare.unlink()
        else:
            with xr.open_dataset(path, decode_cf=False, decode_timedelta=False) as data:
                held = data.load()
            path.unlink()
            held.to_netcdf(path, engine="scipy", format="NETCDF3_64BIT")


def sea_level(root: Path) -> None:
    latitude, longitude = np.meshgrid([36.0, 36.5], [126.0, 126.5, 127.0], indexing="ij")
    for scenario in Scenario:
        rng = np.random.default_rng(int(scenario))
        values = (40 + np.arange(3)[:, None, None] + rng.normal(0, 1, (3, 2, 3))).astype(np.float32)
        values[:, 0, 0] = np.nan
        path = layout.sea_level_path(root, scenario, 2021, 2023)
        layout.write_sea_level(path, latitude, longitude, values, 2021, scope="synthetic", attributes={})


TOWNS = [f"{sigungu}{town}00" for sigungu in ("30200", "30230", "44150") for town in ("101", "102", "103")]
NAMES = ("원내동", "교촌동", "대정동", "오정동", "대화동", "읍내동", "옥룡동", "금성동", "반죽동")


def _squares() -> NDArray[np.object_]:
    """Nine squares that cover the lattice, each with a vertex more than it needs."""
    found = [shapely.box(WEST + i % 3 * 0.02, SOUTH + i // 3 * 0.02, WEST + (i % 3 + 1) * 0.02,
                         SOUTH + (i // 3 + 1) * 0.02) for i in range(9)]  # fmt: skip
    return shapely.segmentize(np.array(found, object), 0.004)


def _layer(path: Path, geometries: Any, crs: str | None, **columns: Sequence[Any]) -> None:
    import pyogrio

    path.parent.mkdir(parents=True, exist_ok=True)
    if crs not in (None, "EPSG:4326"):
        from pyproj import Transformer

        plane = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
        geometries = shapely.transform(geometries, lambda xy: np.column_stack(plane.transform(xy[:, 0], xy[:, 1])))
    if path.suffix == ".geojson":
        features = [{"type": "Feature", "geometry": json.loads(shapely.to_geojson(geometry)),
                     "properties": {name: values[i] for name, values in columns.items()}}
                    for i, geometry in enumerate(geometries)]  # fmt: skip
        _json(path, {"type": "FeatureCollection", "features": features})
        return
    fields = [np.array(values, object) for values in columns.values()]
    kind = shapely.from_wkb(shapely.to_wkb(geometries[0])).geom_type
    korean = {"encoding": "cp949"} if path.suffix == ".shp" else {}
    pyogrio.raw.write(path, shapely.to_wkb(geometries), fields, list(columns), geometry_type=kind, crs=crs, **korean)
    path.with_suffix(".cpg").unlink(missing_ok=True)


def towns(suffix: str, crs: str) -> Callable[[Path], None]:
    return lambda root: _layer(root / f"towns{suffix}", _squares(), crs, BJCD=TOWNS, NAME=NAMES)


def population(root: Path) -> None:
    years = ",".join(f"{year}년" for year in range(2020, 2051, 5))
    lines = [f"행정구역,{years},증감률", "전국,5183.6,5144.8,5119.9,5086.9,5019.3,4902.9,4735.9,-8.6",
             "대전광역시,148.8,145.5,142.9,140.1,136.5,131.7,125.8,-15.5",
             "충청남도,217.6,220.9,224.9,227.5,227.2,224.6,219.7,1.0"]  # fmt: skip
    _text(root / "population/projection.csv", "\n".join(lines) + "\n", "cp949")
    _text(root / "population/counts.csv", "code,population,year\n25,1452251,2020\n34,2121029,2020\n25040,347000,2020\n")
    answer = {"errCd": 0, "result": [{"adm_cd": "25030", "population": "478,000"}, {"adm_cd": "34020",
              "population": "104000"}]}  # fmt: skip
    _json(root / "population/answers.json", [{"params": {"year": "2020"}, "answer": answer}])


def regional(packed: bool) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        for scenario in Scenario:
            lines = [",2501000000,2503000000,3402000000", "시도,대전광역시,대전광역시,충청남도",
                     "시군구,동구,서구,공주시"]  # fmt: skip
            for day in range(40):
                values = ",".join(f"{5 + day / 100 + j + int(scenario) / 10:.2f}" for j in range(3))
                lines.append(f"{np.datetime64('2021-01-01') + day},{values}")
            path = root / f"AR6_{scenario.provider_code}_5ENSMN_skorea_TA_sgg261_daily_2021_2021.asc"
            _text(path, "\n".join(lines) + "\n")
            if packed:
                bare = path.with_suffix(".txt")
                path.rename(bare)
                with tarfile.open(path, "w:gz") as archive:
                    archive.add(bare, bare.name)
                bare.unlink()

    return write


def _points(spacing: float) -> str:
    x, y = np.meshgrid(226_500 + np.arange(0, 5_000, spacing), 410_500 + np.arange(0, 6_000, spacing))
    lines = [f"{a:.2f} {b:.2f} {100 + (a - 226_500) * 0.01 + (b - 410_500) * 0.02:.2f}"
             for a, b in zip(x.ravel(), y.ravel(), strict=True)]  # fmt: skip
    return "\n".join(lines) + "\n"


def dem(root: Path) -> None:
    _text(root / "dem/one.txt", _points(100.0))


def packed_dem(root: Path) -> None:
    (root / "dem").mkdir(parents=True)
    with zipfile.ZipFile(root / "dem/district.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("one.txt", _points(100.0))


def land_cover(**options: Any) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        import rasterio
        from affine import Affine

        shares = (0.1, 0.15, 0.62, 0.05, 0.02, 0.03, 0.03)
        values = np.random.default_rng(1).choice(np.arange(1, 8), (180, 160), p=shares).astype(np.uint8) * 10
        values[:, :5] = 0
        profile = {"driver": "GTiff", "width": 160, "height": 180, "count": 1, "dtype": "uint8", "crs": "EPSG:5186",
                   "transform": Affine(30, 0, 226_600, 0, -30, 416_100), **options}  # fmt: skip
        (root / "landcover").mkdir(parents=True)
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(root / "landcover/a.tif", "w", **profile) as out:
            out.write(values, 1)
            if "nodata" not in options:
                out.write_mask((values != 0).astype(np.uint8) * 255)
        lines = [f'{10 * number} = "{name}"' for number, name in enumerate(landcover.CLASSES, 1)]
        _text(root / "landcover/legend.toml", "\n".join(["[classes]", *lines]) + "\n")

    return write


def map_layers(root: Path) -> None:
    line = np.array([shapely.LineString([(127.2, 36.2 + i / 100), (127.4, 36.4 + i / 100)]) for i in range(6)], object)
    _layer(root / "coastline.geojson", line[:2], "EPSG:4326", name=["west", "east"])
    _layer(root / "river_lines.gpkg", line, "EPSG:5186", name=list("abcdef"), grade=[1, 1, 2, 2, 2, 1])
    _layer(root / "forest.shp", _squares()[:4], "EPSG:5179", name=list("abcd"))


KMA = ["#START7777", "# 태풍 베스트트랙", *(
    f"TY   22{storm:02d} 2022 {month} {day} {hour} 129.{day % 10} 3{day % 8}.0  {30 + day}   9{day:02d}  400  300"
    f"   NE   180  150   -  NAME{storm}"
    for storm, month in ((11, 8), (12, 11)) for day in range(5, 15) for hour in (0, 12)), "#7777END"]  # fmt: skip


def kma(root: Path) -> None:
    _text(root / "typhoon/kma.txt", "\n".join(KMA) + "\n")


def jma(root: Path) -> None:
    raw = TYPHOON.joinpath("jma_bst_2015_2021.txt").read_bytes()
    storms = raw.split(b"66666 ")[1:6]
    (root / "typhoon").mkdir(parents=True)
    (root / "typhoon/bst.txt").write_bytes(b"".join(b"66666 " + storm for storm in storms))


def ibtracs(root: Path) -> None:
    import polars as pl

    frame = pl.read_parquet(TYPHOON / "ibtracs_wp_synoptic_1951_2021.parquet").tail(300)
    (root / "typhoon").mkdir(parents=True)
    frame.write_parquet(root / "typhoon/ibtracs.parquet")
    text = frame.head(150).with_columns(frame.head(150)["ISO_TIME"].cast(pl.String).str.slice(0, 19))
    text.write_csv(root / "typhoon/ibtracs.csv")


def wamis(root: Path) -> None:
    success = {"code": "success"}

    def answer(call: str, items: Any, **params: str) -> dict[str, Any]:
        return {"call": call, "params": params, "answer": {"result": success, "list": items}}

    gauges = [answer("flw_dubobsif", [{"obscd": f"G{basin}{n}", "obsnm": "원내", "sbsncd": "300101", "minyear": "1991"}
                                     for n in range(3)], basin=str(basin)) for basin in (1, 3)]  # fmt: skip
    places = [
        answer(
            "wl_obsinfo", {"wlobscd": f"G{b}{n}", "lat": f"36-{18 + n}-30", "lon": f"127-{17 + b}-36"}, obscd=f"G{b}{n}"
        )
        for b in (1, 3)
        for n in range(3)
    ]
    days = [{"ymd": f"2001{month:02d}{day:02d}", "fw": "-" if day == 9 else f"{1.5 + day}"}
            for month in range(1, 13) for day in range(1, 29)]  # fmt: skip
    flows = [answer("flw_dtdata", days, obscd=code, year="2001") for code in ("G10", "G30")]
    use = [{"year": str(year), "wssum": "1.5", "indsum": "-", "afsum": "2", "total": "4,000"} for year in (2019, 2020)]
    uses = [answer("wks_wiawtaa_lst", use, basin=str(basin)) for basin in (1, 3)]
    _json(root / "water/saved.json", [*gauges, *places, *uses])
    _json(root / "water/flow.json", flows)


def workbook(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    titles = ["gid_0", "gid_1", "name_0", "name_1", "indicator_name", "weight", "score", "score_ranked", "cat", "label",
              "un_region", "wb_region"]  # fmt: skip
    future = [*titles[:4], "year", "scenario", *titles[4:]]
    rest = [2.5, 100, 2, "Medium - High", "Eastern Asia", "East Asia & Pacific"]
    places = [["KOR", f"KOR.{n}_1", "South Korea", name] for n, name in ((5, "Daejeon"), (15, "Sejong"))]
    with xlsxwriter.Workbook(root / "Aqueduct40_rankings_download.xlsx") as book:
        for name, head, rows in (
            ("province_baseline", titles, [[*p, "bws", w, *rest] for p in places for w in aqueduct.WEIGHTS]),
            ("province_future", future, [[*p, y, s, "bws", w, *rest] for p in places for y in aqueduct.YEARS
                                         for s in aqueduct.SCENARIOS for w in aqueduct.WEIGHTS]),
        ):  # fmt: skip
            sheet = book.add_worksheet(name)
            for number, row in enumerate([head, *rows]):
                sheet.write_row(number, 0, row)


def basins(root: Path) -> None:
    halves = np.array([shapely.box(WEST, SOUTH, 127.325, NORTH), shapely.box(127.325, SOUTH, EAST, NORTH)], object)
    _layer(root / "basins.shp", halves, "EPSG:5186", basin_code=[1, 3], basin_name=["한강", "금강"])
    _layer(root / "provinces.geojson", halves, "EPSG:4326", name=["대전광역시", "충청남도"])


def buildings(root: Path) -> None:
    area = ("30200", "11000")
    items = [{"mgmBldrgstPk": f"30200-{n}", "sigunguCd": area[0], "bjdongCd": area[1], "platGbCd": "0", "bun": "0012",
              "ji": f"{n:04d}", "platPlc": f"원내동 12-{n}번지", "strctCd": "21", "strctCdNm": "철근콘크리트구조",
              "mainPurpsCd": "01000", "mainPurpsCdNm": "단독주택", "useAprDay": "19980704", "grndFlrCnt": 2,
              "ugrndFlrCnt": 1, "platArea": 210.5, "archArea": 100, "totArea": 180.25, "heit": 0, "hhldCnt": 1,
              "rserthqkDsgnApplyYn": " "} for n in range(1, 9)]  # fmt: skip
    params = {"sigunguCd": area[0], "bjdongCd": area[1]}
    pages = []
    for number in (1, 2):
        held = {"item": items[4 * number - 4 : 4 * number]}
        body = {"items": held, "numOfRows": 4, "pageNo": number, "totalCount": 8}
        answer = {"response": {"header": {"resultCode": "00"}, "body": body}}
        pages.append({"call": "getBrTitleInfo", "params": {**params, "pageNo": str(number)},
                      "asked_at": "2026-01-01T00:00:00+00:00", "answer": answer})  # fmt: skip
    point = {"response": {"status": "OK", "result": {"point": {"x": "127.3", "y": "36.3"}}}}
    pages.append({"call": "getcoord", "params": {"address": "원내동 12-8번지"}, "answer": point})
    _json(root / "buildings/saved.json", pages)
    lots = np.array([shapely.box(127.3 + n / 1000, 36.3, 127.3005 + n / 1000, 36.301) for n in range(1, 7)], object)
    _layer(root / "lots.geojson", lots, "EPSG:4326", pnu=[f"{''.join(area)}10012{n:04d}" for n in range(1, 7)])


def daily(root: Path) -> None:
    lattice = GridDefinition(36.0, 127.0, 2, 2, 0.25, *YEARS)
    axis = DayAxis.of(YEARS, STANDARD)
    rng = np.random.default_rng(1)
    season = -np.cos(2 * np.pi * np.arange(axis.n) / 365.25)
    mean = 12 + 13 * season + rng.normal(0, 4, (4, axis.n))
    blocks = {"tas": mean, "tasmax": mean + rng.gamma(2, 2.5, mean.shape), "pr": rng.gamma(0.5, 10, mean.shape)}
    from engine.io.etl.derive import daily as writer

    for name, values in blocks.items():
        path = root / f"{name}_ssp245.nc"
        path.parent.mkdir(parents=True, exist_ok=True)
        held = {name: values.astype(np.float32)}
        writer.write_daily(path, lattice, axis, held, scope="full", attributes={"source": "random"})
