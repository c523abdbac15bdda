"""The risks that sites are assessed for: those with rules of exposure and of vulnerability, in canonical order."""

from __future__ import annotations

from engine.assess.rules import exposure, vulnerability
from engine.core.names import RISK_NAMES

RISKS = tuple(risk for risk in RISK_NAMES if risk in exposure.RULES and risk in vulnerability.RULES)
