"""The databases of the running service: those of the settings, else the embedded server's."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from engine.errors import SettingsError
from engine.io.embedded import EmbeddedServer
from engine.settings import Settings
from jobs import _home


@dataclass(frozen=True, slots=True)
class Addresses:
    """warehouse : climate data, None where only results have a server; application : results and jobs."""

    warehouse: str | None
    application: str
    notify: str


def addresses(config: Settings, stack: ExitStack) -> Addresses:
    """Where the databases are; an embedded server lives as long as the stack.

    raises : SettingsError when the climate data have a server and the results have none
    """
    warehouse, application = config.warehouse_url, config.application_url
    if application is None:
        if warehouse is not None:
            raise SettingsError("the climate data have a server (DW_*), results and jobs have none: set APP_*")
        warehouse, application = _home.databases(stack.enter_context(EmbeddedServer(config.engine_home)))
    notify = application if config.notify_dsn is None else config.notify_dsn.get_secret_value()
    return Addresses(warehouse, application, notify)
