"""A look into a table of sites before it is assessed: it is read, checked and deleted."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool

from engine.assess.job import portfolio_preview
from engine.assess.rules import columns as file_columns
from engine.core.errors import EngineError
from engine.io.files import packed
from engine.io.files.packed import Limits
from engine.io.sites.assessment_files import SUFFIXES
from engine.service import portfolio_models, uploads
from engine.service.context import Context, Shared
from engine.service.routes_portfolio import BODY, PATH, REFUSALS, Rates, in_our_words, options, refused

PREVIEW = f"{PATH}/preview"
router = APIRouter(tags=["portfolios"])


@router.post(PREVIEW, responses=REFUSALS, openapi_extra=BODY)
async def preview_portfolio(
    context: Shared,
    request: Request,
    sheet: Annotated[str | None, Query(max_length=100, description="of a workbook")] = None,
    columns: Annotated[
        str | None,
        Query(max_length=5000, description="as of a portfolio: `latitude=Y,longitude=X`, or the same as a JSON object"),
    ] = None,
    rates: Rates = None,
) -> portfolio_models.Preview:
    """What would be read of a table of sites: its columns and the field that each is, its first rows, and every fault
    by its row. A table whose columns cannot be told comes back with the question; answer it with `columns`. The file is
    the body, or the one file of a form, as of a portfolio; nothing of it is kept."""
    folder = context.portfolios / str(uuid.uuid4())
    uploads.make_private(folder)
    try:
        parameters = options(sheet, columns, rates, folder)
        upload, _ = await uploads.receive(request, folder)
        told = await run_in_threadpool(_look, context, upload, parameters)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    fields = [
        {"field": name, "unit": file_columns.unit_of(name), "required": name in file_columns.REQUIRED}
        for name in file_columns.known_fields()
    ]
    return portfolio_models.Preview.model_validate(told | {"fields": fields})


def _look(context: Context, upload: Path, parameters: dict[str, Any]) -> dict[str, Any]:
    limits = Limits(context.config.portfolio_max_bytes, context.config.portfolio_max_rows)
    try:
        plain = packed.unpacked(upload, upload.parent, SUFFIXES, limits.bytes)
        told = portfolio_preview.preview(plain, parameters, limits)
    except EngineError as err:
        raise refused(err, upload.parent) from None
    if told["question"] is not None:
        told["question"] = in_our_words(told["question"], upload.parent)
    return told
