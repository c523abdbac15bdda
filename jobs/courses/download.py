"""Course of `jobs.etl download`."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from engine.core import settings
from engine.core.errors import SettingsError
from engine.core.period import parse_years
from engine.io.etl.api import Api, UnreachableError
from engine.io.etl.loaders import besttrack_client, register_client, wamis_client
from engine.io.etl.loaders.wamis_answers import BASINS
from engine.io.etl.loading import Progress
from jobs import _console, _paths
from jobs._parser import listed

log = logging.getLogger("jobs")

#: first year of which the weather agency has a best track, and of the flow that outlet gauges are chosen by
_FIRST = {"besttrack": 2015, "wamis": 1991}
#: calls a day that the address service allows
_ADDRESSES = 10_000


def run(args: argparse.Namespace) -> int:
    """Download, report; 3 when the service stopped answering on the way."""
    started = time.perf_counter()
    config = settings.load()
    data = args.data or config.data_dir
    if data is None:
        raise SettingsError("no data directory: give --data DIR or set DATA_DIR")
    _paths.new_folder("--data" if args.data else "DATA_DIR", data)
    data.mkdir(parents=True, exist_ok=True)
    try:
        written = _SERVICES[args.service](args, config, data, _say)
    except UnreachableError as err:
        log.error("interrupted: %s", err)
        return _console.PARTIAL
    log.info(
        "service=%s files=%d data=%s seconds=%.1f", args.service, len(written), data, time.perf_counter() - started
    )
    return _console.COMPLETE


def _years(args: argparse.Namespace) -> range:
    if args.years:
        years = parse_years(args.years)
        return range(years.first, years.last + 1)
    return range(_FIRST[args.service], datetime.now(UTC).year + 1)


def _besttrack(args: argparse.Namespace, config: settings.Settings, data: Path, progress: Progress) -> list[Path]:
    keys = {besttrack_client.KEY: config.key("kma_api_key")}
    with Api(args.base_url or besttrack_client.BASE_URL, keys=keys) as api:
        return besttrack_client.download(api, data, _years(args), progress, refresh=args.refresh)


def _wamis(args: argparse.Namespace, config: settings.Settings, data: Path, progress: Progress) -> list[Path]:  # noqa: ARG001 (no key)
    with wamis_client.WamisClient(args.base_url or wamis_client.BASE_URL) as client:
        return wamis_client.download(client, data, BASINS, _years(args), progress, refresh=args.refresh)


def _buildings(args: argparse.Namespace, config: settings.Settings, data: Path, progress: Progress) -> list[Path]:
    keys = {register_client.KEY: config.key("data_go_kr_api_key")}
    with Api(args.base_url or register_client.BASE_URL, keys=keys) as api:
        return register_client.download(api, data, listed(args.areas), progress, refresh=args.refresh)


def _addresses(args: argparse.Namespace, config: settings.Settings, data: Path, progress: Progress) -> list[Path]:
    keys = {register_client.ADDRESS_KEY: config.key("vworld_api_key")}
    with Api(args.base_url or register_client.ADDRESS_URL, keys=keys) as api:
        return register_client.geocode(api, data, progress, limit=_ADDRESSES)


_Service = Callable[[argparse.Namespace, settings.Settings, Path, Progress], Sequence[Path]]
_SERVICES: dict[str, _Service] = {
    "besttrack": _besttrack,
    "wamis": _wamis,
    "buildings": _buildings,
    "addresses": _addresses,
}


def _say(what: str, done: int = 0, total: int = 0) -> None:
    if done % 50 == 0:
        log.info("asking for %s (%d of %d)", what, done + 1, total)
