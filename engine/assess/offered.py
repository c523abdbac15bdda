"""The risks that sites are assessed for: those with rules of exposure and of vulnerability, in canonical order."""

from __future__ import annotations

from engine.assess import exposure, vulnerability
from engine.names import RISK_NAMES

RISKS = tuple(risk for risk in RISK_NAMES if risk in exposure.RULES and risk in vulnerability.RULES)
