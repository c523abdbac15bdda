"""One real PostgreSQL server for a process's whole run; a fresh pair of databases for each test that asks."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

from engine.io.db import migrate
from engine.io.db.embedded import EmbeddedServer

# a first example may compile a kernel, and the machine may be busy: slowness is for benchmarks
settings.register_profile("undisturbed", deadline=None)
settings.load_profile("undisturbed")

_numbers = itertools.count()
# a process of xdist is told that its terminal has 80 columns, which it has not
os.environ.pop("COLUMNS", None)
# sentences are tested in English, whatever the language of who tests
os.environ["LANGUAGE"] = "en"


#: groups that take a minute or more: dealt first, so that no process waits at the end for another
_LONG = ("tests/test_cluster.py", "tests/service", "tests/benchmarks/test_databases.py", "tests/jobs/test_yearly.py")


@pytest.hookimpl(tryfirst=True)  # before xdist writes the groups into the names by which it deals
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two processes take whole files, whose tests share what they set up; the service's files go together."""
    groups = {}
    for item in items:
        shared = item.path.parent if item.path.parent.name == "service" else item.path
        groups[item] = shared.relative_to(item.config.rootpath).as_posix()
        item.add_marker(pytest.mark.xdist_group(groups[item]))
    items.sort(key=lambda item: _LONG.index(groups[item]) if groups[item] in _LONG else len(_LONG))


def pytest_collection_finish() -> None:
    """What was collected stays to the end: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


#: a database a test means hundreds of files each: in memory, where there is enough, that takes a quarter of the time
_MEMORY = Path("/dev/shm")
_ENOUGH = 8 << 30


@contextmanager
def _folder() -> Iterator[Path]:
    in_memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _ENOUGH
    with tempfile.TemporaryDirectory(
        prefix="engine-tests-", dir=_MEMORY if in_memory else None, ignore_cleanup_errors=True
    ) as home:
        yield Path(home)


@pytest.fixture
def server_home() -> Iterator[Path]:
    """A folder for a server of one test's own."""
    with _folder() as home:
        yield home


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    with _folder() as home, EmbeddedServer(home) as running:
        with psycopg.connect(running.url("postgres"), autocommit=True) as connection:
            for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
                connection.execute(f"ALTER SYSTEM SET {setting}")  # nothing here needs to survive a power cut
            connection.execute("SELECT pg_reload_conf()")
        yield running


@pytest.fixture(scope="session")
def template(server: EmbeddedServer) -> Callable[[str], str]:
    """Name of a database with the schema of a family, made once, of which others are copies."""

    @cache
    def make(family: str) -> str:
        name = f"template_{family}"
        with psycopg.connect(server.create(name), autocommit=True) as connection:
            migrate.apply(connection, family)
        return name

    return make


@pytest.fixture
def new_database(server: EmbeddedServer, template: Callable[[str], str]) -> Iterator[Callable[[str], str]]:
    """Make an empty database with the schema of a family (`warehouse`, `results`, or `` for none)."""
    made = []

    def make(family: str) -> str:
        name = f"test_{next(_numbers)}"
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template(family) if family else 'template1'}")
        made.append(name)
        return server.url(name)

    yield make
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        for name in made:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def warehouse(new_database: Callable[[str], str]) -> str:
    return new_database("warehouse")


@pytest.fixture
def results(new_database: Callable[[str], str]) -> str:
    return new_database("results")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name cases of bytes by their argument: packed ones hold the second they were made in, workers would differ."""
    return argname if isinstance(val, bytes) else None
