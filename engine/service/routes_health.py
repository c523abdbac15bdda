"""Health of the process, the database and the results; figures for Prometheus."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version

import psycopg
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from engine.core.errors import EngineError
from engine.io.climate import boundaries
from engine.io.db import postgres
from engine.io.queue import job_logs
from engine.io.results import published_runs, status
from engine.io.results.published_figures import AAL, HAZARD
from engine.service import models, problems
from engine.service.context import Context, Shared
from engine.service.metrics import CONTENT_TYPE_LATEST

router = APIRouter(tags=["health"])
#: under /api, so the key applies
aliases = APIRouter(tags=["health"])
NAME = "climate-risk-engine"
_LAYERS = ("coastline", "river", "forest", "flood_zone")


@router.head("/health", include_in_schema=False)  # what some load balancers ask
@router.get("/health")
def health() -> models.Health:
    """The process answers; no database is asked."""
    return models.Health(status="healthy", timestamp=datetime.now(UTC))


@router.get("/health/db", response_model=models.DatabaseHealth, responses={503: {"model": models.DatabaseSick}})
def health_of_database(context: Shared) -> models.DatabaseHealth | Response:
    """The application database answers."""
    try:
        with context.database() as connection:
            postgres.ping(connection)
    except psycopg.OperationalError:
        sick = models.DatabaseSick(status="unhealthy", database="disconnected", error=problems.UNAVAILABLE)
        return JSONResponse(sick.model_dump(), 503)
    return models.DatabaseHealth(status="healthy", database="connected", timestamp=datetime.now(UTC))


@router.get("/health/ready", response_model=models.Ready, responses={503: {"model": models.Ready | problems.Problem}})
def ready(context: Shared) -> models.Ready | Response:
    """There are results to serve. `rows` are those counted when the tables were last loaded."""
    with context.database() as connection:
        rows = status.loaded_rows(connection)
        newest = published_runs.newest(connection)
        check = job_logs.newest_check(connection)
    holds = rows[AAL.full] > 0 and rows[HAZARD.full] > 0
    state = models.Ready(
        status="ready" if holds else "not ready",
        rows=rows,
        calculated_at=newest.published_at if newest else None,
        spatial_layers=_layers(context),
        schedule_faults=check.faults if check else None,
    )
    return state if holds else JSONResponse(state.model_dump(mode="json"), 503)


def _layers(context: Context) -> list[str] | None:
    try:
        with context.climate() as connection:
            return boundaries.held_layers(connection, _LAYERS)
    except EngineError:
        return None


@aliases.get("/api/health")
def alias_health() -> models.Service:
    """Alias of /health."""
    return models.Service(status="ok", service=NAME, version=version(NAME))


@aliases.get("/api/health/db", responses={503: {"model": problems.Problem}})
def alias_health_of_database(context: Shared) -> models.Service:
    """Alias of /health/db."""
    with context.database() as connection:
        postgres.ping(connection)
    return alias_health()


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(context: Shared) -> Response:
    """Prometheus exposition format."""
    with context.metrics.lock:
        return Response(_figures(context), media_type=CONTENT_TYPE_LATEST)


def _figures(context: Context) -> bytes:
    figures = context.metrics
    try:
        with context.database() as connection:
            figures.read(connection)
        figures.database_up.set(1)
    except psycopg.OperationalError:
        figures.database_up.set(0)
    figures.read_disk(context.config.engine_home)
    for state, value in context.pool.get_stats().items():
        if state in ("pool_size", "pool_available", "requests_waiting"):
            figures.connections.labels(state).set(value)
    return figures.text()
