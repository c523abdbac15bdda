"""The national map: what layers there are, each as one picture, the borders to draw over it, and the page itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Annotated, Any, get_args

import psycopg
from fastapi import APIRouter, HTTPException, Query, Request, Response
from shapely.geometry.base import BaseGeometry

from engine.core import country, levels, names
from engine.core.caveats import LOSS_NOTE, own_past, own_years
from engine.core.edition_words import what_a_figure_is
from engine.core.errors import EngineError
from engine.core.false_discovery import FALSE_DISCOVERIES
from engine.core.language import Language
from engine.core.names import RISK_NAMES
from engine.core.scenario import DEFAULT_SCENARIO
from engine.io.climate import boundaries
from engine.io.results import published_runs, published_scenarios
from engine.maps import borders, land, picture, world
from engine.risks import EDITIONS, load_edition
from engine.service import map_files, map_layers, map_models, map_run, models, page_files, proxy
from engine.service.answers import File
from engine.service.context import Context, Shared
from engine.service.problems import Problem

router = APIRouter(tags=["map"])
page = APIRouter(include_in_schema=False)
PICTURES = 450  # 342 layers of an edition, about 50 kB each
VALUES = 60  # about 1 MB each of half a million cells
HATCHED: dict[Language, str] = {
    "en": f"not more than noise, at a false discovery rate of {FALSE_DISCOVERIES:g}",
    "ko": f"잡음을 넘지 않는 변화 (거짓발견율 {FALSE_DISCOVERIES:g})",
}
LANGUAGES: tuple[Language, ...] = get_args(Language)


@router.get("/api/v1/map", responses={404: {"model": Problem, "description": "Nothing is published yet"}})
def describe(context: Shared, request: Request) -> map_models.Map:
    """Place, layers and legend of the map, and the run that is shown: nothing that was not computed."""
    with context.database() as connection:
        runs = map_run.runs_of(connection)
        if not runs:
            raise HTTPException(404, "No results are published yet")
        run, key = runs[0], (runs[0]["run_id"], runs[0]["published_at"])
        held: tuple[Any, dict[str, map_run.Layers]] | None = request.app.state.layers
        if held is None or held[0] != key:
            request.app.state.layers = held = key, map_run.layers_of(connection)
        layers, told = held[1], published_runs.published_risks(connection)
        shown = published_scenarios.names(connection)
    observed = run["scope"] == "observed"
    notes = _notes({risk: told[risk] for risk in layers if risk in told})
    grid, half = context.grid, context.grid.step / 2
    rates = {risk: told[risk].damage_rates() for risk in layers if risk in told}
    periods = map_run.periods_of(layers, runs, context.grid.axis)
    priced = [risk for risk in layers if risk not in told or told[risk].priced]
    named = {scenario for each in layers.values() for of in each.values() for ids in of.values() for scenario in ids}
    return map_models.Map.model_validate(
        {
            **{name: run[name] for name in ("run_id", "edition", "scope", "baseline", "published_at")},
            "own_edition": None if run["edition"] in EDITIONS else run["edition_checksum"],
            "edition_words": {
                language: what_a_figure_is(run["edition"], rates, language, observed=observed) for language in LANGUAGES
            },
            "west": round(grid.lon0 - half, 6),
            "east": round(float(grid.meridians[-1]) + half, 6),
            "south": round(grid.lat0 - half, 6),
            "north": round(float(grid.latitudes[-1]) + half, 6),
            "step": grid.step,
            "apart": bool((run["summary"] or {}).get("apart")),
            "figures_of": (run["summary"] or {}).get("pair"),
            "risks": list(layers),
            "absent": map_run.absent_risks(layers, run["summary"]),
            "layers": layers,
            "notes": {risk: words["en"] for risk, words in notes.items()},
            "note_words": notes,
            "uncalibrated": [risk for risk in priced if risk not in told or not told[risk].calibrated],
            "not_priced": [risk for risk in layers if risk not in priced],
            "damage_rates": rates,
            "hatched": HATCHED["en"],
            "hatched_words": HATCHED,
            "year_losses_note": map_run.year_losses_note(run),
            "loss_note": LOSS_NOTE,
            "levels": [
                dict(zip(("lower", "printed", "hazard", "older"), each, strict=True))
                for each in zip((0, *levels.CUTS), levels.PRINTED, levels.HAZARD, levels.OLDER, strict=True)
            ],
            "scenarios": [
                {"scenario_id": each, "name": models.scenario_name(each, run["scope"], shown)} for each in sorted(named)
            ],
            "periods": periods,
            "aal_years": {risk: map_run.aal_years(periods) for risk in layers if risk in told and told[risk].trend},
            "scales": {name: _legend(scale) for name, scale in picture.SCALES.items()},
            "no_value": picture.NO_VALUE,
            "hatch": picture.HATCH,
            "measures": _measures(run["edition"]),
        }
    )


def _legend(scale: picture.Scale) -> dict[str, Any]:
    breaks = [round(100 * each, 6) for each in scale.breaks]
    return {"unit": scale.unit, "labels": scale.labels, "breaks": breaks, "colours": scale.colours}


def _measures(edition: str) -> dict[str, dict[str, str]]:
    """What each risk is measured by; empty for an edition of a user's own, whose file is not here."""
    if edition not in EDITIONS:
        return {}
    known = load_edition(edition)
    return {risk: {"intensity": known.bins[risk].intensity, "unit": known.intensity(risk).unit} for risk in RISK_NAMES}


@router.get(
    "/api/v1/map/{quantity}/{risk_type}",
    response_class=Response,
    responses={
        200: {"content": {kind: {} for kind in ("image/png", "application/octet-stream", "text/csv", "image/tiff")}},
        304: {"description": "Unchanged"},
        404: {"model": Problem},
    },
)
def read_layer(  # many: one parameter a field of the query
    context: Shared,
    request: Request,
    quantity: map_layers.Quantity,
    risk_type: models.RiskName,
    scenario_id: models.ScenarioId = int(DEFAULT_SCENARIO),
    time_period: models.Period | None = None,
    reference_scenario_id: Annotated[int | None, Query(ge=1, le=4, description="of a difference")] = None,
    reference_period: models.Window | None = None,
    format: map_files.Form = "png",
) -> Response:
    """One layer, the north-west cell first. As a PNG a pixel a cell, transparent where there is no result; differences
    of the AAL have more pixels a cell, for lines across cells whose difference is not more than noise. As `values` a
    32-bit float a cell, little-endian: a ratio (AAL, width of its interval as a multiple of it, change, difference) or
    a score of 0 to 1; NaN where there are too few data, -infinity where there is no result; then, of layers with lines,
    a byte a cell. As `csv` a row a cell with its place, figures as published (AAL with its 90 % interval; differences
    with their standard error), years, run, edition and scope, as `tif` (GeoTIFF) a band a figure; both cite their run.

    A difference is that of a window of a scenario from another of the same risk; a part of the reference that is left
    open is that of the layer. `change` is the relative difference from the short term of the same scenario."""
    asked = scenario_id, models.period_of(scenario_id, time_period)
    layer = map_layers.layer_of(quantity, names.risk(risk_type), asked, (reference_scenario_id, reference_period))
    kept = {"png": request.app.state.pictures, "values": request.app.state.values}.get(format)
    with context.database() as connection:
        run, shown = published_runs.newest(connection), published_scenarios.names(connection)
        # a browser's copy outlives this process: other classes or colours are another picture
        key = run and (run.run_id, str(run.published_at)), format, repr(picture.SCALES[quantity]), layer
        tag = f'"{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        data = kept.get(key) if kept else None
        if data is None:
            data = map_files.made(format, connection, context.grid, layer, proxy.base_url(request))
            if data is None:
                raise HTTPException(404, "No results for this layer")
            if kept:
                kept.put(key, data)
    return map_files.packed(data, format, request.headers.get("accept-encoding", ""), headers, layer, shown)


@router.get("/api/v1/map/borders")
def read_borders(context: Shared, request: Request) -> map_models.Borders:
    """Lines to draw over a layer and land to fill behind it: rings and strokes of [longitude, latitude]."""
    if request.app.state.borders is None:
        behind = borders.backdrop(context.grid.latitudes, context.grid.meridians)
        coast = _of_warehouse(context, boundaries.coastline) or behind.coast
        request.app.state.borders = map_models.Borders(
            coastline=borders.lines(coast),
            provinces=borders.lines(_of_warehouse(context, boundaries.provinces) or behind.borders),
            land=land.rings(coast, world.box_around(context.grid.latitudes, context.grid.meridians)),
        )
    told: map_models.Borders = request.app.state.borders
    return told


def _of_warehouse(context: Context, read: Callable[[psycopg.Connection], list[BaseGeometry]]) -> list[BaseGeometry]:
    try:
        with context.climate() as connection:
            return read(connection)
    except EngineError:
        return []


_KINDS = {".js": "text/javascript", ".css": "text/css", ".json": "application/json"}


def _notes(told: Mapping[str, published_runs.PublishedRisk]) -> dict[str, dict[Language, str]]:
    """What the AAL of a risk measures, where its bins are cut at quantiles."""
    past = {risk: {each: own_past(risk, each) for each in LANGUAGES} for risk, of in told.items() if of.of_past}
    own = {risk: {each: own_years(each) for each in LANGUAGES} for risk, of in told.items() if of.on_own_years}
    return past | own


@page.get("/")
def read_page(request: Request) -> Response:
    """The map page, with links to below the path that a proxy shows it under."""
    text = page_files.document("index.html", country.current(), proxy.prefix(request))
    return Response(text, media_type="text/html", headers={"Cache-Control": "no-cache"})


@page.get("/page/{name:path}")
def read_page_file(name: str) -> Response:
    """Its scripts, style and texts; no other file."""
    if name not in _page_files():
        raise HTTPException(404, "Not Found")
    if (text := page_files.texts(name, country.current())) is not None:
        return Response(text, media_type="application/json", headers={"Cache-Control": "no-cache"})
    with resources.as_file(resources.files("engine.service") / "page" / name) as path:
        return File(path, media_type=_KINDS[path.suffix], headers={"Cache-Control": "no-cache"})


@cache
def _page_files() -> frozenset[str]:
    with resources.as_file(resources.files("engine.service") / "page") as folder:
        files = [each for each in folder.rglob("*") if each.suffix in _KINDS and each.is_file()]
        return frozenset(each.relative_to(folder).as_posix() for each in files)
