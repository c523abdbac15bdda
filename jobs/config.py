"""Show the settings, where each comes from, and the databases.

Secrets are masked. --example prints every setting with its default and a word on it.

examples:
    python -m jobs.config
    python -m jobs.config --example > .env

exit codes:
    0    shown
    2    bad arguments, or a setting is wrong
    130  interrupted

settings: all of them
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from jobs import _console

if TYPE_CHECKING:
    from engine.core.settings import Settings

MASK = "********"


def main(argv: list[str] | None = None) -> int:
    """Parse, print; returns the exit code."""
    return _console.main(parser(), argv, _course, stopped="nothing is changed by it")


def parser() -> _console.Parser:
    """The options of the job."""
    made = _console.Parser("config", __doc__)
    made.add_argument("--example", action="store_true", help="print the text of .env.example instead")
    return made


def _course(args: argparse.Namespace) -> int:
    from engine.core import settings_shown

    if args.example:
        print(settings_shown.example(), end="")
        return _console.COMPLETE
    return _show()


def _show() -> int:
    from rich.table import Table

    from engine.core import settings, settings_files, settings_shown
    from engine.core.settings import Settings
    from engine.io.db import postgres

    config, origins = settings.load(), settings_shown.origins()
    out = _console.console()
    table = Table(box=None, pad_edge=False)
    for heading in ("setting", "value", "from"):
        table.add_column(heading, overflow="fold")
    for name in Settings.model_fields:
        table.add_row(name.upper(), _shown(config, name), origins[name])
    out.print(settings_files.described(), markup=False)
    out.print(table)
    embedded = f"embedded server in {config.engine_home}"
    warehouse, application = config.warehouse_url, config.application_url
    both_absent = warehouse is None and application is None
    for label, url in (("climate data", warehouse), ("results and jobs", application)):
        absent = embedded if both_absent else "not configured"
        out.print(f"{label}: {absent if url is None else postgres.describe(url)}")
    if config.notify_url is not None:
        out.print(f"notifications: {postgres.describe(config.notify_url)}")
    return _console.COMPLETE


def _shown(config: Settings, name: str) -> str:
    from engine.core import settings, settings_shown

    value = getattr(config, name)
    return MASK if value is not None and settings.is_secret(name) else settings_shown.as_text(value)


if __name__ == "__main__":
    sys.exit(main())
