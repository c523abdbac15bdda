"""Assessments in the application database: hazard and AAL of cells, result tables, caches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple

import polars as pl
import psycopg

from engine.errors import SinkError, SourceError
from engine.io import frames, postgres

_PLACE: dict[str, LiteralString] = {
    "site_id": "uuid",
    "latitude": "numeric(9,6)",
    "longitude": "numeric(9,6)",
    "risk_type": "varchar(50)",
}
_STATE: dict[str, LiteralString] = {"status": "varchar(10)", "reason": "text", "is_default": "boolean"}
#: table -> its columns that an assessment fills, and its key
TABLES: dict[str, tuple[Mapping[str, LiteralString], tuple[str, ...]]] = {
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
            "aal_capped": "boolean",
        }
        | _STATE,
        ("site_id", "risk_type", "scenario_id", "time_period"),
    ),
}


def store(connection: psycopg.Connection, table: str, frame: pl.DataFrame) -> int:
    """Upsert rows of one of the three result tables; further columns of the frame are left out.

    raises : SinkError
    """
    types, key = TABLES[table]
    with postgres.failures(f"writing {table}", SinkError), connection.transaction():
        return frames.upsert(connection, table, types, key, frame, stamps={"calculated_at": "clock_timestamp()"})


class Scores(NamedTuple):
    """Where one figure of the cells stands: column for windows of years in `windows`, for the whole axis in `full`."""

    name: str
    windows: LiteralString
    full: LiteralString


_WHERE: LiteralString = " JOIN unnest(%s::integer[]) AS c(cell) ON c.cell = t.grid_id WHERE t.risk_type = ANY(%s)"
HAZARD = Scores(
    "hazard_score",
    "SELECT t.grid_id, t.risk_type, t.scenario_id, t.time_period, t.score::float8 FROM modelops_hazard_scores t",
    "SELECT t.grid_id, t.risk_type, 2, 'full', t.hazard_score_100::float8 / 100 FROM hazard_results t",
)
PROBABILITY = Scores(
    "aal",
    "SELECT t.grid_id, t.risk_type, t.scenario_id, t.time_period, t.aal::float8 FROM modelops_probability_scores t",
    "SELECT t.grid_id, t.risk_type, 2, 'full', t.aal::float8 FROM probability_results t",
)


def read_scores(
    connection: psycopg.Connection,
    scores: Scores,
    cells: pl.Series,
    risks: Sequence[str],
    pairs: Sequence[tuple[int, str]],
) -> pl.DataFrame:
    """A figure of distinct cells, for some risks and pairs of scenario and period.

    returns : `grid_id`, `risk_type`, `scenario_id`, `time_period` and the figure; what has no row is absent
    """
    schema: dict[str, pl.DataType] = {
        "grid_id": pl.Int32(),
        "risk_type": pl.String(),
        "scenario_id": pl.Int16(),
        "time_period": pl.String(),
        scores.name: pl.Float64(),
    }
    ids, names = cells.to_list(), list(risks)
    windows = [(scenario, period) for scenario, period in pairs if period != "full"]
    parts = []
    with postgres.failures(f"reading {scores.name} of {len(ids)} cells", SourceError):
        if windows:
            chosen: LiteralString = (
                " AND (t.scenario_id, t.time_period) IN (SELECT * FROM unnest(%s::smallint[], %s::text[]))"
            )
            wanted = [[scenario for scenario, _ in windows], [period for _, period in windows]]
            query = scores.windows + _WHERE + chosen
            parts.append(frames.read(connection, query, [ids, names, *wanted], schema))
        if len(windows) < len(pairs):
            parts.append(frames.read(connection, scores.full + _WHERE, [ids, names], schema))
    return pl.concat(parts) if parts else pl.DataFrame(schema=schema)


def now(connection: psycopg.Connection) -> datetime:
    """The server's clock. Taken before a cell's AAL is read, it dates a cache row: a run that is published later makes
    the row stale, whenever the row was written."""
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None  # noqa: S101 (a SELECT without FROM has one row)
    moment: datetime = row[0]
    return moment


_SITE_KEYS: dict[str, LiteralString] = {"site_id": "uuid", "building_hash": "varchar(64)"}


def cached_vulnerability(connection: psycopg.Connection, keys: pl.DataFrame) -> pl.DataFrame:
    """Current cache rows of sites, by one join.

    keys    : `site_id`, `building_hash`
    returns : `site_id`, `risk_type`, `vulnerability_score`, `vulnerability_level`, `factors`
    """
    schema: dict[str, pl.DataType] = {
        "site_id": pl.String(),
        "risk_type": pl.String(),
        "vulnerability_score": pl.Float64(),
        "vulnerability_level": pl.String(),
        "factors": pl.String(),
    }
    with postgres.failures("reading the vulnerability cache", SourceError), connection.transaction():
        frames.stage(connection, "wanted_site", _SITE_KEYS, keys)
        return frames.read(
            connection,
            "SELECT c.site_id, c.risk_type, c.score, c.level, c.factors FROM modelops_vulnerability_cache c"
            " JOIN wanted_site w USING (site_id, building_hash) WHERE c.expires_at > now()",
            [],
            schema,
        )


def cached_aal(connection: psycopg.Connection, keys: pl.DataFrame) -> pl.DataFrame:
    """Current AAL of sites, by one join. The cache row proves that the result row is current; the figures are taken
    from the result row, which holds them unrounded.

    keys    : `site_id`, `building_hash`, `asset_hash`
    returns : `site_id`, `risk_type`, `scenario_id`, `time_period`, `base_aal`, `final_aal`, `expected_loss`,
              `aal_capped`
    """
    schema: dict[str, pl.DataType] = {
        "site_id": pl.String(),
        "risk_type": pl.String(),
        "scenario_id": pl.Int16(),
        "time_period": pl.String(),
        "base_aal": pl.Float64(),
        "final_aal": pl.Float64(),
        "expected_loss": pl.Int64(),
        "aal_capped": pl.Boolean(),
    }
    with postgres.failures("reading the AAL cache", SourceError), connection.transaction():
        frames.stage(connection, "wanted_site", _SITE_KEYS | {"asset_hash": "varchar(64)"}, keys)
        return frames.read(
            connection,
            "SELECT c.site_id, c.risk_type, c.scenario_id, c.time_period, r.base_aal, r.final_aal, r.expected_loss,"
            " r.aal_capped FROM modelops_aal_cache c JOIN wanted_site w USING (site_id, building_hash, asset_hash)"
            " JOIN aal_scaled_results r USING (site_id, risk_type, scenario_id, time_period)"
            " WHERE c.expires_at > now() AND r.status = 'ok' AND NOT r.is_default"
            " AND c.computed_at > coalesce((SELECT max(published_at) FROM result_runs), '-infinity')",
            [],
            schema,
        )


def cache_vulnerability(connection: psycopg.Connection, rows: pl.DataFrame) -> int:
    """Write rows for 24 hours; rows of the same sites with another building are deleted.

    rows : `site_id`, `building_hash`, `risk_type`, `score`, `level`, `factors`, none failed or a default
    """
    types: dict[str, LiteralString] = _SITE_KEYS | {
        "risk_type": "varchar(50)",
        "score": "numeric(5,2)",
        "level": "varchar(20)",
        "factors": "jsonb",
    }
    stamps: dict[str, LiteralString] = {"computed_at": "now()", "expires_at": "now() + interval '24 hours'"}
    with postgres.failures("writing the vulnerability cache", SinkError), connection.transaction():
        frames.stage(connection, "cached_site", _SITE_KEYS, rows.select(*_SITE_KEYS).unique())
        connection.execute(
            "DELETE FROM modelops_vulnerability_cache c USING cached_site w"
            " WHERE c.site_id = w.site_id AND c.building_hash <> w.building_hash"
        )
        key = ("site_id", "building_hash", "risk_type")
        return frames.upsert(connection, "modelops_vulnerability_cache", types, key, rows, stamps=stamps)


def cache_aal(connection: psycopg.Connection, rows: pl.DataFrame, read_at: datetime) -> int:
    """Write rows for 24 hours from `read_at`, when their base AAL was read; rows of the same sites with another
    building or asset are deleted.

    rows : `site_id`, `building_hash`, `asset_hash`, `risk_type`, `scenario_id`, `time_period`, `base_aal`,
           `final_aal_percentage`, `expected_loss`, `vulnerability_scale`, `risk_level`, none failed or a default
    """
    keys: dict[str, LiteralString] = _SITE_KEYS | {"asset_hash": "varchar(64)"}
    types: dict[str, LiteralString] = keys | {
        "risk_type": "varchar(50)",
        "scenario_id": "smallint",
        "time_period": "varchar(20)",
        "base_aal": "numeric(8,6)",
        "final_aal_percentage": "numeric(8,4)",
        "expected_loss": "bigint",
        "vulnerability_scale": "numeric(5,4)",
        "risk_level": "varchar(20)",
        "computed_at": "timestamptz",
    }
    with postgres.failures("writing the AAL cache", SinkError), connection.transaction():
        frames.stage(connection, "cached_site", keys, rows.select(*keys).unique())
        connection.execute(
            "DELETE FROM modelops_aal_cache c USING cached_site w WHERE c.site_id = w.site_id"
            " AND (c.building_hash <> w.building_hash OR c.asset_hash <> w.asset_hash)"
        )
        return frames.upsert(
            connection,
            "modelops_aal_cache",
            types,
            ("site_id", "risk_type", "scenario_id", "time_period"),
            rows.with_columns(computed_at=pl.lit(read_at.isoformat())),
            stamps={"expires_at": "computed_at + interval '24 hours'"},
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
