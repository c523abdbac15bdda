"""The risks and the published editions of their bins."""

from typing import TYPE_CHECKING, Any

from engine.risks.editions import EDITIONS

if TYPE_CHECKING:
    from engine.risks.edition import Edition, load_edition
    from engine.risks.registry import RISKS, parse_risks

__all__ = ["EDITIONS", "RISKS", "Edition", "load_edition", "parse_risks"]


def __getattr__(name: str) -> Any:
    # the risks import the kernels, and these numba: too long for a job that only prints its help
    if name in ("RISKS", "parse_risks"):
        from engine.risks import registry

        return getattr(registry, name)
    if name in ("Edition", "load_edition"):
        from engine.risks import edition

        return getattr(edition, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
