"""Counted nouns of messages: `1 cell`, `2 cells`, `1,500 cells`, and the verb that goes with them."""

from __future__ import annotations

from typing import SupportsInt


def counted(count: SupportsInt, noun: str) -> str:
    """A number with its noun, given in the singular."""
    number = int(count)
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def of_all(count: SupportsInt, total: SupportsInt, noun: str) -> str:
    """`1 of 994 cells`; the verb goes with the count."""
    return f"{int(count):,} of {counted(total, noun)}"


def agree(count: SupportsInt, one: str, more: str) -> str:
    """The word that goes with a count: `agree(n, "has", "have")`."""
    return one if int(count) == 1 else more
