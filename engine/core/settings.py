"""The only reader of the environment: when `load` is called, never on import.

Keys in `.env` (which file that is: `settings_files`) win over the process environment, which wins over files of
`SECRETS` or CREDENTIALS_DIRECTORY named like a setting (`settings_places`, where containers and systemd put them): a
variable of the login shell must not redirect a yearly run. Secrets are `SecretStr`: printing the settings shows stars.
"""

from __future__ import annotations

import os
from typing import Literal

from dotenv import dotenv_values
from pydantic import ValidationError

from engine.core import country, settings_files
from engine.core.errors import SettingsError
from engine.core.settings_model import Settings, in_place, is_secret
from engine.core.settings_places import mounted, secret_folders

__all__ = ["Settings", "in_place", "is_secret", "load", "log_format"]


def load() -> Settings:
    """Read `.env`, the environment and the secret files; one sentence per fault, without the value of a secret. The
    country of the process is that of these settings from now on."""
    env_file = settings_files.find()
    settings_files.names_in(env_file, frozenset(Settings.model_fields))
    for path in mounted():
        if path.name.lower() in Settings.model_fields:
            settings_files.require_text(path)
    for name, text in os.environ.items():
        if name.lower() in Settings.model_fields and _is_not_text(text):
            raise SettingsError(f"{name.upper()} holds bytes that are not UTF-8: write it in UTF-8")
    try:
        found = Settings(_env_file=env_file, _secrets_dir=secret_folders())  # type: ignore[call-arg]
    except ValidationError as err:
        faults = [
            (".".join(str(part) for part in fault["loc"]).upper(), fault["msg"].removeprefix("Value error, "))
            for fault in err.errors(include_input=False)
        ]
        raise SettingsError("; ".join(in_place(f"{name}: {what}" if name else what) for name, what in faults)) from None
    country.take(found.profile)
    return found


def log_format() -> Literal["text", "json"]:
    """LOG_FORMAT alone, so that what is wrong with other settings is said in it, too; text where it cannot be read."""
    try:
        env_file = settings_files.find()
        written = dotenv_values(env_file, encoding=settings_files.ENCODING) if env_file else {}
        secret = {path.name: path.read_text("utf-8").strip() for path in mounted() if path.name.lower() == "log_format"}
    except (SettingsError, OSError, UnicodeError):
        written, secret = {}, {}
    for values in (written, os.environ, secret):
        for name, value in values.items():
            if name.lower() == "log_format":
                return "json" if value == "json" else "text"
    return "text"


def _is_not_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
