"""Assessments in the application database: hazard and AAL of cells, result tables, caches."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import LiteralString

import polars as pl
import psycopg

from engine.core import country
from engine.core.errors import SinkError, SourceError
from engine.io.db import frames, postgres

_PLACE: dict[str, LiteralString] = {
    "site_id": "uuid",
    "latitude": "numeric(9,6)",
    "longitude": "numeric(9,6)",
    "risk_type": "varchar(50)",
}
_STATE: dict[str, LiteralString] = {"status": "varchar(10)", "reason": "text", "is_default": "boolean"}
#: table -> its columns that an assessment fills, and its key
TABLES: dict[str, tuple[Mapping[str, LiteralString], tuple[str, ...]]] = {
    "site_assets": (
        {
            "site_id": "uuid",
            "given_id": "varchar(100)",
            "latitude": "numeric(9,6)",
            "longitude": "numeric(9,6)",
            "grid_id": "integer",
            "cell_basis": "varchar(10)",
            "cell_distance_m": "double precision",
        },
        ("site_id",),
    ),
    "exposure_results": (
        _PLACE | {"exposure_score": "real", "proximity_factor": "real", "normalized_asset_value": "real"} | _STATE,
        ("site_id", "risk_type"),
    ),
    "vulnerability_results": (
        _PLACE | {"vulnerability_score": "real", "vulnerability_level": "varchar(20)", "factors": "jsonb"} | _STATE,
        ("site_id", "risk_type"),
    ),
    "aal_scaled_results": (
        _PLACE
        | {
            "scenario_id": "smallint",
            "time_period": "varchar(20)",
            "base_aal": "double precision",
            "vulnerability_scale": "numeric(5,4)",
            "insurance_rate": "numeric(5,4)",
            "final_aal": "double precision",
            "expected_loss": "bigint",
            "currency": "char(3)",
            "aal_capped": "boolean",
            "calibrated": "boolean",
            "run_id": "integer",
        }
        | _STATE,
        ("site_id", "risk_type", "scenario_id", "time_period"),
    ),
}


def require_results(connection: psycopg.Connection) -> None:
    """Refuse an application database without tables, or in which no run has published anything.

    raises : SourceError
    """
    with postgres.failures("looking for published results", SourceError):
        row = connection.execute(
            "SELECT to_regclass('result_runs') IS NULL, to_regclass('site_assets') IS NULL OR NOT EXISTS"
            " (SELECT FROM pg_attribute WHERE attrelid = to_regclass('aal_scaled_results') AND attname = 'run_id')"
            " OR to_regclass('result_sample_years') IS NULL"
        ).fetchone()
        if row and any(row):
            lacks = "its tables" if row[0] else "the newer tables"
            raise SourceError(f"the application database lacks {lacks}: apply the schema with python -m jobs.schema")
        row = connection.execute("SELECT EXISTS (SELECT FROM result_runs WHERE published_at IS NOT NULL)").fetchone()
        if not (row and row[0]):
            raise SourceError("no results are published yet: run ./run, or python -m jobs.yearly, first")


def store(connection: psycopg.Connection, table: str, frame: pl.DataFrame) -> int:
    """Put rows into one of the tables of sites; further columns of the frame are left out. The column `site_id` of the
    database holds the frame's `site_uuid`.

    raises : SinkError
    """
    types, key = TABLES[table]
    with postgres.failures(f"writing {table}", SinkError):
        return frames.put(connection, table, types, key, _by_uuid(frame), stamps={"calculated_at": "now()"})


def store_exposure(connection: psycopg.Connection, sites: pl.DataFrame, rows: pl.DataFrame) -> None:
    """Store exposure, the first that is known of sites, and what the sites are: id, place, cell. In one transaction."""
    with postgres.failures("writing exposure", SinkError), connection.transaction():
        store(connection, "site_assets", sites.with_columns(given_id="site_id"))
        store(connection, "exposure_results", rows)


def _by_uuid(frame: pl.DataFrame) -> pl.DataFrame:
    """The caller's own id is no key: `site_uuid` is."""
    return frame.with_columns(site_id="site_uuid") if "site_uuid" in frame.columns else frame


def now(connection: psycopg.Connection) -> datetime:
    """The server's clock. Taken before a cell's AAL is read, it dates a cache row: a run that is published later makes
    the row stale, whenever the row was written."""
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None  # noqa: S101 (a SELECT without FROM has one row)
    moment: datetime = row[0]
    return moment


_BUILDING, _ASSET = ("site_id", "building_hash"), ("site_id", "building_hash", "asset_hash")
#: of a row of the AAL cache; the table gives the same to one of the vulnerability cache
_LIFE = timedelta(hours=24)
#: what is known of some sites, as a table `w`; its parameters are `frames.listed` columns
_BUILDINGS: LiteralString = (
    "unnest(string_to_array(%s, ',')::uuid[], string_to_array(%s, ',')) AS w(site_id, building_hash)"
)
_ASSETS: LiteralString = (
    "unnest(string_to_array(%s, ',')::uuid[], string_to_array(%s, ','), string_to_array(%s, ','))"
    " AS w(site_id, building_hash, asset_hash)"
)
_KEYS: dict[str, LiteralString] = {"site_id": "uuid", "building_hash": "varchar(64)", "risk_type": "varchar(50)"}


def cached_vulnerability(connection: psycopg.Connection, keys: pl.DataFrame) -> pl.DataFrame:
    """Current cache rows of sites, by one join.

    keys    : `site_uuid`, `building_hash`
    returns : `site_uuid`, `risk_type`, `vulnerability_score`, `vulnerability_level`, `factors`
    """
    schema: dict[str, pl.DataType] = {
        "site_uuid": pl.String(),
        "risk_type": pl.String(),
        "vulnerability_score": pl.Float64(),
        "vulnerability_level": pl.String(),
        "factors": pl.String(),
    }
    with postgres.failures("reading the vulnerability cache", SourceError):
        return frames.read(
            connection,
            "SELECT c.site_id, c.risk_type, c.score, c.level, c.factors FROM modelops_vulnerability_cache c"
            f" JOIN {_BUILDINGS} USING (site_id, building_hash) WHERE c.expires_at > now()",
            frames.listed(*_by_uuid(keys).select(_BUILDING)),
            schema,
        )


def cached_aal(connection: psycopg.Connection, keys: pl.DataFrame) -> pl.DataFrame:
    """Current AAL of sites, by one join. The cache row proves that the result row is current; the figures are taken
    from the result row, which holds them unrounded.

    keys    : `site_uuid`, `building_hash`, `asset_hash`
    returns : `site_uuid`, `risk_type`, `scenario_id`, `time_period`, `base_aal`, `final_aal`, `expected_loss`,
              `aal_capped`
    """
    schema: dict[str, pl.DataType] = {
        "site_uuid": pl.String(),
        "risk_type": pl.String(),
        "scenario_id": pl.Int16(),
        "time_period": pl.String(),
        "base_aal": pl.Float64(),
        "final_aal": pl.Float64(),
        "expected_loss": pl.Int64(),
        "aal_capped": pl.Boolean(),
    }
    with postgres.failures("reading the AAL cache", SourceError):
        return frames.read(
            connection,
            "SELECT c.site_id, c.risk_type, c.scenario_id, c.time_period, r.base_aal, r.final_aal, r.expected_loss,"
            f" r.aal_capped FROM modelops_aal_cache c JOIN {_ASSETS} USING (site_id, building_hash, asset_hash)"
            " JOIN aal_scaled_results r USING (site_id, risk_type, scenario_id, time_period)"
            " WHERE c.expires_at > now() AND r.status = 'ok' AND NOT r.is_default"
            " AND c.computed_at > coalesce((SELECT max(published_at) FROM result_runs), '-infinity')",
            frames.listed(*_by_uuid(keys).select(_ASSET)),
            schema,
        )


def store_vulnerability(connection: psycopg.Connection, rows: pl.DataFrame, new: pl.DataFrame) -> None:
    """Store vulnerability, and cache what was not in the cache, in one transaction."""
    with postgres.failures("writing vulnerability", SinkError), connection.transaction():
        store(connection, "vulnerability_results", rows)
        _cache_vulnerability(connection, new)


def store_aal(connection: psycopg.Connection, rows: pl.DataFrame, new: pl.DataFrame, read_at: datetime) -> None:
    """Store AAL, and cache what was not in the cache. In one transaction: a cache row vouches for the result row, so
    nobody may come to change the latter in between."""
    with postgres.failures("writing AAL", SinkError), connection.transaction():
        store(connection, "aal_scaled_results", _in_currency(rows))
        _cache_aal(connection, new, read_at)


def _in_currency(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(currency=pl.lit(country.current().currency.code))


def _cache_vulnerability(connection: psycopg.Connection, rows: pl.DataFrame) -> None:
    """Write rows for 24 hours; rows of the same sites with another building are deleted.

    rows : `site_uuid`, `building_hash`, `risk_type`, `score`, `level`, `factors`, none failed or a default
    """
    types: dict[str, LiteralString] = _KEYS | {
        "score": "numeric(5,2)",
        "level": "varchar(20)",
        "factors": "jsonb",
    }
    stamps: dict[str, LiteralString] = {"computed_at": "now()", "expires_at": "now() + interval '24 hours'"}
    with postgres.failures("writing the vulnerability cache", SinkError):
        connection.execute(
            f"DELETE FROM modelops_vulnerability_cache c USING {_BUILDINGS}"
            " WHERE c.site_id = w.site_id AND c.building_hash <> w.building_hash",
            frames.listed(*_by_uuid(rows).select(_BUILDING).unique()),
        )
        frames.put(connection, "modelops_vulnerability_cache", types, list(_KEYS), _by_uuid(rows), stamps=stamps)


def _cache_aal(connection: psycopg.Connection, rows: pl.DataFrame, read_at: datetime) -> None:
    """Write rows for 24 hours from `read_at`, when their base AAL was read; rows of the same sites with another
    building or asset are deleted.

    rows : `site_uuid`, `building_hash`, `asset_hash`, `risk_type`, `scenario_id`, `time_period`, `base_aal`,
           `final_aal_percentage`, `expected_loss`, `vulnerability_scale`, `risk_level`, none failed or a default
    """
    types: dict[str, LiteralString] = _KEYS | {
        "asset_hash": "varchar(64)",
        "scenario_id": "smallint",
        "time_period": "varchar(20)",
        "base_aal": "double precision",
        "final_aal_percentage": "double precision",
        "expected_loss": "bigint",
        "currency": "char(3)",
        "vulnerability_scale": "numeric(5,4)",
        "risk_level": "varchar(20)",
        "computed_at": "timestamptz",
        "expires_at": "timestamptz",
    }
    until = read_at + _LIFE
    with postgres.failures("writing the AAL cache", SinkError):
        connection.execute(
            f"DELETE FROM modelops_aal_cache c USING {_ASSETS} WHERE c.site_id = w.site_id"
            " AND (c.building_hash <> w.building_hash OR c.asset_hash <> w.asset_hash)",
            frames.listed(*_by_uuid(rows).select(_ASSET).unique()),
        )
        frames.put(
            connection,
            "modelops_aal_cache",
            types,
            ("site_id", "risk_type", "scenario_id", "time_period"),
            _in_currency(_by_uuid(rows)).with_columns(
                computed_at=pl.lit(read_at.isoformat()), expires_at=pl.lit(until.isoformat())
            ),
            stamps={},
        )


def clean_caches(connection: psycopg.Connection) -> dict[str, int]:
    """Delete expired rows of both caches; returns how many of each."""
    deleted = {}
    with postgres.failures("cleaning the caches", SinkError):
        for table in ("modelops_vulnerability_cache", "modelops_aal_cache"):
            deleted[table] = connection.execute(
                f"DELETE FROM {table} WHERE expires_at < CURRENT_TIMESTAMP".encode()
            ).rowcount
    return deleted
