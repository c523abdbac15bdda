"""From the warehouse's best-track table to the arrays that the typhoon kernels take."""

from __future__ import annotations

import polars as pl

from engine.core.errors import SchemaError
from engine.kernels.typhoon_track import GRADES, TyphoonTrack

_NUMBERS = ("latitude", "longitude", "max_wind_speed", "gale_long", "gale_short", "storm_long", "storm_short")
_POINTS = ("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW")
_DEGREES = {point: 22.5 * number for number, point in enumerate(_POINTS)}


def typhoon_track(frame: pl.DataFrame) -> TyphoonTrack:
    """The columns of `api_typhoon_besttrack` as a `TyphoonTrack`, by storm and time.

    frame   : rows in any order; `obs_datetime` UTC; a wind or radius that is null or not positive is not stated.
              `gale_dir_deg` and `storm_dir_deg` may be absent: the compass points of `gale_dir`, `storm_dir` are used
    returns : arrays of frame.height
    raises  : SchemaError for a missing column, an unknown grade, or a fix without storm, time or position
    """
    needed = {"tcid", "obs_datetime", "grade", *_NUMBERS}
    if lacking := sorted(needed - set(frame.columns)):
        raise SchemaError(f"api_typhoon_besttrack lacks the columns {', '.join(lacking)}")
    rows = frame.sort("tcid", "obs_datetime").select(
        storm=pl.col("tcid").cast(pl.String).rank("dense").cast(pl.Int64),
        time=pl.col("obs_datetime").cast(pl.Datetime("us")).dt.epoch("us") / 3.6e9,
        grade=pl.col("grade").replace_strict({grade: code for code, grade in enumerate(GRADES)}, default=None),
        **{column: pl.col(column).cast(pl.Float64) for column in _NUMBERS},
        gale_dir=_direction(frame, "gale_dir"),
        storm_dir=_direction(frame, "storm_dir"),
    )
    must = ("storm", "time", "grade", "latitude", "longitude")
    if bad := rows.filter(pl.any_horizontal(pl.col(must).is_null())).height:
        raise SchemaError(
            f"api_typhoon_besttrack: {bad} of {rows.height} fixes lack a storm, time, place or known grade"
        )
    stated = {column: pl.when(pl.col(column) > 0).then(pl.col(column)) for column in _NUMBERS if column not in must}
    values = rows.with_columns(**stated).with_columns(pl.col(pl.Float64).fill_null(float("nan")))
    return TyphoonTrack(
        storm=values["storm"].to_numpy(),
        time=values["time"].to_numpy(),
        lat=values["latitude"].to_numpy(),
        lon=values["longitude"].to_numpy(),
        grade=values["grade"].cast(pl.UInt8).to_numpy(),
        vmax=values["max_wind_speed"].to_numpy(),
        gale_long=values["gale_long"].to_numpy(),
        gale_short=values["gale_short"].to_numpy(),
        gale_dir=values["gale_dir"].to_numpy(),
        storm_long=values["storm_long"].to_numpy(),
        storm_short=values["storm_short"].to_numpy(),
        storm_dir=values["storm_dir"].to_numpy(),
    )


def _direction(frame: pl.DataFrame, column: str) -> pl.Expr:
    """Degrees; null for a circle."""
    if f"{column}_deg" in frame.columns:
        return pl.col(f"{column}_deg").cast(pl.Float64)
    if column in frame.columns:
        text = pl.col(column).cast(pl.String).str.strip_chars().str.to_uppercase()
        return text.replace_strict(_DEGREES, default=None, return_dtype=pl.Float64)
    return pl.lit(None, pl.Float64)
