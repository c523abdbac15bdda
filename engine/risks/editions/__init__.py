"""Names of the published editions, whose figures are the TOML files here."""

EDITIONS = ("2025-11", "2025-12", "2026-kr")
DEFAULT_EDITION = EDITIONS[0]
#: those whose rates rank and do not price: what a calibration can stand on
UNCALIBRATED = EDITIONS[:2]
