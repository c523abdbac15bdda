"""Ask web services and save their answers where the loaders look.

What is there is not asked again; an interrupted download goes on where it stopped.

examples:
    python -m jobs.etl download besttrack --years 2015-2024
    python -m jobs.etl download wamis --data data/
    python -m jobs.etl download buildings --areas 1168010100,1168010300
    python -m jobs.etl download addresses

exit codes:
    0    complete
    1    failed, such as a key that the service refuses
    2    bad arguments or settings
    3    partial: the service stopped answering on the way
    130  interrupted; the same command goes on

settings: DATA_DIR, KMA_API_KEY, DATA_GO_KR_API_KEY, VWORLD_API_KEY
(python -m jobs.config shows them)
"""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from engine.core.errors import SettingsError
from engine.core.period import parse_years
from jobs import _console
from jobs._parser import one_of, read_by

SERVICES = ("besttrack", "wamis", "buildings", "addresses")
#: services that are asked year by year
_YEARLY = ("besttrack", "wamis")


def parser() -> _console.Parser:
    """The arguments of the command."""
    made = _console.Parser("etl download", __doc__)
    made.add_argument(
        "service", type=one_of("service", SERVICES), metavar="SERVICE",
        help="whom to ask: besttrack, wamis, buildings or addresses",
    )  # fmt: skip
    made.add_argument("--data", type=Path, metavar="DIR", help="where to save (default DATA_DIR)")
    made.add_argument(
        "--years", type=read_by(parse_years), metavar="FIRST-LAST",
        help="besttrack, wamis: years to ask (default to this year)",
    )  # fmt: skip
    made.add_argument(
        "--areas", type=read_by(_area, every=True), metavar="CODE,CODE",
        help="buildings: ten digits each, municipality and town (no default)",
    )  # fmt: skip
    made.add_argument("--refresh", action="store_true", help="ask finished years and fresh areas again")
    made.add_argument(
        "--base-url", type=read_by(_url), metavar="URL",
        help="another address of the service, such as a mirror (default the service's own)",
    )  # fmt: skip
    return made


def course(args: argparse.Namespace) -> int:
    """Look at the arguments, download."""
    if args.areas and args.service != "buildings":
        raise SettingsError("--areas belongs to buildings")
    if args.service == "buildings" and not args.areas:
        raise SettingsError("buildings are asked for by area: give --areas")
    if args.years and args.service not in _YEARLY:
        raise SettingsError(f"--years belongs to {' and '.join(_YEARLY)}")
    if args.years and parse_years(args.years).last > (this := datetime.now(UTC).year):
        raise SettingsError(f"--years {args.years}: the latest year to ask for is {this}")
    from jobs.courses import download

    return download.run(args)


def _area(text: str) -> None:
    if not re.fullmatch("[0-9]{10}", text):
        raise SettingsError(f"{text!r} is no area code of ten digits")


def _url(text: str) -> None:
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        fits = False
    if not fits:
        raise SettingsError("it is no address that begins with http:// or https://")
