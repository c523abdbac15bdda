"""The portfolio page: its document. Scripts, style and texts are served with those of the map page."""

from __future__ import annotations

from importlib import resources

from fastapi import APIRouter, Request, Response

from engine.service import proxy

page = APIRouter(include_in_schema=False)
_PAGE = resources.files("engine.service") / "page"
_UNCACHED = {"Cache-Control": "no-cache"}


@page.get("/portfolio")
def read_page(request: Request) -> Response:
    """The page, with links to below the path that a proxy shows it under."""
    text = (_PAGE / "portfolio.html").read_text("utf-8")
    text = text.replace('"page/', f'"{proxy.prefix(request)}/page/')
    return Response(text, media_type="text/html", headers=_UNCACHED)
