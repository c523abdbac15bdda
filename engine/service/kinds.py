"""Kinds of batch runs: which one a notification asks for, and the words for one that starts nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from engine.core.rows import BatchType
from engine.io.db.notifications import Notification, Sender

KINDS: tuple[BatchType, ...] = get_args(BatchType)
#: channels whose name is the kind, beside the one whose payload is
PLAIN_CHANNELS: Mapping[str, BatchType] = {"probability": "probability", "hazard": "hazard"}
#: whose members may ask for a batch by a bare notification, where the role exists
BATCH_ROLE = "climate_batch"


def kind_of(notification: Notification) -> BatchType | None:
    """What a notification asks for; None when its payload is no kind."""
    if notification.channel in PLAIN_CHANNELS:
        return PLAIN_CHANNELS[notification.channel]
    word = notification.payload.strip().lower()
    return next((kind for kind in KINDS if kind == word), None)


def why_ignored(kind: BatchType, sender: Sender) -> str:
    """The words for a notification that starts nothing."""
    who = "whose session is gone, so nobody can tell whose it was" if sender.role is None else f"of role {sender.role}"
    reason = "" if sender.role is None else f", no member of {BATCH_ROLE}"
    return f"ignored NOTIFY for {kind} {who}{reason}; ask for the run with: python -m jobs.trigger {kind}"
