"""The application: routes, order of middleware, start and end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse

from engine.assess.job import what_if, where_else
from engine.core.settings import Settings
from engine.io.db import connection_pool
from engine.service import (
    auth,
    hub,
    intake,
    problems,
    proxy,
    routes_admin,
    routes_assess,
    routes_climate,
    routes_compare,
    routes_curve,
    routes_explain,
    routes_health,
    routes_history,
    routes_levels,
    routes_map,
    routes_places,
    routes_portfolio,
    routes_portfolio_page,
    routes_portfolio_preview,
    routes_portfolio_sites,
    routes_results,
    routes_runs,
    routes_what_if,
    routes_where_else,
    webhooks,
)
from engine.service.answers import Uniform
from engine.service.cell_explanations import CellExplanations
from engine.service.cell_levels import CellLevels
from engine.service.context import Context
from engine.service.kept import Kept
from engine.service.metrics import Metrics
from engine.service.middleware import Envelope
from engine.service.site_schema import site_schema
from engine.service.spoken import Spoken
from engine.service.supervisor import Supervisor
from engine.service.turn import Turn

#: (warehouse, application, notify), found at start-up, and what to call at the end
Locate = Callable[[Settings, contextlib.ExitStack], tuple[str, str, str]]
_DESCRIPTION = """Physical climate risk of a grid and of sites: hazards from heat to typhoons, four scenarios.

AAL is a ratio of value (0.0025 = 0.25 %); only fields named `_percentage` are percent. Times are UTC.

`HEAD` is answered wherever `GET` is; `OPTIONS` says in `Allow` what a path takes. Every refusal is `{"detail": ...}`.
Sentences are English, or of the language that `?lang=` or `Accept-Language` asks for: en, ko.

WebSocket `/api/v1/risk-assessment/ws/{request_id}`: for each of the milestones 0, 10, 50, 80 and 95, once and in order,
`{"progress": 10, "status": "running", "step": "Fetching H and P(H)"}`, then `{"progress": 100, "status": "completed",
"results": {...}}` or `{"progress": 50, "status": "failed", "error_message": "..."}`, and the server closes."""


def make_app(config: Settings, locate: Locate, worker: Sequence[str]) -> FastAPI:
    """An application that has opened nothing yet.

    locate : addresses of the databases, called at start-up
    worker : command of the assessment process
    """
    metrics = Metrics()

    @contextlib.asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        with contextlib.ExitStack() as stack:
            warehouse, application, notify = await run_in_threadpool(locate, config, stack)
            pool = connection_pool.make(application, config.api_pool_size)
            pool.open(wait=False)
            stack.callback(pool.close)
            context = Context(
                config=config,
                warehouse=warehouse,
                application=application,
                notify=notify,
                pool=pool,
                metrics=metrics,
            )
            app.state.context, app.state.hub = context, hub.Hub(context)
            app.state.intake = intake.Intake(context)
            app.state.pictures, app.state.borders, app.state.layers = Kept(routes_map.PICTURES), None, None
            app.state.values = Kept(routes_map.VALUES)
            app.state.turn = turn = Turn()
            app.state.filled = Kept[what_if.Asked](routes_what_if.FILLED)
            app.state.countries = Kept[where_else.Country](routes_where_else.COUNTRIES)
            app.state.elsewhere = Kept[routes_where_else.Found](routes_where_else.ANSWERS)
            app.state.levels, app.state.explained = CellLevels(turn), CellExplanations(turn)
            app.state.supervisor = supervisor = Supervisor(context, worker)
            supervisor.start()
            stack.enter_context(webhooks.delivering(config, application))
            tasks = [asyncio.create_task(each.run()) for each in (app.state.hub, app.state.intake)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await run_in_threadpool(supervisor.stop)

    app = FastAPI(
        title="Climate risk engine",
        version=version("climate-risk-engine"),
        description=_DESCRIPTION,
        lifespan=life,
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        openapi_url=None,  # its own route says where the service is seen
        responses={
            422: {"model": problems.Invalid, "description": "Every fault of the request"},
            503: {"model": problems.Problem, "description": "The database is not available"},
        },
    )
    _add_routes(app)
    _describe(app, has_key=config.api_key is not None)
    problems.install(app)
    if config.api_cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(config.api_cors_origins),
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["Content-Type", "If-None-Match", "X-API-Key", "X-Request-ID"],
            expose_headers=["ETag", "X-Request-ID"],
        )
    # the last is the first that a request meets
    app.add_middleware(Uniform)
    app.add_middleware(
        Envelope,
        metrics=metrics,
        most=config.api_max_body_bytes,
        most_of=dict.fromkeys((routes_portfolio.PATH, routes_portfolio_preview.PREVIEW), config.portfolio_max_bytes),
        patience=config.api_body_seconds,
    )
    app.add_middleware(Spoken)
    paths = [*app.openapi()["paths"], "/openapi.json", "/page", "/portfolio"]
    proxy.require_free(config, paths)  # now, not at the first request
    app.add_middleware(proxy.Fronted, config=config, paths=paths)
    return app


def _add_routes(app: FastAPI) -> None:
    unauthorized: dict[int | str, dict[str, Any]] = {
        401: {"model": problems.Problem, "description": "Wrong or missing API key"}
    }
    api = APIRouter(dependencies=[Depends(auth.for_api)], responses=unauthorized)
    for part in (
        routes_results,
        routes_climate,
        routes_history,
        routes_levels,
        routes_explain,
        routes_assess,
        routes_portfolio,
        routes_portfolio_preview,
        routes_portfolio_sites,
        routes_curve,
        routes_compare,
        routes_what_if,
        routes_where_else,
        routes_runs,
        routes_map,
        routes_places,
    ):
        api.include_router(part.router)
    api.include_router(routes_health.aliases)
    app.include_router(api)
    app.include_router(routes_admin.router, dependencies=[Depends(auth.for_admin)], responses=unauthorized)
    app.include_router(routes_health.router)
    app.include_router(hub.router)
    app.include_router(routes_portfolio_page.page)
    app.include_router(routes_map.page)
    app.add_api_route("/openapi.json", _openapi, include_in_schema=False)


def _openapi(request: Request) -> JSONResponse:
    """The document, with the path below which a proxy shows the service."""
    document: dict[str, Any] = request.app.openapi()
    where = proxy.prefix(request)
    return JSONResponse(document | ({"servers": [{"url": where}]} if where else {}))


def _describe(app: FastAPI, *, has_key: bool) -> None:
    """Bodies that the engine checks itself are described by hand; a key is asked for where it is needed."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            schemas = document["components"]["schemas"]
            schemas["Site"], schemas["SiteHere"] = (site_schema(needs_place=needed) for needed in (True, False))
            for path, methods in document["paths"].items():
                for told in methods.values():
                    if path.startswith("/api") and not has_key:
                        told.pop("security", None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
