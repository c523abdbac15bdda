"""Options of every job: its settings, whether an embedded server may stand in for none, and the reader's language.

The first two hold as `ENV_FILE` and `EMBEDDED` in the environment of this process, so that its workers and children
keep to them. All hold until the job has ended.
"""

from __future__ import annotations

import argparse
import logging
import os
from typing import TYPE_CHECKING, Any

from engine.core import logs, settings_files
from engine.core.errors import SettingsError
from engine.core.language import Language, of_environment, parse
from engine.core.names import nearest

if TYPE_CHECKING:
    from jobs._parser import Parser

log = logging.getLogger("jobs")

#: jobs that need no server, or are there to run the embedded one
_WITHOUT_SERVERS = ("config", "embedded", "warm_up", "calibrate", "etl derive", "etl download", "etl stores")

_before: dict[str, str | None] = {}
_asked: list[Language] = []


def add(parser: Parser) -> None:
    """Give the parser of a job `--env-file`, and `--servers` where the job falls back."""
    release()
    parser.add_argument(
        "--env-file",
        action=_EnvFile,
        metavar="FILE",
        help="settings (default ENV_FILE, else .env here or in ENGINE_HOME)",
    )
    parser.add_argument(
        "--lang",
        action=_Lang,
        type=_language,
        metavar="en|ko",
        help="language of what is printed and written for people (default: LANG)",
    )
    if parser.name not in _WITHOUT_SERVERS:
        parser.add_argument(
            "--servers", action=_Servers, nargs=0, help="refuse to fall back to the embedded server (EMBEDDED=false)"
        )


def language() -> Language:
    """Language of the reader: that of `--lang`, else of the environment."""
    return _asked[-1] if _asked else of_environment(os.environ)


def told(sentence: str) -> str:
    """A last sentence of a job in the language of its reader; English in a log of JSON lines."""
    if logs.is_json():
        return sentence
    from engine.core.translation import translate

    return translate(sentence, language())


def say_settings() -> None:
    """The first line of a job's log: the file that its settings are from; then what in it is no setting.

    raises : SettingsError when the file that was named is not there
    """
    log.info("%s", settings_files.described())
    if (file := settings_files.find()) is None:
        return
    from engine.core import (  # takes a quarter of a second, and a file of settings will be read by it anyway
        settings,
        settings_shown,
    )

    for name in settings_shown.unknown_names():
        near = nearest(name, settings.Settings.model_fields)
        hint = f": did you mean {near.upper()}?" if near else ", and is not used"
        log.warning("%s in %s is no setting%s", name, file.name, hint)


def release() -> None:
    """Environment as it was before the options were put in."""
    for name, value in _before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    _before.clear()
    _asked.clear()


def _hold(name: str, value: str) -> None:
    _before.setdefault(name, os.environ.get(name))
    os.environ[name] = value


class _EnvFile(argparse.Action):
    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        parser.once(option_string)
        if not isinstance(values, str) or not values or "\0" in values:
            parser.error("--env-file is the path of a file")
        try:
            path = settings_files.expanded(values, "--env-file")
        except SettingsError as err:
            parser.error(str(err))
        _hold(settings_files.NAMED, str(path.absolute()))
        setattr(namespace, self.dest, values)


def _language(text: str) -> Language:
    try:
        return parse(text)
    except SettingsError as err:
        raise argparse.ArgumentTypeError(str(err)) from None


class _Lang(argparse.Action):
    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        parser.once(option_string)
        _asked.append(values)
        setattr(namespace, self.dest, values)


class _Servers(argparse.Action):
    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:  # noqa: ARG002
        parser.once(option_string)
        _hold("EMBEDDED", "false")
        setattr(namespace, self.dest, True)
