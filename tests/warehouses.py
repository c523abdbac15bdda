"""Small warehouses for tests: 4 x 5 cells, plausible values, every input of the nine risks, and every kind of fault.

`fill` writes by COPY, so a test needs no loader. Values are drawn from a seed and rounded to three decimals: a numeric
column then gives back the very float32 that a real column does.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from engine.core.grid import GridDefinition
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES, Variable

AXIS = Years(2021, 2100)
COVERED_YEARS = tuple(range(2003, 2023))
SEA_YEARS = Years(2015, 2100)
DEFAULT_VARIABLES = tuple(name for name, variable in VARIABLES.items() if not variable.optional)
_COLUMNS = [scenario.column for scenario in Scenario]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What a warehouse holds, as the reader should see it.

    cells  : active cells, ascending grid_id, with latitude and longitude
    arrays : (variable, scenario) -> (cells, years[, 12]) float32, before gaps, doubles and all-NaN columns
    """

    grid: GridDefinition
    cells: pl.DataFrame
    arrays: Mapping[tuple[str, Scenario], NDArray[np.float32]] = field(repr=False)


def fill(
    url: str,
    *,
    axis: Years = AXIS,
    n_lat: int = 4,
    n_lon: int = 5,
    n_sea: int = 3,
    variables: Collection[str] = DEFAULT_VARIABLES,
    scope: str = "full",
    without: Collection[str] = (),
    gaps: Mapping[str, int] | None = None,
    duplicates: Mapping[str, int] | None = None,
    all_nan: Collection[str] = (),
    keep_ocean: bool = False,
    shuffled: bool = False,
    foreign: bool = False,
    seed: int = 1,
) -> Filled:
    """Fill a warehouse; its schema must be there already, except for `foreign`, which starts from an empty database.

    n_sea   : cells without climate, the last ones of the lattice
    without : `ta_data` (a table), `ta_data.ssp1` (a column), `ssp1` (a scenario in every table)
    gaps    : table -> rows left out; duplicates: table -> rows written twice, the second time with other values
    all_nan : `ta_data.ssp2`: a column of NaN (NULL when foreign)
    keep_ocean : rows of NaN for the cells without climate
    foreign : somebody else's warehouse: no partitions, nullable numeric columns, arbitrary ids, no grid_definition, no
              has_climate, no etl_load, no attributes, no water tables
    """
    rng = np.random.default_rng(seed)
    grid = GridDefinition(35.0, 127.0, n_lat, n_lon, 0.1, *axis)
    rows, columns = np.divmod(np.arange(grid.n_cells), n_lon)
    ids = np.arange(1, grid.n_cells + 1)
    if foreign:
        ids = np.random.default_rng(7).permutation(grid.n_cells) * 13 + 1009
    cells = pl.DataFrame(
        {
            "grid_id": ids.astype(np.int32),
            "latitude": grid.latitudes[rows],
            "longitude": grid.longitudes[columns],
            "lat_idx": rows.astype(np.int16),
            "lon_idx": columns.astype(np.int16),
        }
    )
    active = cells.head(grid.n_cells - n_sea)
    arrays = _climate(rng, active.height, axis, variables)
    years = np.arange(axis.first, axis.last + 1)

    with psycopg.connect(url) as connection:
        if foreign:
            _foreign_schema(connection, variables)
            _copy(connection, "location_grid", cells.drop("lat_idx", "lon_idx"))
        else:
            _own_tables(connection, grid, cells, active, variables, rng)
        _sea_level(connection, rng, foreign)
        _best_track(connection, rng)
        for name in variables:
            variable = VARIABLES[name]
            holders = cells if keep_ocean else active
            frame = _long(variable, holders, years, {s: arrays[name, s] for s in Scenario})
            for column in _COLUMNS:
                if f"{variable.table}.{column}" in all_nan:
                    frame = frame.with_columns(pl.lit(None if foreign else np.nan, pl.Float32).alias(column))
            if foreign:
                frame = frame.with_columns(pl.col(_COLUMNS).fill_nan(None))
            if n := (gaps or {}).get(variable.table, 0):
                kept = np.ones(frame.height, bool)
                kept[rng.choice(frame.height, n, replace=False)] = False
                frame = frame.filter(kept)
            if n := (duplicates or {}).get(variable.table, 0):
                again = frame[rng.choice(frame.height, n, replace=False)]
                frame = pl.concat([frame, again.with_columns(pl.col(_COLUMNS) + 1.0)])
            if shuffled or foreign:
                frame = frame.sample(fraction=1.0, shuffle=True, seed=seed)
            _copy(connection, variable.table, frame)
        if not foreign:
            _record_loads(connection, variables, scope)
        _leave_out(connection, without, variables)

    order = active["grid_id"].arg_sort().to_numpy()
    return Filled(
        grid=grid,
        cells=active.select("grid_id", "latitude", "longitude")[order],
        arrays={key: array[order] for key, array in arrays.items()},
    )


def _climate(
    rng: np.random.Generator, n: int, axis: Years, variables: Collection[str]
) -> dict[tuple[str, Scenario], NDArray[np.float32]]:
    """Values a Korean cell could have, in (cells, years[, 12])."""
    season = -np.cos(2 * np.pi * (np.arange(12) - 0.5) / 12)  # -1 in January, 1 in July
    made: dict[tuple[str, Scenario], NDArray[np.float32]] = {}
    height = rng.uniform(0, 1, n)[:, None, None]
    for scenario in Scenario:
        warming = np.linspace(0, 0.8 + 1.2 * scenario, axis.n)[None, :]
        monthly, yearly = (n, axis.n, 12), (n, axis.n)
        ta = 12.5 + 13 * season - 4 * height + warming[..., None] + rng.normal(0, 1.2, monthly)
        spei = rng.normal(-0.1 * warming[..., None], 0.9, monthly)
        spei.reshape(n, -1)[:, :11] = np.nan
        heat, cold = rng.uniform(size=yearly), rng.uniform(size=yearly)
        rx1day = np.clip(rng.gamma(6, 22, yearly), 25, 600)
        values = {
            "ta": ta,
            "rn": np.clip(rng.gamma(2, (70 + 55 * season) / 2, monthly), 0, 1200),
            "ws": np.clip(rng.gamma(12, 0.2, monthly), 0.3, 12),
            "rhm": np.clip(66 + 10 * season + rng.normal(0, 6, monthly), 30, 98),
            "si": np.clip(14 + 5 * season + rng.normal(0, 1.2, monthly), 4, 28),
            "spei12": np.clip(spei, -3.5, 3.5),
            "wsdi": np.where(heat < 0.25, 0, rng.gamma(2, 5 + 3 * warming, yearly)).clip(0, 300),
            "csdi": np.where(cold < 0.4, 0, rng.gamma(2, 4, yearly)).clip(0, 300),
            "rx1day": rx1day,
            "rx5day": rx1day * rng.uniform(1.2, 2.6, yearly),
            "cdd": np.clip(rng.gamma(9, 4, yearly), 8, 110),
            "rain80": np.clip(rng.gamma(2, 1, yearly), 0, 14),
            "sdii": rng.uniform(10, 22, yearly),
            "ta_yearly": ta.mean(axis=2),
            "hw33": rng.gamma(3, 4 + warming, yearly).clip(0, 120),
            "tr25": rng.gamma(2, 3 + warming, yearly).clip(0, 120),
            "tx90p": rng.gamma(9, 4 + warming, yearly).clip(0, 300),
            "tn10p": rng.gamma(9, 3, yearly).clip(0, 300),
            "fd0": rng.uniform(40, 130, yearly),
            "tnn": rng.normal(-12, 3, yearly),
            "tamax": ta + rng.uniform(3, 6, monthly),
            "tamin": ta - rng.uniform(3, 6, monthly),
        }
        made |= {(name, scenario): values[name].round(3).astype(np.float32) for name in variables}
    return made


def _long(
    variable: Variable, cells: pl.DataFrame, years: NDArray[np.int64], arrays: Mapping[Scenario, NDArray[np.float32]]
) -> pl.DataFrame:
    """Rows as in a climate table; cells beyond the arrays are sea."""
    if variable.monthly:
        times = pl.Series(variable.time_column, [date(year, month, 1) for year in years for month in range(1, 13)])
    else:
        times = pl.Series(variable.time_column, years, pl.Int16)
    columns = {}
    for scenario, array in arrays.items():
        block = np.full((cells.height, len(times)), np.nan, np.float32)
        block[: len(array)] = array.reshape(len(array), -1)
        columns[scenario.column] = block.ravel()
    return pl.DataFrame({"grid_id": np.repeat(cells["grid_id"].to_numpy(), len(times))}).with_columns(
        pl.concat([times] * cells.height), **{name: pl.Series(values) for name, values in columns.items()}
    )


def _own_tables(
    connection: psycopg.Connection,
    grid: GridDefinition,
    cells: pl.DataFrame,
    active: pl.DataFrame,
    variables: Collection[str],
    rng: np.random.Generator,
) -> None:
    """Lattice, cells, attributes and water as our own loaders leave them."""
    lattice = (grid.lat0, grid.lon0, grid.n_lat, grid.n_lon, grid.step, *grid.axis)
    connection.execute("INSERT INTO grid_definition VALUES (true, %s, %s, %s, %s, %s, %s, %s)", lattice)
    for name in variables:
        connection.execute("SELECT create_climate_table(%s, %s)", (name, VARIABLES[name].monthly))
    _copy(connection, "sea_level_grid", _sea_points())
    west = pl.col("lon_idx") < grid.n_lon // 2
    _copy(
        connection,
        "location_grid",
        cells.with_columns(
            has_climate=pl.col("grid_id").is_in(active["grid_id"].implode()),
            basin_code=pl.when(west).then(1).otherwise(2),
            slr_grid_id=pl.when(west).then(1).otherwise(2),
        ),
    )
    n = active.height
    elevation = rng.uniform(1, 300, n).round(1)
    _copy(
        connection,
        "grid_attributes",
        active.select("grid_id").with_columns(
            elevation_mean_m=pl.Series(elevation),
            elevation_min_m=pl.Series((elevation * np.where(np.arange(n) % 2, 0.02, 0.6)).round(2)),
            slope_mean_deg=pl.Series(rng.uniform(0, 25, n).round(2)),
            wetness_index=pl.Series(rng.uniform(3, 15, n).round(2)),
            landcover_mode=pl.Series(np.resize(["urban", "agricultural", "forest", "grassland", "water"], n)),
            impervious_ratio=pl.Series(rng.uniform(0, 1, n).round(3)),
            forest_ratio=pl.Series(rng.uniform(0, 1, n).round(3)),
            building_density_km2=pl.Series(rng.uniform(0, 2000, n).round(1)),
            dist_coast_m=pl.Series(np.linspace(200, 20_000, n).round(0)),
            dist_river_m=pl.Series(rng.uniform(0, 5000, n).round(0)),
            dist_forest_m=pl.Series(rng.uniform(0, 3000, n).round(0)),
            river_grade=pl.Series(rng.integers(1, 3, n)),
            stream_order=pl.Series(rng.integers(1, 7, n)),
            watershed_area_km2=pl.Series(rng.uniform(5, 20_000, n).round(1)),
        ),
    )
    _water(connection, rng)


def _sea_points() -> pl.DataFrame:
    """Two ocean points and one masked one, beside the lattice."""
    return pl.DataFrame(
        {
            "grid_id": [1, 2, 3],
            "j_idx": [0, 0, 0],
            "i_idx": [0, 1, 2],
            "latitude": [34.49, 34.51, 35.50],
            "longitude": [126.50, 128.50, 127.50],
            "is_ocean": [True, True, False],
        }
    )


def _sea_level(connection: psycopg.Connection, rng: np.random.Generator, foreign: bool) -> None:
    """Rise of 40 to 80 cm by 2100; the masked point holds NaN."""
    points = _sea_points()
    if foreign:
        _copy(connection, "sea_level_grid", points.select("grid_id", "latitude", "longitude"))
    years = np.arange(SEA_YEARS.first, SEA_YEARS.last + 1)
    frames = []
    for point, ocean in points.select("grid_id", "is_ocean").iter_rows():
        rise = np.linspace(0, 1, len(years)) ** 1.3
        levels = {
            s.column: ((52 + (30 + 10 * s) * rise + rng.normal(0, 2, len(years))) if ocean else rise * np.nan).round(2)
            for s in Scenario
        }
        frames.append(pl.DataFrame({"grid_id": np.full(len(years), point), "year": years, **levels}))
    _copy(connection, "sea_level_data", pl.concat(frames))


def _best_track(connection: psycopg.Connection, rng: np.random.Generator) -> None:
    """Two storms a year; the first passes the lattice in two years of three, the second stays at 140 E."""
    fixes = []
    for year in COVERED_YEARS:
        for number in (1, 2):
            near = number == 1 and year % 3 != 0
            start = datetime(year, 7 + number, 3)
            longitude = rng.uniform(125.5, 128.5) if near else 140.0
            peak = rng.uniform(28, 48)
            for step in range(17):  # 4 days, 27 N to 41 N, strongest at the start
                moment = start + timedelta(hours=6 * step)
                wind = round(peak * (1 - 0.035 * step), 1)
                gale = round(150 + 5 * wind)
                fixes.append(
                    {
                        "tcid": f"{year % 100:02d}{number:02d}",
                        "obs_datetime": moment.strftime("%Y-%m-%d %H:%M:%S+00"),
                        "year": moment.year,
                        "month": moment.month,
                        "day": moment.day,
                        "hour": moment.hour,
                        "grade": "TY" if wind >= 32.7 else "STS" if wind >= 24.5 else "TS" if wind >= 17.2 else "TD",
                        "typhoon_name": f"STORM{number}",
                        "longitude": round(longitude + 0.02 * step, 2),
                        "latitude": round(27 + 0.875 * step, 3),
                        "max_wind_speed": wind,
                        "central_pressure": round(1010 - 1.4 * wind),
                        "gale_long": gale,
                        "gale_short": round(gale * 0.7),
                        "gale_dir": "NE",
                        "storm_long": round(gale * 0.35) if wind >= 25 else None,
                        "storm_short": round(gale * 0.25) if wind >= 25 else None,
                        "storm_dir": "NE" if wind >= 25 else None,
                    }
                )
    _copy(connection, "api_typhoon_besttrack", pl.DataFrame(fixes, infer_schema_length=None))


def _water(connection: psycopg.Connection, rng: np.random.Generator) -> None:
    """Two basins, three provinces; flow 1991-2020, withdrawals 2010-2020, all anchors of the ranking."""
    basins = {1: ("Han", "1018683"), 2: ("Nakdong", "2022670")}
    _copy(
        connection,
        "api_wamis_stations",
        pl.DataFrame(
            {
                "obs_code": [gauge for _, gauge in basins.values()],
                "obs_name": [f"{name} outlet" for name, _ in basins.values()],
                "basin_code": list(basins),
            }
        ),
    )
    _copy(
        connection,
        "water_basin",
        pl.DataFrame(
            [(code, *names) for code, names in basins.items()],
            schema=["basin_code", "basin_name", "outlet_obs_code"],
            orient="row",
        ),
    )
    _copy(
        connection,
        "water_basin_province",
        pl.DataFrame(
            {
                "basin_code": [1, 1, 2, 2],
                "gid_1": ["KOR.1_1", "KOR.2_1", "KOR.2_1", "KOR.3_1"],
                "area_weight": [0.75, 0.25, 0.5, 0.5],
            }
        ),
    )
    _copy(
        connection,
        "api_wamis_water_usage",
        pl.DataFrame(
            [(basin, year, 4.0e6 * basin + 1e4 * (year - 2010)) for basin in basins for year in range(2010, 2021)],
            schema=["basin_code", "year", "total"],
            orient="row",
        ),
    )
    days = [date(1991, 1, 1) + timedelta(days=day) for day in range((date(2021, 1, 1) - date(1991, 1, 1)).days)]
    for basin, (_, gauge) in basins.items():
        flow = rng.gamma(1.5, 300 / basin, len(days)).round(1)
        _copy(
            connection,
            "api_wamis_flow",
            pl.DataFrame({"obs_code": [gauge] * len(days), "obs_date": days, "flow_m3s": flow}),
        )
    anchors = [(2019, "baseline")] + [(year, name) for year in (2030, 2050, 2080) for name in ("opt", "bau", "pes")]
    rankings = [
        ("KOR", f"KOR.{province}_1", "South Korea", f"province {province}", year, name, "bws", weight, score)
        for province in (1, 2, 3)
        for year, name in anchors
        for weight, score in (("Tot", round(1.5 + 0.4 * province + 0.004 * (year - 2019), 3)), ("Ind", 1.0))
    ]
    schema = ["gid_0", "gid_1", "name_0", "name_1", "year", "scenario", "indicator_name", "weight", "score"]
    _copy(connection, "water_stress_rankings", pl.DataFrame(rankings, schema=schema, orient="row"))


def _record_loads(connection: psycopg.Connection, variables: Collection[str], scope: str) -> None:
    loads: list[tuple[str, str, dict[str, object] | None]] = [
        ("grid", "location_grid", None),
        ("sea_level", "sea_level_data", None),
        ("besttrack", "api_typhoon_besttrack", {"covered_years": list(COVERED_YEARS)}),
        ("wamis", "api_wamis_flow", None),
        ("aqueduct", "water_stress_rankings", None),
        ("basins", "water_basin", None),
    ]
    loads += [
        ("monthly_grid" if VARIABLES[name].monthly else "yearly_grid", VARIABLES[name].table, None)
        for name in variables
    ]
    for loader, table, report in loads:
        files = [{"name": f"{table}.nc", "bytes": 1, "sha256": "0" * 64}]
        connection.execute(
            "INSERT INTO etl_load (loader, loader_version, table_name, scope, source_files, gate_report, status,"
            " finished_at) VALUES (%s, '1', %s, %s, %s, %s, 'published', now())",
            (loader, table, scope, json.dumps(files), json.dumps(report) if report else None),
        )


def _leave_out(connection: psycopg.Connection, without: Collection[str], variables: Collection[str]) -> None:
    for name in without:
        table, _, column = name.partition(".")
        if name in _COLUMNS:
            climate = {VARIABLES[each].table for each in variables} | {"sea_level_data"}
            for each in sorted(climate - set(without)):
                _drop_column(connection, each, name)
        elif column:
            _drop_column(connection, table, column)
        else:
            connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(table)))


def _drop_column(connection: psycopg.Connection, table: str, column: str) -> None:
    connection.execute(sql.SQL("ALTER TABLE {} DROP COLUMN {}").format(sql.Identifier(table), sql.Identifier(column)))


def _foreign_schema(connection: psycopg.Connection, variables: Collection[str]) -> None:
    """Tables as a provider's script might make them: every table with other numeric types."""
    connection.execute(
        "CREATE TABLE location_grid (grid_id serial PRIMARY KEY, longitude numeric(9,6), latitude numeric(8,6),"
        " full_address text)"
    )
    connection.execute(
        "CREATE TABLE sea_level_grid (grid_id serial PRIMARY KEY, longitude numeric(9,6), latitude numeric(8,6))"
    )
    connection.execute(
        "CREATE TABLE sea_level_data (grid_id integer, year integer, ssp1 real, ssp2 real, ssp3 real, ssp5 real)"
    )
    connection.execute(
        "CREATE TABLE api_typhoon_besttrack (grade varchar(5), tcid varchar(10), year integer, month integer,"
        " day integer, hour integer, obs_datetime timestamp, longitude numeric(7,3), latitude numeric(6,3),"
        " max_wind_speed numeric, central_pressure integer, gale_long integer, gale_short integer, gale_dir varchar(5),"
        " storm_long integer, storm_short integer, storm_dir varchar(5), typhoon_name varchar(50))"
    )
    kinds = ("numeric", "double precision", "real", "numeric(9,3)")
    for number, name in enumerate(variables):
        variable = VARIABLES[name]
        time = "observation_date date" if variable.monthly else f"year {('integer', 'smallint', 'bigint')[number % 3]}"
        values = ", ".join(f"{column} {kinds[(number + k) % 4]}" for k, column in enumerate(_COLUMNS))
        grid_id = ("integer", "bigint")[number % 2]
        connection.execute(f"CREATE TABLE {variable.table} ({time}, {values}, grid_id {grid_id})".encode())
        connection.execute(f"CREATE INDEX ON {variable.table} ({variable.time_column}, grid_id)".encode())


def _copy(connection: psycopg.Connection, table: str, frame: pl.DataFrame) -> None:
    """Write a frame by COPY; null stays NULL, NaN stays NaN."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN WITH (FORMAT csv)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, frame.columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(frame.write_csv(include_header=False))
