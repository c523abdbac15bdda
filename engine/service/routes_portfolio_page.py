"""The portfolio page: its document. Scripts, style and texts are served with those of the map page."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from engine.core import country
from engine.service import page_files, proxy

page = APIRouter(include_in_schema=False)
_UNCACHED = {"Cache-Control": "no-cache"}


@page.get("/portfolio")
def read_page(request: Request) -> Response:
    """The page, with links to below the path that a proxy shows it under."""
    text = page_files.document("portfolio.html", country.current(), proxy.prefix(request))
    return Response(text, media_type="text/html", headers=_UNCACHED)
