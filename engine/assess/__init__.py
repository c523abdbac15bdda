"""Exposure, vulnerability, scaled AAL and integrated risk of sites and portfolios. Knows nothing of databases."""

from engine.assess.rules.assessment import AssessmentResult, assess_sites
from engine.assess.rules.config import AssessConfig

__all__ = ["AssessConfig", "AssessmentResult", "assess_sites"]
