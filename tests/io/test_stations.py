"""Stations in tables and in CF's discrete sampling geometries: the same series, however it is written down."""

from __future__ import annotations

import gzip
import zipfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import xarray as xr

from engine.core.errors import SchemaError, SettingsError
from engine.core.grid import GridDefinition
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES
from engine.io.etl import layout
from engine.io.etl.derive import derive, place_cells, station_tables
from engine.io.etl.derive.daily import DailyRecord
from engine.io.etl.derive.derive import Derived
from engine.io.etl.derive.derive_job import Request
from engine.io.etl.derive.station_tables import TableOptions
from engine.io.files import table_text

YEARS = Years(2011, 2012)
#: the columns that matter of the Korean service's daily export, and some that do not
KOREAN = {
    "station_id": "지점", "name": "지점명", "date": "일시", "tas": "평균기온(°C)", "tasmin": "최저기온(°C)",
    "at": "최저기온 시각(hhmi)", "tasmax": "최고기온(°C)", "hour": "1시간 최다강수량(mm)", "pr": "일강수량(mm)",
    "sfcWind": "평균 풍속(m/s)", "hurs": "평균 상대습도(%)", "sunshine": "합계 일조시간(hr)",
    "rsds": "합계 일사량(MJ/m2)",
}  # fmt: skip
PLAIN = ("pr", "sfcWind", "hurs", "sunshine", "rsds")
PLACES = {"108": (37.5714, 126.9658), "159": (35.1047, 129.032)}


def series(stations: tuple[str, ...] = ("108", "159"), seed: int = 0) -> pl.DataFrame:
    """One row a station and day; rain is blank on dry days, as the Korean service writes it."""
    rng = np.random.default_rng(seed)
    dates = pl.date_range(pl.date(2011, 1, 1), pl.date(2012, 12, 31), eager=True)
    frames = []
    for station in stations:
        n = len(dates)
        tas = (12 - 13 * np.cos(2 * np.pi * np.arange(n) / 365.25) + rng.normal(0, 3, n)).round(1)
        rain = np.where(rng.random(n) < 0.3, rng.gamma(0.6, 25, n).round(1), np.nan)
        frames.append(
            pl.DataFrame(
                {
                    "station_id": [station] * n, "date": dates, "tas": tas, "tasmin": tas - 4, "tasmax": tas + 5,
                    "pr": rain, "sfcWind": rng.gamma(4, 0.6, n).round(1), "hurs": rng.uniform(40, 95, n).round(1),
                    "sunshine": rng.uniform(0, 9, n).round(1), "rsds": rng.uniform(2, 25, n).round(2),
                }
            )
        )  # fmt: skip
    return pl.concat(frames).with_columns(pl.col(pl.Float64).fill_nan(None))


def short() -> pl.DataFrame:
    """Two of the variables: enough to tell one way of writing them from another."""
    return series().select("station_id", "date", "tas", "pr")


def placed(frame: pl.DataFrame) -> pl.DataFrame:
    """With the coordinates of the stations."""
    latitude, longitude = ({station: place[axis] for station, place in PLACES.items()} for axis in (0, 1))
    return frame.with_columns(
        latitude=pl.col("station_id").replace_strict(latitude), longitude=pl.col("station_id").replace_strict(longitude)
    )


def moved(frame: pl.DataFrame, latitude: float, longitude: float) -> pl.DataFrame:
    """Station 108 somewhere else."""
    place = {"latitude": latitude, "longitude": longitude}
    return frame.with_columns(
        pl.when(station_id="108").then(degrees).otherwise(name).alias(name) for name, degrees in place.items()
    )


def run(files: list[Path], out: Path, **options: object) -> Derived:
    tables = TableOptions(blank_rain_is_dry=True, **options.pop("tables", {}))  # type: ignore[arg-type]
    return derive.derive(Request(files=files, base=YEARS, scenario=Scenario.SSP245, tables=tables, **options), out)  # type: ignore[arg-type]


def values(out: Path, name: str) -> dict[tuple[float, float], np.ndarray]:
    """Series of every cell that has one, by the cell's latitude and longitude."""
    path = layout.gridded_path(out, VARIABLES[name], Scenario.SSP245, YEARS)
    with xr.open_dataset(path, engine="h5netcdf", decode_timedelta=False) as data:
        assert data.attrs["scope"] == "observed"
        cube = data[VARIABLES[name].element].load()
    block = cube.transpose("latitude", "longitude", "time").to_numpy()
    return {
        (round(float(cube.latitude[row]), 2), round(float(cube.longitude[column]), 2)): block[row, column]
        for row, column in np.argwhere(~np.isnan(block).all(axis=2))
    }


def korean(path: Path, frame: pl.DataFrame) -> Path:
    rows = frame.with_columns(name=pl.lit("서울"), at=pl.lit("0604"), hour=pl.lit(3.5))
    text = rows.select(pl.col(name).alias(header) for name, header in KOREAN.items() if name in rows.columns)
    path.write_bytes(text.write_csv().encode("cp949"))
    return path


def read(files: list[Path], **tables: object) -> dict[str, np.ndarray]:
    """Daily variable -> (stations, days), the southern one first."""
    with ExitStack() as stack:
        record = DailyRecord.open(stack, files, tables=TableOptions(blank_rain_is_dry=True, **tables))  # type: ignore[arg-type]
        assert (record.axis.years, record.scope) == (YEARS, "observed")
        grid = place_cells.lattice(record, 0.1, YEARS)
        rows = place_cells.rows(record, grid)
        found = {
            name: np.concatenate([record.read(name, grid, slice(row, row + 1)) for row in rows])
            for name in record.pieces
        }
    return {name: block[~np.isnan(block).all(axis=1)] for name, block in found.items()}


@pytest.fixture(scope="module")
def plain() -> dict[str, np.ndarray]:
    """What the stations reported."""
    days = [series().filter(station_id=station).with_columns(pl.col("pr").fill_null(0.0)) for station in ("159", "108")]
    return {name: np.stack([each[name].cast(pl.Float32) for each in days]) for name in ("tas", *PLAIN)}


def assert_same(found: dict[str, np.ndarray], plain: dict[str, np.ndarray]) -> None:
    assert found.keys() >= {"tas", "pr"}
    for name in found.keys() & plain.keys():
        np.testing.assert_array_equal(found[name], plain[name], err_msg=name)


def test_the_export_of_the_korean_service_is_read_as_it_comes_and_each_station_becomes_its_cell(tmp_path: Path) -> None:
    derived = run([korean(tmp_path / "OBS_ASOS_DD_20110101.csv", series())], tmp_path)
    assert not derived.findings
    assert len(derived.files) == 21
    assert values(tmp_path, "ta").keys() == {(37.6, 127.0), (35.1, 129.0)}
    days = series().filter(station_id="159").with_columns(pl.col("pr").fill_null(0.0))
    monthly = days.group_by_dynamic("date", every="1mo").agg(pl.col("tas", "rsds").mean(), pl.col("pr").sum())
    for name, daily in (("ta", "tas"), ("rn", "pr"), ("si", "rsds")):
        np.testing.assert_allclose(values(tmp_path, name)[35.1, 129.0], monthly[daily], rtol=1e-5, atol=1e-5)
    yearly = days.group_by_dynamic("date", every="1y").agg(pl.col("pr").max())
    np.testing.assert_allclose(values(tmp_path, "rx1day")[35.1, 129.0], yearly["pr"], rtol=1e-6)
    lattice = (tmp_path / "grid.toml").read_text("utf-8").split()
    assert lattice[lattice.index("step") + 2] == "0.1"  # for the loader of the lattice


@pytest.mark.parametrize(
    "way",
    ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S+09:00", "%Y%m%d.0", "%Y/%m/%d %H:%M", "%d.%m.%Y", "%m/%d/%Y", "parts"],
)
def test_dates_are_read_in_every_unambiguous_way(way: str, plain: dict, tmp_path: Path) -> None:
    frame, date = placed(short()), pl.col("date").cast(pl.Datetime)
    if way == "parts":
        frame = frame.with_columns(year=date.dt.year(), Month=date.dt.month(), day=date.dt.day()).drop("date")
    else:
        frame = frame.with_columns(date=date.dt.strftime(way))
    frame.write_csv(tmp_path / "t", separator="|")
    assert_same(read([tmp_path / "t"]), plain)


@pytest.mark.parametrize(
    ("way", "message"),
    [("%y-%m-%d", "are not a date such as 2018-01-31"), ("%d/%m/%Y", r"'0./0./2011' may be day/month or month/day")],
)
def test_dates_that_may_be_others_are_refused(way: str, message: str, tmp_path: Path) -> None:
    few = placed(short()).filter(pl.col("date").dt.day() <= 12).with_columns(date=pl.col("date").dt.strftime(way))
    few.write_csv(tmp_path / "t.csv")
    with pytest.raises(SchemaError, match=message):
        read([tmp_path / "t.csv"])


@pytest.mark.parametrize(
    "kind", ["semicolon", "a file a station", "parquet", "tab utf-16", "gzip", "zip", "xlsx", "table of stations"]
)
def test_a_table_of_any_dialect_gives_the_same(kind: str, plain: dict, tmp_path: Path) -> None:
    frame, path, tables = placed(short()), tmp_path / "t.csv", {}
    files = [path]
    if kind == "semicolon":
        text = frame.rename({"tas": "tas (°C)", "pr": "RN [mm]", "latitude": "Lat"}).write_csv(separator=";")
        path.write_text("# made by hand\n" + text.replace(".", ","), "cp1252")
    elif kind == "a file a station":
        files = [tmp_path / f"{station}.csv" for station in PLACES]
        for station, file in zip(PLACES, files, strict=True):
            frame.filter(station_id=station).drop("station_id").write_csv(file)
    elif kind == "parquet":
        files = [tmp_path / "t.parquet"]
        typed = frame.cast({"station_id": pl.Int16, "tas": pl.Float32, "date": pl.Datetime})
        typed.rename({"tas": "mean", "date": "day"}).write_parquet(files[0])
        tables = {"columns": {"tas": "mean", "date": "day"}}
    elif kind == "tab utf-16":
        path.write_bytes(frame.write_csv(separator="\t").encode("utf-16"))
    elif kind == "xlsx":
        files = [tmp_path / "t.xlsx"]
        frame.write_excel(files[0])
    elif kind == "zip":
        files = [tmp_path / "t.zip"]
        with zipfile.ZipFile(files[0], "w") as archive:
            archive.writestr("OBS.csv", frame.write_csv())
    elif kind == "gzip":
        files = [tmp_path / "t.csv.gz"]
        files[0].write_bytes(gzip.compress(frame.write_csv().encode()))
    else:
        short().write_csv(path)
        pl.DataFrame({"stn": [108.0, 159.0], "위도": ["37.5714", "35.1047"], "lon": [126.9658, 129.032]}).write_csv(
            tmp_path / "stations.csv"
        )
        tables = {"stations": tmp_path / "stations.csv"}
    assert_same(read(files, **tables), plain)


def cf_list() -> xr.Dataset:
    """Both stations as an orthogonal array of CF, dry days filled in."""
    wide = series().with_columns(pl.col("pr").fill_null(0.0)).drop("sunshine")
    by_station = [wide.filter(station_id=station) for station in PLACES]
    units = station_tables.UNITS
    data = {
        name: (
            ("station", "time"),
            np.stack([each[name].cast(pl.Float32) for each in by_station]),
            {"units": units[name]},
        )
        for name in ("tas", "pr")
    }
    latitude, longitude = np.array(list(PLACES.values())).T
    time = ("time", np.arange(731.0), {"units": "days since 2011-01-01", "standard_name": "time"})
    places = {
        "lat": ("station", latitude, {"units": "degrees_north"}),
        "lon": ("station", longitude, {"units": "degrees_east"}),
    }
    return xr.Dataset(data, {"time": time, **places}, {"scope": "observed", "featureType": "timeSeries"})


def ragged(data: xr.Dataset, kind: str) -> xr.Dataset:
    """The observations one after another, station by station or day by day; the second station lacks its first year."""
    station, day = np.indices((2, 731)).reshape(2, -1)
    kept = (station == 0) | (day >= 365)
    order = np.argsort(day[kept], kind="stable") if kind == "indexed" else np.arange(kept.sum())
    station, day = station[kept][order], day[kept][order]
    series = {name: ("obs", each.to_numpy()[station, day], each.attrs) for name, each in data.data_vars.items()}
    hours = ("obs", day * 24.0 + 9 * station, {"units": "hours since 2011-01-01", "standard_name": "time"})
    found = xr.Dataset({**series, "time": hours, "lat": data["lat"], "lon": data["lon"]}, attrs=data.attrs)
    if kind == "indexed":
        return found.assign(of=("obs", station.astype("i4"), {"instance_dimension": "station"}))
    return found.assign(n=("station", np.bincount(station).astype("i4"), {"sample_dimension": "obs"}))


@pytest.mark.parametrize("kind", ["orthogonal", "time first", "sel", "length 1", "transect"])
def test_stations_of_cf_are_read_in_every_shape(kind: str, plain: dict, tmp_path: Path) -> None:
    data, files = cf_list(), [tmp_path / "a.nc"]
    if kind == "orthogonal":
        data.to_netcdf(files[0])
    elif kind == "time first":
        data.transpose("time", "station").astype("f8").to_netcdf(files[0], format="NETCDF3_64BIT", engine="scipy")
    elif kind == "transect":  # both on one line of a lattice: latitude alone is scalar
        data = data.assign_coords(lat=37.5714, lon=("station", [126.9, 127.1])).swap_dims(station="lon")
        data.drop_vars("station", errors="ignore").to_netcdf(files[0])
        with ExitStack() as stack:
            record = DailyRecord.open(stack, files)
            assert record.lattice() == (37.5714, 126.9, 1, 2, 0.2)
            grid = GridDefinition(*record.lattice(), *YEARS)
            np.testing.assert_array_equal(record.read("tas", grid, slice(0, 1)), plain["tas"][::-1])
        return
    else:
        files = [tmp_path / "a.nc", tmp_path / "b.nc"]
        for station, file in enumerate(files):
            one = data.isel(station=station)
            if kind == "length 1":
                one = one.expand_dims(["lat", "lon"])
            one.to_netcdf(file)
    assert_same(read(files), plain)


@pytest.mark.parametrize("kind", ["contiguous", "indexed", "incomplete"])
def test_stations_with_times_of_their_own_meet_on_the_same_days(kind: str, plain: dict, tmp_path: Path) -> None:
    data = cf_list()
    if kind == "incomplete":
        found = ragged(data, "contiguous")
        padded = {name: np.full((2, 731), np.nan) for name in [*data.data_vars, "time"]}
        for name, block in padded.items():
            block[0], block[1, :366] = found[name].to_numpy()[:731], found[name].to_numpy()[731:]
        series = {name: (("station", "obs"), block, found[name].attrs) for name, block in padded.items()}
        found = xr.Dataset({**series, "lat": data["lat"], "lon": data["lon"]}, attrs=data.attrs)
    else:
        found = ragged(data, kind)
    found.to_netcdf(tmp_path / "a.nc")
    got = read([tmp_path / "a.nc"])
    for name in ("tas", "pr"):
        np.testing.assert_array_equal(got[name][1], plain[name][1])
        assert np.isnan(got[name][0, :365]).all()
        np.testing.assert_array_equal(got[name][0, 365:], plain[name][0, 365:])


def test_radiation_comes_from_sunshine_only_where_a_station_has_none_of_its_own(
    plain: dict, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frame = placed(series())
    frame.with_columns(rsds=pl.when(station_id="108").then("rsds")).write_csv(tmp_path / "t.csv")
    found = read([tmp_path / "t.csv"])["rsds"]
    assert "radiation of 1 of 2 stations is estimated from their hours of sunshine" in caplog.text
    np.testing.assert_array_equal(found[1], plain["rsds"][1])
    assert 10 < found[0].mean() < 16  # half the possible sunshine of 35 N


def test_blank_rain_is_missing_unless_the_provider_says_it_is_dry(tmp_path: Path) -> None:
    placed(short()).write_csv(tmp_path / "t.csv")
    derived = derive.derive(Request(files=[tmp_path / "t.csv"], base=YEARS, scenario=Scenario.SSP245), tmp_path / "a")
    assert "if blank means a day without rain, --blank-rain-is-dry says so" in derived.missing["rn of SSP2-4.5"]
    # in NetCDF a day on which the station reports something else was dry; the others stay missing
    data = cf_list()
    data["pr"] = data["pr"].where(data["pr"] > 0)
    data = data.where(data["time"] != 100.0)
    data.to_netcdf(tmp_path / "a.nc")
    run([tmp_path / "a.nc"], tmp_path / "b")
    rain = values(tmp_path / "b", "rn")[37.6, 127.0]
    assert np.flatnonzero(np.isnan(rain)).tolist() == [3]  # day 100 lies in April
    data[["pr"]].to_netcdf(tmp_path / "rain.nc")
    with pytest.raises(SettingsError, match="rain alone does not say which of its blank days were dry"):
        run([tmp_path / "rain.nc"], tmp_path / "c")


def test_a_place_on_the_border_of_two_cells_is_not_lost(tmp_path: Path) -> None:
    frame = placed(short()).with_columns(longitude=pl.when(station_id="108").then(-123.15).otherwise(-122.85))
    frame.with_columns(latitude=48.45).write_csv(tmp_path / "t.csv")
    assert len(read([tmp_path / "t.csv"])["tas"]) == 2


def test_places_across_the_date_line_get_one_small_lattice(tmp_path: Path) -> None:
    frame = placed(short()).with_columns(longitude=pl.when(station_id="108").then(179.86).otherwise(-179.9))
    frame.with_columns(latitude=-17.0).write_csv(tmp_path / "fiji.csv")
    with ExitStack() as stack:
        record = DailyRecord.open(stack, [tmp_path / "fiji.csv"])
        grid = place_cells.lattice(record, 0.1, YEARS)
        assert (grid.lon0, grid.n_lat, grid.n_lon) == (179.9, 1, 3)
        held = ~np.isnan(record.read("tas", grid, slice(0, 1))).all(axis=1)
    assert held.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda f: f.drop("latitude"), SettingsError, "has no columns latitude and longitude: give a table of its"),
        (lambda f: f.with_columns(latitude=137.0), SchemaError, "at latitude 137, longitude 126.966, which is nowhere"),
        (lambda f: pl.concat([f, f.head(2)]), SchemaError, "2 days of a station come twice, the first station 108 on"),
        (lambda f: pl.concat([f] * 24), SchemaError, "hourly data, expected one row a station and day"),
        (lambda f: f.with_columns(pl.col("latitude") + pl.col("tas") / 99), SchemaError, "2 stations have several pl"),
        (lambda f: f.with_columns(tas=pl.lit("warm")), SchemaError, "1,462 values of column tas are not a number, the"),
        (lambda f: f.with_columns(date=pl.lit("2011-13-45")), SchemaError, "not a date such as 2018-01-31, the first"),
        (lambda f: f.drop("tas", "tasmin", "tasmax", *PLAIN), SchemaError, "no column holds a daily variable"),
        (lambda f: f.drop("date"), SchemaError, "no column holds a date"),
        (lambda f: f.with_columns(TA=pl.col("tas")), SchemaError, "columns 'tas' and 'TA' both hold tas"),
        (
            lambda f: f.with_columns(tas_duplicated_0="tas"),
            SchemaError,
            "columns 'tas' and 'tas_duplicated_0' both hold tas",
        ),
        (lambda f: f.rename({"tas": "tas (furlong)"}), SchemaError, "furlong"),
        (lambda f: moved(f, 35.12, 129.01), SettingsError, "1 of its 2 places lie in a cell that holds another"),
        (lambda f: moved(f, -60.0, -60.0), SettingsError, "would need a lattice of 952 x 1711 cells of 0.1 degree"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_a_sentence(change, error, message: str, tmp_path: Path) -> None:
    change(placed(series())).write_csv(tmp_path / "t.csv")
    with pytest.raises(error, match=message):
        run([tmp_path / "t.csv"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html><body>login</body></html>", "t.csv is an error page, not a table: <html>"),
        (b"", "t.csv is empty"),
        (b"\xff\x00\x81\x8d\x9d,\x81\n1,2\n", "text in no known encoding"),
        ("지점,일시\n108,2011-01-01\n".encode("cp949"), "no column holds a daily variable .*it has 지점, 일시"),
    ],
)
def test_what_is_no_table_is_named_in_readable_words(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(SchemaError, match=message) as caught:
        run([tmp_path / "t.csv"], tmp_path / "out")
    assert "�" not in str(caught.value)


def test_a_korean_station_that_is_not_on_the_list_of_open_ones_needs_a_place(tmp_path: Path) -> None:
    path = korean(tmp_path / "OBS.csv", series(("108", "9")))
    with pytest.raises(SettingsError, match=r"1 of 2 stations of OBS\.csv is not in the list of open stations \(9\)"):
        run([path], tmp_path / "out")


@pytest.mark.parametrize("header", ["평균기온(°C)", "평균기온 [°C]", "평균기온(℃)"])
def test_units_of_a_header_are_told_from_its_name(header: str) -> None:
    name, unit = table_text.split_unit(header)
    assert (name, table_text.known_unit(unit)) == ("평균기온", "degC")


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("unit", ["°F", "K", "degC", ""])
def test_every_table_is_converted_by_its_own_header(unit: str, order: int, plain: dict, tmp_path: Path) -> None:
    """`plain` of both stations, whose tables state different units, or none, in either order."""
    factor, offset = {"°F": (1.8, 32.0), "K": (1.0, 273.15)}.get(unit, (1.0, 0.0))
    frame = placed(series())
    other = frame.filter(station_id="108").with_columns(
        pl.col("tas") * factor + offset, pl.col("pr") / 10, pl.col("sfcWind") * 3.6, pl.col("sunshine") * 60
    )
    header = f"tas [{unit}]" if unit else "tas"
    other = other.rename({"tas": header, "pr": "pr (cm)", "sfcWind": "ws (km/h)", "sunshine": "sunshine (min)"})
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    other.drop("rsds").write_csv(files[0])
    frame.filter(station_id="159").rename({"pr": "pr (mm)"}).drop("rsds").write_csv(files[1])
    found = read(files[::order])
    for name in ("tas", "pr", "sfcWind"):
        np.testing.assert_allclose(found[name], plain[name], rtol=1e-5, atol=1e-4, err_msg=name)
    assert 10 < found["rsds"][1].mean() < 16  # of sunshine in minutes


def test_a_unit_that_is_asked_for_stands_above_every_header(plain: dict, tmp_path: Path) -> None:
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for station, header, file in zip(PLACES, ("pr (mm)", "pr (smoots)"), files, strict=True):
        frame = placed(short()).filter(station_id=station).with_columns(pl.col("pr") / 10)
        frame.rename({"pr": header}).write_csv(file)
    with ExitStack() as stack:
        tables = TableOptions(blank_rain_is_dry=True)
        record = DailyRecord.open(stack, files, {"pr": "cm"}, tables)
        grid = place_cells.lattice(record, 0.1, YEARS)
        found = np.concatenate([record.read("pr", grid, slice(r, r + 1)) for r in place_cells.rows(record, grid)])
    np.testing.assert_allclose(found[~np.isnan(found).all(axis=1)], plain["pr"], rtol=1e-5, atol=1e-4)
    with pytest.raises(SchemaError, match=r"b\.csv: unit 'smoots' of pr is not known"):
        read(files)


@pytest.mark.parametrize(
    "kind", ["no column", "column in one half", "always blank", "blank year", "nothing else", "code"]
)
def test_blank_rain_is_not_dry_where_nothing_was_measured(
    kind: str, plain: dict, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frame, files = placed(short()), [tmp_path / "a.csv"]
    lost, first_year, half = (
        pl.col("station_id") == "108",
        pl.col("date").dt.year() == 2011,
        pl.col("date").dt.month() > 6,
    )
    missing = np.ones(731, bool)
    if kind == "no column":
        files.append(tmp_path / "b.csv")
        frame.filter(lost).drop("pr").write_csv(files[1])
        frame = frame.filter(~lost)
    elif kind == "column in one half":
        files.append(tmp_path / "b.csv")
        without = lost & first_year & half
        frame.filter(without).drop("pr").write_csv(files[1])
        frame = frame.filter(~without)
        missing = np.arange(731) // 365 == 0
        missing[:181] = False
    elif kind == "always blank":
        frame = frame.with_columns(pr=pl.when(~lost).then("pr"))
    elif kind == "blank year":
        frame = frame.with_columns(pr=pl.when(~(lost & first_year)).then("pr"))
        missing = np.arange(731) < 365
    else:
        frame = frame.with_columns(pl.when(~(lost & first_year & half & pl.col("pr").is_null())).then("tas"))
        missing = frame.filter(lost)["tas"].is_null().to_numpy()
        if kind == "code":
            frame = placed(short()).with_columns(
                pr=pl.when(lost & first_year & half & pl.col("pr").is_null()).then(-999.0).otherwise("pr")
            )
    frame.write_csv(files[0])
    rain = plain["pr"].copy()
    rain[1, missing] = np.nan
    with ExitStack() as stack:
        record = DailyRecord.open(stack, files, tables=TableOptions(blank_rain_is_dry=True))
        grid = place_cells.lattice(record, 0.1, YEARS)
        north, south = place_cells.rows(record, grid)[-1], place_cells.rows(record, grid)[0]
        found = [record.read("pr", grid, slice(row, row + 1)) for row in (south, north)]
    kept = [block[~np.isnan(block).all(axis=1)] for block in found]
    np.testing.assert_array_equal(kept[0], rain[:1])
    np.testing.assert_array_equal(kept[1], rain[1:] if not missing.all() else np.empty((0, 731)))
    said = "1 of 2 stations has years without any value of rain (108): rain that is blank there is missing, not dry"
    assert caplog.text.count(said) == (kind in ("always blank", "blank year"))
    run(files, tmp_path / "out")  # nor does what comes behind the reader take them for dry
    monthly = values(tmp_path / "out", "rn").get((37.6, 127.0), np.full(24, np.nan))
    months = np.arange("2011-01", "2013-01", dtype="datetime64[M]").astype("datetime64[D]")
    starts = (months - months[0]).astype(int)
    np.testing.assert_array_equal(np.isnan(monthly), np.logical_or.reduceat(missing, starts))


def test_a_place_of_netcdf_without_rain_in_a_year_was_not_dry_then(tmp_path: Path) -> None:
    data = cf_list()
    data["pr"] = data["pr"].where(data["pr"] > 0).where((data["time"] >= 365) | (data["lat"] < 36))
    data.to_netcdf(tmp_path / "a.nc")
    derived = run([tmp_path / "a.nc"], tmp_path)
    assert [each.message for each in derived.findings if "without any value of rain" in each.message] == [
        "a.nc: 1 place has years without any value of rain: rain that is blank there is missing, not dry"
    ]
    rain = values(tmp_path, "rn")
    assert np.isnan(rain[37.6, 127.0]).tolist() == [True] * 12 + [False] * 12
    assert not np.isnan(rain[35.1, 129.0]).any()


def test_a_table_of_rain_alone_does_not_say_which_blanks_were_dry(tmp_path: Path) -> None:
    placed(short()).drop("tas").write_csv(tmp_path / "t.csv")
    with pytest.raises(SettingsError, match="rain alone does not say which of its blank days were dry"):
        run([tmp_path / "t.csv"], tmp_path / "out")


@pytest.mark.parametrize(
    "names", [("obs.108.csv", "obs.159.csv"), ("obs.108", "obs.159"), ("obs.108.CSV.gz", "obs.159.csv")]
)
def test_a_file_without_ids_gives_its_whole_name_to_its_station(
    names: tuple[str, str], plain: dict, tmp_path: Path
) -> None:
    for station, name in zip(PLACES, names, strict=True):
        content = short().filter(station_id=station).drop("station_id").write_csv().encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    latitude, longitude = zip(*PLACES.values(), strict=True)
    places = {"station_id": ["obs.108", "obs.159"], "lat": latitude, "lon": longitude}
    pl.DataFrame(places).write_csv(tmp_path / "places.csv")
    assert_same(read([tmp_path / name for name in names], stations=tmp_path / "places.csv"), plain)


def test_two_files_without_ids_cannot_have_one_name(tmp_path: Path) -> None:
    files = [tmp_path / "108.csv", tmp_path / "108.txt"]
    for year, file in zip(YEARS, files, strict=True):
        short().filter(pl.col("date").dt.year() == year, station_id="108").drop("station_id").write_csv(file)
    with pytest.raises(
        SchemaError, match=r"108\.csv and .*108\.txt have no column of ids, and both names make station 108"
    ):
        read(files)
