"""The databases of the running service: those of the settings, else the embedded server's."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from engine.core import address, settings_files
from engine.core.errors import SettingsError
from engine.core.settings import Settings
from engine.io.db.embedded import EmbeddedServer
from jobs import _home


@dataclass(frozen=True, slots=True)
class Addresses:
    """warehouse : climate data; application : results and jobs; notify : LISTEN and NOTIFY."""

    warehouse: str
    application: str
    notify: str


def check(config: Settings) -> None:
    """Refuse one side with a server and the other without, and neither where an embedded server is forbidden."""
    if config.application_url is None and config.warehouse_url is not None:
        raise SettingsError("the climate data have a server (DW_*), results and jobs have none: set APP_*")
    if config.warehouse_url is None and config.application_url is not None:
        raise SettingsError("results have a server (APP_*), the climate data have none: set DW_*")
    if config.warehouse_url is None:
        allow(config)
    _ = config.notify_url  # refuses what is no address


def allow(config: Settings) -> None:
    """Refuse to fall back to the embedded server where that is forbidden, or where its folder cannot be one."""
    if not config.embedded:
        raise SettingsError(
            "no servers are configured (DW_*, APP_*), and --servers or EMBEDDED=false forbids the embedded one with its"
            f" synthetic sample; {settings_files.described()}"
        )
    usable(config.engine_home)


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


def embedded(config: Settings) -> EmbeddedServer:
    """The server in ENGINE_HOME, started; for what has no server of its own.

    raises : SettingsError as `allow`
    """
    allow(config)
    return EmbeddedServer(config.engine_home)


def held(config: Settings, database: str, stack: ExitStack) -> str | None:
    """Address of a database of the embedded server, None when it is not there; nothing is made.

    raises : SettingsError as `allow`
    """
    allow(config)
    if not _home.is_made(config.engine_home):
        return None
    server = stack.enter_context(EmbeddedServer(config.engine_home))
    return server.url(database) if server.has(database) else None


def existing(config: Settings, absent: str) -> EmbeddedServer:
    """As `embedded`, but of a server that was made before.

    raises : SettingsError with the sentence `absent` when none was
    """
    allow(config)
    if not (config.engine_home / "postgres").is_dir():
        raise SettingsError(absent)
    return EmbeddedServer(config.engine_home)


def addresses(config: Settings, stack: ExitStack, *, watched: bool = True) -> Addresses:
    """Where the databases are; an embedded server lives as long as the stack.

    watched : it is started again when it dies
    """
    check(config)
    warehouse, application = config.warehouse_url, config.application_url
    if warehouse is None or application is None:
        server = stack.enter_context(embedded(config))
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
