"""Made-up daily files of Chile: 360-day years, longitudes of 0-360, latitudes from north to south, two members, a
historical run and two RCPs; summers at New Year."""

from pathlib import Path

import numpy as np
import xarray as xr

HISTORY, AHEAD = (2001, 2005), (2006, 2012)
LATITUDE, LONGITUDE = (-33.0, -33.5, -34.0), (288.5, 289.0)
MEMBERS = ("r1", "r2")
RCPS = {"rcp45": 0.02, "rcp85": 0.06}
_METHODS = {"tas": "mean", "tasmax": "maximum", "tasmin": "minimum", "pr": "mean"}


def write(folder: Path, *, ahead: tuple[str, ...] = tuple(RCPS)) -> dict[str, np.ndarray]:
    """Write a file for each variable and experiment; rain of each experiment, (days, members, lat, lon), mm."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(3)
    rain = {}
    for experiment in ("historical", *ahead):
        first, last = HISTORY if experiment == "historical" else AHEAD
        day = np.arange((last - first + 1) * 360)
        season = np.cos(2 * np.pi * (day % 360 - 15) / 360)[:, None, None, None]
        shape = (len(day), len(MEMBERS), len(LATITUDE), len(LONGITUDE))
        warming = RCPS.get(experiment, 0.0) * (day / 360)[:, None, None, None]
        spells = np.repeat(rng.normal(0, 3, (len(day) // 9, *shape[1:])), 9, axis=0)
        southward = 2.0 * (np.array(LATITUDE) + 33.5)[:, None]
        mean = 288 + southward + 7 * season + warming + spells + rng.normal(0, 1, shape)
        wet = rng.random(shape) < 0.1 - 0.08 * season
        rain[experiment] = np.where(wet, rng.gamma(0.8, 9.0, shape), 0.0).astype(np.float32)
        values = {"tas": mean, "tasmax": mean + 7, "tasmin": mean - 7, "pr": rain[experiment] / 86400}
        for name, found in values.items():
            _file(folder / f"{name}_{first}.{experiment}.nc", name, found, experiment, first)
    return rain


def _file(path: Path, name: str, values: np.ndarray, experiment: str, first: int) -> None:
    about = {"units": "kg m-2 s-1" if name == "pr" else "K", "cell_methods": f"time: {_METHODS[name]}"}
    about["standard_name"] = "precipitation_flux" if name == "pr" else "air_temperature"
    since = {"units": f"days since {first}-01-01", "calendar": "360_day", "standard_name": "time"}
    data = xr.Dataset(
        {name: (("time", "realization", "lat", "lon"), values.astype(np.float32), about)},
        coords={
            "time": ("time", np.arange(len(values)) + 0.5, since),
            "realization": ("realization", list(MEMBERS)),
            "lat": ("lat", list(LATITUDE), {"units": "degrees_north", "standard_name": "latitude"}),
            "lon": ("lon", list(LONGITUDE), {"units": "degrees_east", "standard_name": "longitude"}),
        },
        attrs={"experiment_id": experiment, "model_id": "MADE-UP", "Conventions": "CF-1.8"},
    )
    data.to_netcdf(path, engine="h5netcdf")
