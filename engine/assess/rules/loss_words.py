"""Sentences for losses of sites and portfolios with their intervals, as every output of them shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.core import country
from engine.core.interval_words import Interval, money


def currency() -> str:
    """Code of the currency of all losses."""
    return country.current().currency.code


def of_total(total: Mapping[str, Any]) -> dict[str, str] | None:
    """Sentences for `total_expected_loss` with its ends and notes; None without a loss."""
    loss = total["total_expected_loss"]
    if loss is None:
        return None
    ends = total["total_expected_loss_low"], total["total_expected_loss_high"]
    interval = Interval(float(loss), *ends, None, bool(total["interval_holds_rates"]))
    calibrated = total["loss_note"] is None
    return {
        "en": money(interval, currency(), calibrated=calibrated),
        "ko": money(interval, currency(), "ko", calibrated=calibrated),
    }


def whose(text: str, level: str | None) -> str:
    """`calibrated on losses` with those that it is calibrated on: `calibrated on losses, insured houses`."""
    return f"{text}, {level.replace('_', ' ')}" if level else text


def is_mixed(total: Mapping[str, Any]) -> bool:
    """Whether a sum over risks holds losses that are calibrated and others that are not."""
    return None not in (total["total_expected_loss_calibrated"], total["total_expected_loss_uncalibrated"])


def of_mixed(calibrated: int) -> str:
    """What must stand beside a sum of both kinds. calibrated: money of it"""
    return f"in part an index: of it {calibrated:,d} {currency()} calibrated on losses"


def lacking(risks: Sequence[str]) -> str | None:
    """Note on risks whose loss stands in a sum without an interval of its own."""
    if not risks:
        return None
    named = ", ".join(risk.replace("_", " ") for risk in risks)
    return f"{named}: no interval can be told; counted at the loss itself"


def apart(total: Mapping[str, Any]) -> str | None:
    """`of it calibrated on losses 12,000 KRW (90 %: 2,400 to 60,000), an index 5,000 KRW (...)`; None where all of the
    loss is of one kind."""
    if not is_mixed(total):
        return None
    told = []
    for kind, name in (("calibrated", "calibrated on losses"), ("uncalibrated", "an index")):
        low, high = (total[f"total_expected_loss_{kind}_{end}"] for end in ("low", "high"))
        within = "" if low is None else f" (90 %: {low:,d} to {high:,d})"
        told.append(f"{name} {total[f'total_expected_loss_{kind}']:,d} {currency()}{within}")
    return "of it " + ", ".join(told)
