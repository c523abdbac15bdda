"""Settings as they are shown: origin of each value, stray names, and the text of `.env.example`."""

from __future__ import annotations

import os
from collections.abc import Iterable

from engine.core import settings_files
from engine.core.settings import Settings
from engine.core.settings_places import forbidden_by_environment, mounted

#: heading of the group that starts with this setting, in `.env.example` and in `jobs.config`
HEADINGS = {
    "dw_url": "Climate data (warehouse). No key of DW_*, APP_*, DATABASE_* at all: an embedded server in ENGINE_HOME",
    "app_url": "Results and jobs (application database)",
    "database_host": "Older names, used for the side that has no key of its own",
    "engine_home": "Batch and loaders",
    "kma_api_key": "Web services, asked by `jobs.etl download` only",
    "notify_dsn": "Triggers and schedule",
    "webhook_urls": "Webhooks (docs/webhooks.md)",
    "api_host": "HTTP service",
    "asset_value_cap_krw": "Site assessment",
}


def origins() -> dict[str, str]:
    """Origin of the value of every setting, by its name in lower case: `environment`, `secret file`, `default`,
    or the name of the file of settings."""
    env_file = settings_files.find()
    names = settings_files.names_in(env_file, frozenset(Settings.model_fields))
    # the later ones win
    places: tuple[tuple[str, Iterable[str]], ...] = (
        ("secret file", [path.name for path in mounted()]),
        ("environment", os.environ),
        (env_file.name if env_file else "", names),
        ("environment", ["embedded"] if forbidden_by_environment() else []),
    )
    found = dict.fromkeys(Settings.model_fields, "default")
    for origin, written in places:
        found |= {name.lower(): origin for name in written if name.lower() in found}
    return found


def unknown_names() -> list[str]:
    """Names in `.env` that are no setting, as they are written there: most often a slip of the pen."""
    known = frozenset(Settings.model_fields)
    return sorted(name for name in settings_files.names_in(settings_files.find(), known) if name.lower() not in known)


def as_text(value: object) -> str:
    """A value as it is written in `.env`; empty for an unset one."""
    if isinstance(value, tuple):
        return ",".join(map(as_text, value))
    if isinstance(value, float):
        return f"{value:.15g}"
    return "" if value is None else str(value)


def example() -> str:
    """The text of `.env.example`: every setting with its default, commented out."""
    lines = [
        "# Copy to .env and take the # away from what you set. Keys in .env win over the process environment.",
        "# It is looked for in the working directory, then in ENGINE_HOME; ENV_FILE or --env-file names another one.",
    ]
    for name, field in Settings.model_fields.items():
        if name in HEADINGS:
            lines += ["", f"# --- {HEADINGS[name]}"]
        if field.description:
            lines.append(f"# {field.description}")
        lines.append(f"# {name.upper()}={as_text(field.default)}")
    return "\n".join(lines) + "\n"
