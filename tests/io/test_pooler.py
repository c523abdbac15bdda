"""Connections through PgBouncer: what needs a session refuses a pool that keeps none, everything else works."""

from contextlib import ExitStack, closing

import pytest

from engine.core.errors import SourceError
from engine.io.db import connection_pool, pooler, postgres
from tests.poolers import PROGRAM, bouncer

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs pgbouncer (apt-get install pgbouncer)")


@pytest.fixture(scope="module")
def url(server):
    return server.create("pooled")


def test_a_server_keeps_the_session(url):
    with closing(postgres.connect(url)) as connection:
        assert pooler.keeps_session(connection)


@pytest.mark.parametrize(
    ("settings", "keeps"),
    [
        ({"pool_mode": "transaction"}, False),
        ({"pool_mode": "transaction", "default_pool_size": 1}, False),
        ({"pool_mode": "transaction", "server_round_robin": 1}, False),
        ({"pool_mode": "statement"}, False),
        ({"pool_mode": "session"}, True),
        ({"pool_mode": "session", "default_pool_size": 1}, True),
        ({"pool_mode": "session", "server_round_robin": 1}, True),
    ],
    ids=str,
)
def test_the_mode_of_a_pool_is_found_idle_and_with_many_connections(url, monkeypatch, settings, keeps):
    monkeypatch.setattr(pooler, "_PATIENCE", 0.3)
    with bouncer(url, **settings) as through, ExitStack() as stack:
        with closing(postgres.connect(through(url))) as connection:
            assert pooler.keeps_session(connection) is keeps
        if settings.get("default_pool_size") == 1:
            return
        others = [stack.enter_context(closing(postgres.connect(through(url)))) for _ in range(5)]
        if settings["pool_mode"] == "transaction":
            for other in others:  # each takes a server connection of its own
                other.execute("BEGIN")
            for other in others[:3]:
                other.execute("COMMIT")
        for _ in range(3):
            with closing(postgres.connect(through(url))) as connection:
                assert pooler.keeps_session(connection) is keeps


def test_queries_are_prepared_where_no_pooler_is_between_and_nowhere_else(url):
    def prepared(address):
        with connection_pool.make(address, 1) as pool, pool.connection() as connection:
            for _ in range(8):
                connection.execute("SELECT %s::int", (1,))
            return connection.execute("SELECT count(*) > 0 FROM pg_prepared_statements").fetchone()

    assert prepared(url) == (True,)
    for mode in ("transaction", "session"):
        with bouncer(url, pool_mode=mode) as through:
            assert prepared(through(url)) == (False,), mode


def test_a_pool_without_a_free_connection_is_a_sentence(url, monkeypatch):
    monkeypatch.setattr(pooler, "_PLENTY", 0.2)
    with (
        bouncer(url, pool_mode="transaction", default_pool_size=1) as through,
        closing(postgres.connect(through(url))) as connection,
        closing(postgres.connect(through(url))) as other,
    ):
        other.execute("BEGIN")
        with pytest.raises(SourceError, match="the pooler has no free connection to its server"):
            pooler.keeps_session(connection)
