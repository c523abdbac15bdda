"""The nine risks and the published editions of their bins."""

from engine.risks.edition import EDITIONS, Edition, load_edition
from engine.risks.registry import RISKS, parse_risks

__all__ = ["EDITIONS", "RISKS", "Edition", "load_edition", "parse_risks"]
