"""Plausible files of the provider for tests: a small lattice, some of it sea, values that pass the gate."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from engine.core.grid import GridDefinition
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES, Variable
from engine.io.etl import layout

Float32 = NDArray[np.float32]

#: 1.4 degrees of latitude: enough for temperature to fall northward
GRID = GridDefinition(35.0, 127.0, 8, 8, 0.2, 2021, 2100)
MONTHLY = ("ta", "rn", "ws", "rhm", "si", "spei12")
YEARLY = ("wsdi", "csdi", "rx1day", "rx5day", "cdd", "rain80", "sdii", "ta_yearly")
_SEED = {name: number for number, name in enumerate(VARIABLES)}


def land(grid: GridDefinition = GRID) -> NDArray[np.bool_]:
    """(n_lat, n_lon); the north-west and south-east corners are sea."""
    rows, columns = np.indices((grid.n_lat, grid.n_lon))
    return np.asarray(abs(rows / grid.n_lat - columns / grid.n_lon) < 0.6)


def values(name: str, scenario: Scenario, grid: GridDefinition = GRID) -> Float32:
    """(steps, n_lat, n_lon) in the stored unit, NaN at sea."""
    rng = np.random.default_rng([_SEED["ta" if name == "ta_yearly" else name], int(scenario)])
    if name == "ta_yearly":
        monthly = values("ta", scenario, grid)
        return monthly.reshape(grid.axis.n, 12, grid.n_lat, grid.n_lon).mean(axis=1)
    if name == "rx5day":
        rx1day = values("rx1day", scenario, grid)
        return (rx1day * rng.uniform(1.1, 2.0, rx1day.shape)).astype(np.float32)
    monthly = VARIABLES[name].monthly
    steps = grid.axis.n * (12 if monthly else 1)
    shape = (steps, grid.n_lat, grid.n_lon)
    year = (np.arange(steps) / (12 if monthly else 1))[:, None, None]
    summer = -np.cos(2 * np.pi * (np.arange(steps) % 12 + 0.5) / 12)[:, None, None]
    warming = year * int(scenario) / 80
    north = (grid.latitudes - grid.latitudes[0])[None, :, None]
    noise = rng.normal(0, 1, shape)
    block = {
        "ta": lambda: 12 + 11 * summer - 0.8 * north + warming + 0.4 * noise,
        "rn": lambda: 110 + 60 * summer + 8 * noise,
        "ws": lambda: 3 + 0.3 * noise,
        "rhm": lambda: 65 + 8 * summer + noise,
        "si": lambda: 14 + 5 * summer + 0.4 * noise,
        "spei12": lambda: np.clip(noise, -3, 3),
        "wsdi": lambda: np.clip(5 + 8 * warming + noise, 0, None),
        "csdi": lambda: np.clip(6 - warming + 0.3 * noise, 0, None),
        "rx1day": lambda: 120 + 10 * noise,
        "cdd": lambda: 30 + 2 * noise,
        "rain80": lambda: 2 + 0.3 * noise,
        "sdii": lambda: 15 + noise,
        "tamax": lambda: values("ta", scenario, grid) + 5 + 0.1 * noise,
    }[name]()
    block = np.where(land(grid), block, np.nan).astype(np.float32)
    if name == "spei12":
        block[:11] = np.nan
    return block


def write(
    root: Path,
    names: Collection[str],
    grid: GridDefinition = GRID,
    *,
    scope: str = "full",
    scenarios: Collection[Scenario] = tuple(Scenario),
    given: Mapping[tuple[str, Scenario], Float32] | None = None,
) -> None:
    """Files of these variables in the provider's layout, and grid.toml; `given` replaces values."""
    layout.write_grid(root / "grid.toml", grid)
    for name in names:
        for scenario in scenarios:
            block = (given or {}).get((name, scenario))
            block = values(name, scenario, grid) if block is None else block
            path = path_of(root, name, scenario, grid)
            layout.write_gridded(path, grid, VARIABLES[name], scenario, block, scope=scope, attributes={})


def path_of(root: Path, name: str, scenario: Scenario, grid: GridDefinition = GRID) -> Path:
    """Where `write` puts a file."""
    return layout.gridded_path(root, VARIABLES[name], scenario, grid.axis)


def rewrite(path: Path, change, engine: str = "h5netcdf", **options: object) -> None:
    """Replace a file by `change(dataset)`, everything as stored: no decoding on the way."""
    with xr.open_dataset(path, engine="h5netcdf", decode_cf=False, decode_timedelta=False) as data:
        changed = change(data.load())
    path.unlink()
    changed.to_netcdf(path, engine=engine, **options)


def variable(name: str) -> Variable:
    """Short for the table of variables."""
    return VARIABLES[name]
