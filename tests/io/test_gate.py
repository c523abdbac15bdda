"""Rules of the gate that a load does not reach by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.core.errors import SettingsError
from engine.core.grid import KOREA
from engine.core.quality import Range, load_ranges, outside
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES
from engine.io.etl import gate
from tests.io import provider

RANGES = load_ranges()


def staged(name, change=lambda values, scenario: values, scope="full", grid=provider.GRID):
    cells = np.flatnonzero(provider.land())
    columns = {}
    for scenario in Scenario:
        values = provider.values(name, scenario).reshape(-1, provider.GRID.n_cells)[:, cells].T
        columns[scenario] = np.ascontiguousarray(change(values, scenario), np.float32)
    return gate.Staged(VARIABLES[name], grid, scope, cells, columns)


def found(*args, **options):
    return [
        f"{finding.severity} {finding.message}" for finding in gate.climate_findings(staged(*args, **options), RANGES)
    ]


@pytest.mark.parametrize("name", [*provider.MONTHLY, *provider.YEARLY])
def test_plausible_values_pass_without_a_word(name):
    assert found(name) == []


def test_scenarios_in_the_wrong_order_are_reported():
    (finding,) = found("ta", lambda values, scenario: values - 0.02 * int(scenario) * np.arange(960) / 12)
    assert finding.startswith("W means of 2081-2100 do not rise from SSP1-2.6 to SSP5-8.5: ssp1 ")


def test_scenarios_that_start_apart_are_reported():
    assert "W means of 2021-2030 differ by" in found("ta", lambda values, scenario: values + 0.5 * int(scenario))[0]


def test_a_clearness_no_sky_has_is_refused():
    assert any("the clearness of ssp1 outside 0.3..0.7" in one for one in found("si", lambda values, _: values / 2.2))


def test_gaps_in_a_station_record_are_reported_only():
    def gaps(values, scenario):
        values = values.copy()
        values[:, 5] = np.nan
        return np.full_like(values, np.nan) if scenario == Scenario.SSP370 else values

    assert {one[0] for one in found("wsdi", gaps, scope="observed")} == {"W"}
    assert {one[0] for one in found("wsdi", gaps)} == {"E", "W"}


def test_temperature_that_rises_with_height_is_refused():
    one = staged("ta")
    mean = gate.means(one.columns[Scenario.SSP126])
    height = 1000 - 300 * (mean - mean.min())
    assert gate.climate_findings(one, RANGES, height) == []
    assert "temperature rises with elevation" in gate.climate_findings(one, RANGES, -height)[0].message


def test_the_national_lattice_has_a_known_number_of_land_cells():
    one = replace(staged("wsdi"), grid=KOREA)
    assert "1 value of number of cells outside the usual 90000..110000" in gate.climate_findings(one, RANGES)[0].message


def test_values_outside_are_counted_by_range_and_gaps_are_neither():
    values = np.array([[np.nan, -1.0, 0.0], [5.0, 9.0, 11.0]], np.float32)
    assert outside(values, Range(0, 10, 1, 8)) == (2, 4, -1.0, 11.0)
    assert outside(values, Range(-1, 11, -1, 11))[:2] == (0, 0)
    assert outside(values[:0], Range(0, 1, 0, 1))[:2] == (0, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[snow]\nhard = [0, 1]\n", "unknown entries: snow"),
        ("[ta]\nhard = [0]\n", r"gate entry ta needs hard = \[low, high\]"),
        ("[ta]\nhrd = [0, 1]\n", "unknown keys: hrd"),
        ("[ta]\nhard = [1, 0]\n", "a range of the gate is empty"),
        ("[ta\n", "cannot be read"),
    ],
)
def test_a_gate_file_that_says_something_else_is_refused(tmp_path, text, message):
    path = tmp_path / "gate.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        load_ranges(path)
