"""The portfolio page: its document, scripts, style and texts."""

from __future__ import annotations

from importlib import resources

from fastapi import APIRouter, HTTPException, Request, Response

from engine.service import proxy
from engine.service.answers import File

page = APIRouter(include_in_schema=False)
_KINDS = {".js": "text/javascript", ".css": "text/css", ".json": "application/json"}
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
    """A script of the page, or its style; no other file."""
    return _file("portfolio", name)


@page.get("/page/texts/{name}")
def read_texts(name: str) -> File:
    """A catalogue of texts; no other file."""
    return _file("texts", name)


def _file(folder: str, name: str) -> File:
    held = {each.name: each for each in (_PAGE / folder).iterdir()}
    kind = _KINDS.get("." + name.rpartition(".")[2])
    if kind is None or name not in held:
        raise HTTPException(404, "Not Found")
    with resources.as_file(held[name]) as path:
        return File(path, media_type=kind, headers=_UNCACHED)
