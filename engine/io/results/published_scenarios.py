"""Names of the published scenarios: table `scenario_names`, for the service and for others that read by SQL."""

from __future__ import annotations

from typing import Any

import psycopg

from engine.core.errors import SourceError
from engine.core.scenario import Scenario, ScenarioNames
from engine.io.db import postgres

#: code and label of the four SSPs, as the table has them from the first
_SSPS = {
    Scenario.SSP126: "sustainability, low emissions",
    Scenario.SSP245: "middle of the road, medium emissions",
    Scenario.SSP370: "regional rivalry, high emissions",
    Scenario.SSP585: "fossil-fuelled development, very high emissions",
}


def names(connection: psycopg.Connection) -> dict[Scenario, str]:
    """Names of the scenarios whose results are published, where these are no SSPs or not all four; else empty."""
    with postgres.failures("reading the names of scenarios", SourceError):
        rows = connection.execute("SELECT scenario_id, code FROM scenario_names ORDER BY 1").fetchall()
    found = {Scenario(number): code for number, code in rows}
    return {} if found == {each: each.code for each in Scenario} else found


def stated(connection: psycopg.Connection) -> dict[str, Any]:
    """Field of a summary with the names of the published scenarios; none where these are the four SSPs."""
    found = {str(int(each)): name for each, name in names(connection).items()}
    return {"scenario_names": found} if found else {}


def publish(connection: psycopg.Connection, told: ScenarioNames) -> None:
    """Put the names of a run in the place of those before, in the caller's transaction; empty: the four SSPs."""
    if told == names(connection):
        return
    rows = [(int(each), name, name) for each, name in told.items()]
    rows = rows or [(int(each), each.code, words) for each, words in _SSPS.items()]
    connection.execute("DELETE FROM scenario_names")
    connection.cursor().executemany("INSERT INTO scenario_names (scenario_id, code, label) VALUES (%s, %s, %s)", rows)
