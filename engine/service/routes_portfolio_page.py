"""The portfolio page: its document, scripts, style and texts."""

from __future__ import annotations

from importlib import resources

from fastapi import APIRouter, HTTPException, Request, Response

from engine.service import proxy
from engine.service.answers import File

page = APIRouter(include_in_schema=False)
_TYPES = {".js": "text/javascript", ".css": "text/css", ".json": "application/json"}
_PAGE = resources.files("engine.service") / "page"
_UNCACHED = {"Cache-Control": "no-cache"}


@page.get("/portfolio")
def read_page(request: Request) -> Response:
    """The page, with links to below the path that a proxy shows it under."""
    text = (_PAGE / "portfolio.html").read_text("utf-8")
    text = text.replace('"page/', f'"{proxy.prefix(request)}/page/')
    return Response(text, media_type="text/html", headers=_UNCACHED)


@page.get("/page/portfolio/{name}")
def read_file(name: str) -> File:
    """A script, the style or the texts (`portfolio.en.json`) of the page; no other file."""
    held = {each.name: each for part in ("portfolio", "texts") for each in (_PAGE / part).iterdir()}
    kind = _TYPES.get("." + name.rpartition(".")[2])
    if kind is None or name not in held or (kind == _TYPES[".json"] and not name.startswith("portfolio.")):
        raise HTTPException(404, "Not Found")
    with resources.as_file(held[name]) as path:
        return File(path, media_type=kind, headers=_UNCACHED)
