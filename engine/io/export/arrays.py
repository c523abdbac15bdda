"""NetCDF-4 and Zarr, written a layer at a time: memory holds one layer, whatever the run."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from engine.io.export.dataset import Axes, attributes, coordinates, form
from engine.io.export.figures import FIGURES
from engine.io.export.table import Export

#: cells along an axis of a chunk
_CHUNK = 512


def _axes(export: Export) -> Axes:
    return Axes(
        export.layers.run, export.risks, export.scenarios, export.periods, export.layers.cells, export.lattice
    )  # fmt: skip


def _coordinates_of(axes: Axes) -> str:
    """Names of the coordinates that are no dimension."""
    return "scenario_id first_year last_year" + (" latitude longitude grid_id" if axes.lattice is None else "")


def _chunks(axes: Axes) -> tuple[int, ...]:
    return (1, 1, 1, *(min(length, _CHUNK if axes.lattice is not None else _CHUNK**2) for length in axes.places))


def write_netcdf(folder: Path, export: Export) -> None:
    """`results.nc`."""
    import h5netcdf

    axes, path = _axes(export), folder / "results.nc"
    made = coordinates(axes, export.layers.runs)
    made.to_netcdf(path, engine="h5netcdf", encoding={name: {"_FillValue": None} for name in made.variables})
    with h5netcdf.File(path, "a") as file:
        for name in FIGURES:
            kind, fill = form(name)
            variable = file.create_variable(
                name,
                axes.dimensions,
                kind,
                fillvalue=fill,
                chunks=_chunks(axes),
                compression="gzip",
                compression_opts=1,
                shuffle=True,
            )
            told = attributes(name, lattice=axes.lattice is not None) | {"coordinates": _coordinates_of(axes)}
            variable.attrs.update(told)
        for key in export.keys:
            rows = export.rows(key)
            for name in FIGURES:
                file.variables[name][axes.at(*key)] = axes.array(name, rows)


def write_zarr(folder: Path, export: Export) -> None:
    """`results.zarr`: format 2, which every reader knows, with consolidated metadata."""
    import zarr

    axes, path = _axes(export), folder / "results.zarr"
    made = coordinates(axes, export.layers.runs)
    made.to_zarr(path, zarr_format=2, consolidated=False)
    group = zarr.open_group(path, mode="a", zarr_format=2)
    arrays: dict[str, Any] = {}
    for name in FIGURES:
        kind, fill = form(name)
        told = attributes(name, lattice=axes.lattice is not None) | {"coordinates": _coordinates_of(axes)}
        told["_ARRAY_DIMENSIONS"] = list(axes.dimensions)
        plain = {each: value.tolist() if isinstance(value, np.ndarray) else value for each, value in told.items()}
        arrays[name] = group.create_array(
            name, shape=axes.shape, dtype=kind, chunks=_chunks(axes), fill_value=fill, attributes=plain
        )
    for key in export.keys:
        rows = export.rows(key)
        for name, array in arrays.items():
            array[axes.at(*key)] = axes.array(name, rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a format that may change: it is that of version 2
        zarr.consolidate_metadata(path, zarr_format=2)
