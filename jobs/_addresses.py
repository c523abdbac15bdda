"""Databases of a job: those of its options, else of the settings, else of the embedded server in ENGINE_HOME.

The only module that decides this. `batch_ends` and `check` look at options and settings alone; what takes a stack may
start the embedded server.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from engine.core import address, settings, settings_files
from engine.core.errors import SettingsError
from engine.core.settings import Settings
from engine.io.db.embedded import APPLICATION, WAREHOUSE, EmbeddedServer
from jobs import _home
from jobs._samples import UNNAMED

log = logging.getLogger("jobs")


@dataclass(frozen=True, slots=True)
class Addresses:
    """warehouse : climate data; application : results and jobs; notify : LISTEN and NOTIFY."""

    warehouse: str
    application: str
    notify: str


@dataclass(frozen=True, slots=True)
class Ends:
    """Source and sink of a batch, as `open_source` and `open_sink` take them; None: the embedded server in `home`.

    sample : that `home` is filled from when it is empty; None: it is no sample that fills it
    fill   : fills the warehouse at an address, in place of a sample
    """

    source: str | None
    sink: str | None
    runs: Path | str
    home: Path
    sample: str | None
    fill: Callable[[str], None] | None = None

    @property
    def fall_back(self) -> bool:
        """True when a database is the embedded server's."""
        return self.source is None or self.sink is None


def batch_ends(
    config: Settings, *, source: str | None, sink: str | None, sample: str | None, run_dir: str | None
) -> Ends:
    """Source and sink from the options, else the settings, else the embedded server; nothing is started.

    sample : runs on databases of its own: configured servers are neither read nor written
    raises : SettingsError
    """
    if sample and source:
        raise SettingsError("--sample brings its own data: leave --source out")
    home = config.engine_home / sample if sample else config.engine_home
    source, sink = given("--source", source, or_folder=True), given("--sink", sink, or_folder=True)
    if not sample:
        source, sink = source or config.warehouse_url, sink or config.application_url
        _require_both(config, source, sink, "--source", "--sink")
    if source is None or sink is None:
        allow(config)
    return Ends(source, sink, home / "runs" if run_dir is None else run_dir, home, sample or UNNAMED)


def started(ends: Ends, stack: ExitStack) -> tuple[str, str]:
    """Addresses of source and sink; an embedded server is started for those that have none, and its warehouse filled
    from the sample."""
    if ends.source is not None and ends.sink is not None:
        return ends.source, ends.sink
    server = stack.enter_context(EmbeddedServer(ends.home))
    log.info("embedded PostgreSQL in %s", ends.home / "postgres")
    warehouse, application = _home.databases(server)
    if ends.source is None and ends.fill is not None:
        ends.fill(warehouse)
    elif ends.source is None and ends.sample is not None:
        _home.fill(warehouse, ends.sample, ends.home)
    return ends.source or warehouse, ends.sink or application


def check(config: Settings) -> None:
    """Refuse one side with a server and the other without, and neither where an embedded server is forbidden."""
    _require_both(config, config.warehouse_url, config.application_url)
    if config.warehouse_url is None:
        allow(config)
    _ = config.notify_url  # refuses what is no address


def _require_both(config: Settings, warehouse: str | None, application: str | None, *options: str) -> None:
    """Refuse one side that is configured where the other is neither configured nor given by its option."""
    if config.warehouse_url is None and config.application_url is None:
        return
    to_set = ["set DW_* (climate data server)", "set APP_* (results server)"]
    for place, option in enumerate(options):
        to_set[place] += f" or give {option}"
    if warehouse is None:
        raise SettingsError(f"APP_* is set but DW_* is not: {to_set[0]}")
    if application is None:
        raise SettingsError(f"DW_* is set but APP_* is not: {to_set[1]}")


def allow(config: Settings) -> None:
    """Refuse to fall back to the embedded server where that is forbidden, or where its folder cannot be one."""
    if not config.embedded:
        raise SettingsError(
            "no servers are configured (DW_*, APP_*), and --servers or EMBEDDED=false forbids the embedded one with its"
            f" synthetic sample; {settings_files.described()}"
        )
    try:
        usable(config.engine_home)
    except SettingsError as err:
        raise SettingsError(settings.in_place(str(err))) from None


def usable(home: Path) -> None:
    """Refuse a folder of the embedded server that cannot be made: a file, or a link to nowhere.

    raises : SettingsError
    """
    for path in (home.absolute(), *home.absolute().parents):
        try:
            if path.is_dir():
                return
            if path.is_symlink():
                raise SettingsError(
                    f"ENGINE_HOME {home}: {path} is a link to {path.readlink()}, which is not there: make that folder,"
                    " or set ENGINE_HOME to another one"
                )
            if path.exists():
                raise SettingsError(f"ENGINE_HOME {home}: {path} is no folder: set ENGINE_HOME to one")
        except OSError as err:
            raise SettingsError(f"ENGINE_HOME {home} cannot be looked at: {err.strerror}") from None


def _embedded(config: Settings) -> EmbeddedServer:
    """The server in ENGINE_HOME, started; for what has no server of its own.

    raises : SettingsError as `allow`
    """
    allow(config)
    return EmbeddedServer(config.engine_home)


def if_made(home: Path, database: str, stack: ExitStack) -> str | None:
    """Address of a database of the embedded server in a folder, None when it is not there; nothing is made."""
    if not _home.is_made(home):
        return None
    server = stack.enter_context(EmbeddedServer(home))
    return server.url(database) if server.has(database) else None


def _existing(config: Settings, stack: ExitStack, absent: str) -> EmbeddedServer:
    """As `_embedded`, but of a server that was made before.

    raises : SettingsError with the sentence `absent` when none was
    """
    allow(config)
    if not (config.engine_home / "postgres").is_dir():
        raise SettingsError(absent)
    return stack.enter_context(EmbeddedServer(config.engine_home))


def warehouse_of(config: Settings, option: str, text: str | None, stack: ExitStack) -> str:
    """Climate data of a job that needs nothing else; an embedded database is made."""
    if url := given(option, text) or config.warehouse_url:
        return url
    return stack.enter_context(_embedded(config)).create(WAREHOUSE)


def source_of(config: Settings, text: str | None, stack: ExitStack, absent: str) -> str:
    """Warehouse or store that --source names, else the warehouse of the settings or one that was made before.

    raises : SettingsError with the sentence `absent` where there is none
    """
    if source := given("--source", text, or_folder=True) or config.warehouse_url:
        return source
    return _existing(config, stack, absent).url(WAREHOUSE)


def to_set_up(config: Settings, stack: ExitStack) -> tuple[str | None, str | None]:
    """(warehouse, application) of the settings, of which one may be None; without any, the embedded ones, made."""
    if config.warehouse_url is not None or config.application_url is not None:
        return config.warehouse_url, config.application_url
    server = stack.enter_context(_embedded(config))
    return server.create(WAREHOUSE), server.create(APPLICATION)


def warehouse_if_made(config: Settings, option: str, text: str | None, stack: ExitStack) -> str | None:
    """As `warehouse_of`, but None, and nothing is made, where there is no warehouse yet."""
    if url := given(option, text) or config.warehouse_url:
        return url
    allow(config)
    return if_made(config.engine_home, WAREHOUSE, stack)


def results_of(config: Settings, option: str, text: str | None, stack: ExitStack) -> str:
    """Results of a job that needs nothing else; an embedded database is made."""
    if url := given(option, text) or config.application_url:
        return url
    return _home.databases(stack.enter_context(_embedded(config)))[1]


def made_before(config: Settings, stack: ExitStack, absent: str) -> tuple[str, str]:
    """(warehouse, application) of a job that makes no data: of the settings, else the embedded ones, up to date.

    raises : SettingsError where one side alone is configured; with the sentence `absent` where nothing was made before
    """
    warehouse, application = config.warehouse_url, config.application_url
    _require_both(config, warehouse, application)
    if warehouse is not None and application is not None:
        return warehouse, application
    return _home.databases(_existing(config, stack, absent))


def to_look_at(
    config: Settings, sink: str | None, warehouse: str | None, stack: ExitStack, absent: str, *, migrated: bool
) -> tuple[str, str | None]:
    """(results, climate data) of a job that only reads; climate data may be None beside results that are named.

    migrated : an embedded database is brought up to date first
    raises   : SettingsError with the sentence `absent` where nothing was made before
    """
    sink = sink or config.application_url
    warehouse = given("--warehouse", warehouse) or config.warehouse_url
    if sink is not None:
        return sink, warehouse
    server = _existing(config, stack, absent)
    own = _home.databases(server) if migrated else (server.url(WAREHOUSE), server.url(APPLICATION))
    return own[1], warehouse or own[0]


def addresses(config: Settings, stack: ExitStack, *, watched: bool = True) -> Addresses:
    """Addresses of the databases of a service; an embedded server lives as long as the stack.

    watched : it is started again when it dies
    """
    check(config)
    warehouse, application = config.warehouse_url, config.application_url
    if warehouse is None or application is None:
        server = stack.enter_context(_embedded(config))
        warehouse, application = _home.databases(server)
        if watched:
            server.watch()
    notify = config.notify_url or application
    return Addresses(warehouse, application, notify)


def folder_of(sink: str) -> Path | None:
    """The directory of results that a sink is; None for a database.

    raises : SettingsError when it is neither
    """
    if address.is_folder(sink):
        return Path(sink)
    if address.is_address(sink):
        address.require(sink, "--sink")
        return None
    raise SettingsError(f"--sink: {address.shown(sink)} is neither a PostgreSQL address nor a directory")


def given(option: str, text: str | None, *, or_folder: bool = False) -> str | None:
    """The address of an option, None when it is left out.

    or_folder : it may be a folder instead
    raises    : SettingsError naming the option when it is none
    """
    if text is not None and not text.strip():
        raise SettingsError(f"{option} is given, but empty: leave it out, or say what it is")
    if text is None or (or_folder and (address.is_folder(text) or not address.is_address(text))):
        return text
    return address.require(text, option)


def application_of(config: Settings, stack: ExitStack) -> tuple[str, str]:
    """(application, notify) for what needs no climate data: there APP_* alone will do."""
    if config.application_url is None:
        found = addresses(config, stack)
        return found.application, found.notify
    return config.application_url, config.notify_url or config.application_url
