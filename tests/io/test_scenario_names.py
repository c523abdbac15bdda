"""Names of scenarios: as data give them, in `grid.toml`, and as results publish them."""

from contextlib import closing

import pytest

from engine.core.errors import SettingsError
from engine.core.grid import GridDefinition
from engine.core.scenario import Scenario, label, named
from engine.io.db import postgres
from engine.io.etl import layout
from engine.io.etl.loaders.grid import read_lattice
from engine.io.results import published_scenarios


def test_a_scenario_is_shown_under_the_name_of_the_data_else_its_code():
    names = named({"2": "RCP4.5"})
    assert (label(2, names), label(Scenario.SSP585, names), label(1)) == ("RCP4.5", "SSP5-8.5", "SSP1-2.6")


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"2": ""}, "the name of scenario 2 is '', expected 1 to 30 characters"),
        ({"2": 4.5}, "the name of scenario 2 is 4.5, expected"),
        ({"2": "x" * 31}, "the name of scenario 2 is 'x"),
        ({"2": "a\n"}, "the name of scenario 2 is"),
        ({"1": "a", "2": "a"}, "two scenarios are called 'a'"),
        ({"7": "a"}, "unknown scenario '7'"),
    ],
)
def test_names_that_cannot_be_are_refused(told, sentence):
    with pytest.raises(SettingsError, match=sentence):
        named(told)


def test_names_beside_the_lattice_leave_it_as_it_was(tmp_path):
    grid = GridDefinition(-34.0, -71.5, 3, 2, 0.5, 2001, 2012)
    layout.write_grid(tmp_path / "grid.toml", grid, {Scenario.SSP245: 'RCP "4.5"'})
    assert read_lattice(tmp_path / "grid.toml") == grid
    assert '[scenarios]\n2 = "RCP \\"4.5\\""' in (tmp_path / "grid.toml").read_text("utf-8")


def test_a_run_of_other_scenarios_takes_the_place_of_the_names_and_the_next_of_the_ssps_gives_them_back(results):
    with closing(postgres.connect(results)) as connection:
        assert published_scenarios.names(connection) == {}
        first = connection.execute("TABLE scenario_names").fetchall()
        # the second has the code that another row had
        for told in ({Scenario.SSP245: "SSP1-2.6", Scenario.SSP585: "SSP5-8.5"}, {Scenario.SSP245: "RCP4.5"}):
            published_scenarios.publish(connection, told)
            assert published_scenarios.names(connection) == told
        published_scenarios.publish(connection, {})
        assert published_scenarios.names(connection) == {}
        assert sorted(connection.execute("TABLE scenario_names").fetchall()) == sorted(first)
