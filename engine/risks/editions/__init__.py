"""Names of the published editions, whose figures are the TOML files here."""

EDITIONS = ("2025-11", "2025-12")
DEFAULT_EDITION = EDITIONS[0]
