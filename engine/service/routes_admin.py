"""Triggers of batch runs over HTTP."""

from __future__ import annotations

import logging

from fastapi import APIRouter, HTTPException

from engine.core.errors import EngineError
from engine.core.rows import BatchType
from engine.io.queue import triggers
from engine.service import models
from engine.service.context import Context, Shared
from engine.service.problems import Problem

log = logging.getLogger(__name__)
_FAILED = "Failed to trigger batch job"
router = APIRouter(tags=["admin"], responses={500: {"model": Problem, "description": _FAILED}})


@router.post("/admin/aiops/trigger/probability")
def trigger_probability(context: Shared) -> models.Message:
    """Queue a probability batch and notify the listener."""
    _trigger(context, "probability")
    return models.Message(message="Probability batch job triggered successfully")


@router.post("/admin/aiops/trigger/hazard")
def trigger_hazard(context: Shared) -> models.Message:
    """Queue a hazard batch and notify the listener."""
    _trigger(context, "hazard")
    return models.Message(message="Hazard Score batch job triggered successfully")


def _trigger(context: Context, kind: BatchType) -> None:
    try:
        triggers.announce(context.application, context.notify, context.config.notify_channel, kind, "admin route")
    except EngineError as err:
        log.error("%s was not triggered: %s", kind, err)
        raise HTTPException(500, _FAILED) from err
