"""Faults that pass by themselves: the same work, done again a little later, may well succeed.

Known by what the server or its library said, not by our sentences: the driver's exception stands behind ours as its
cause. What is wrong with the input stays wrong and is none of these; neither is a full disk, nor a wrong password.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from engine.core.errors import ClusterError, SchemaError, SettingsError, SinkError, SourceError

#: classes or codes of SQLSTATE: connection exceptions, serialization, deadlock, too many connections, shutting down or
#: starting up, a session ended for being idle
_STATES = ("08", "40001", "40P01", "53300", "57P01", "57P02", "57P03", "57P05", "25P03")
#: a refusal at the start of a session has no SQLSTATE that the library passes on
_REFUSALS_THAT_PASS = (
    "is starting up",
    "is shutting down",
    "in recovery mode",
    "not yet accepting connections",
    "too many clients",
    "too many connections",
    "remaining connection slots",
    "no more connections allowed",
    "query_wait_timeout",
    "server_login_retry",
    "terminating connection",
)
#: what the library says of a line that is cut or closed
_LINE_FAULTS = (
    "connection refused",
    "failed: no such file or directory",  # the socket of a server that is away
    "connection reset",
    "connection timed out",
    "timeout expired",
    "connection timeout",
    "closed the connection unexpectedly",
    "connection is lost",
    "connection is closed",
    "connection already closed",
    "broken pipe",
    "no route to host",
    "network is unreachable",
    "temporary failure in name resolution",
    "ssl syscall error",
    "ssl connection has been closed",
    "the pooler has no free connection",
)
#: what the server says of transactions that met
_CONFLICTS = ("could not serialize access", "deadlock detected")


def is_transient(err: BaseException) -> bool:
    """True when the fault behind an exception may have passed by the next attempt."""
    if isinstance(err, SettingsError | SchemaError):
        return False
    for each in _chain(err):
        if isinstance(each, psycopg.Error):
            if each.sqlstate is not None:
                return each.sqlstate.startswith(_STATES)
            return isinstance(each, psycopg.OperationalError | psycopg.InterfaceError) and sounds_transient(str(each))
    return isinstance(err, SourceError | SinkError | ClusterError) and sounds_transient(str(err))


def sounds_transient(text: str) -> bool:
    """The same of a message alone: of a process that could tell no more than its last line."""
    lowered = text.lower()
    return any(sign in lowered for sign in (*_REFUSALS_THAT_PASS, *_LINE_FAULTS, *_CONFLICTS))


def _chain(err: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    each: BaseException | None = err
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__
