"""The synthetic sample: repeatable, the right size, consistent with itself, and never mistaken for a projection."""

from __future__ import annotations

from pathlib import Path

import h5netcdf
import numpy as np
import pytest

from engine.core.errors import SettingsError
from engine.core.grid import GridDefinition
from engine.core.quality import errors, load_ranges
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES
from engine.io.etl import gate, layout
from engine.kernels import spei
from engine.sample import anchors, climate, korea, sea_level, water_balance
from engine.sample.climate import Cells

LATE, EARLY = slice(60, 80), slice(0, 10)
#: some eighty cells between Seoul and the Yellow Sea, in the sample's layout
CORNER = GridDefinition(37.2, 126.4, 6, 9, 0.1, 2021, 2100)


@pytest.fixture(scope="module")
def land() -> tuple[np.ndarray, Cells]:
    return korea.land_cells(korea.SAMPLE_GRID)


@pytest.fixture(scope="module")
def blocks(land) -> dict[Scenario, dict[str, np.ndarray]]:
    return {scenario: climate.block(land[1], scenario) for scenario in Scenario}


@pytest.fixture(scope="module")
def corner(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("sample")
    korea.build(out, grid=CORNER)
    return out


def by_year(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), 80, 12)


def part(cells: Cells, which) -> Cells:
    return Cells(cells.latitude[which], cells.longitude[which], cells.altitude[which], cells.coast[which])


def test_the_cells_are_the_land_of_south_korea(land):
    ids, cells = land
    assert 900 <= len(ids) <= 1100
    assert (np.diff(ids) > 0).all()
    assert cells.latitude.max() < 38.7
    grid = korea.SAMPLE_GRID
    seoul, jeju, ulleungdo, pyongyang, busan_strait = grid.locate(
        [37.57, 33.4, 37.5, 38.95, 34.5], [126.98, 126.5, 130.9, 125.75, 129.3]
    )
    assert {seoul, jeju, ulleungdo} <= set(ids)
    assert not {pyongyang, busan_strait} & set(ids)


def test_a_cell_does_not_depend_on_its_block(land, blocks):
    some = np.array([3, 500, 993])
    alone = climate.block(part(land[1], some), Scenario.SSP370)
    for name, values in alone.items():
        np.testing.assert_array_equal(values, blocks[Scenario.SSP370][name][some], err_msg=name)


def test_another_seed_is_another_climate_of_the_same_size(land, blocks):
    some = part(land[1], slice(0, 50))
    other = climate.block(some, Scenario.SSP245, seed=1)["ta"]
    ours = blocks[Scenario.SSP245]["ta"][:50]
    assert np.mean(other == ours) < 0.01
    assert abs(other.mean() - ours.mean()) < 0.5


def test_every_variable_passes_the_gate(land, blocks):
    ranges = load_ranges()
    for name in climate.VARIABLES:
        staged = gate.Staged(
            variable=VARIABLES[name],
            grid=korea.SAMPLE_GRID,
            scope=korea.SCOPE,
            cells=land[0].astype(np.int64) - 1,
            columns={scenario: made[name] for scenario, made in blocks.items()},
        )
        assert not errors(gate.climate_findings(staged, ranges, land[1].altitude))


@pytest.mark.parametrize(("scenario", "published"), list(zip(Scenario, (2.3, 3.4, 5.0, 6.3), strict=True)))
def test_the_country_warms_as_published(land, blocks, scenario, published):
    reference = climate.normals_of(land[1]).ta.mean() + climate.projections()["warming"]["reference_above_record"]
    assert reference == pytest.approx(11.9, abs=0.15)  # South Korea, 2000-2019
    assert by_year(blocks[scenario]["ta"])[:, LATE].mean() - reference == pytest.approx(published, abs=0.3)


def test_scenarios_part_late_and_not_early(blocks):
    late = [by_year(made["ta"])[:, LATE].mean() for made in blocks.values()]
    early = [by_year(made["ta"])[:, EARLY].mean() for made in blocks.values()]
    assert late == sorted(late)
    assert np.ptp(early) < 1.0
    for name, sign in {"wsdi": 1, "hw33": 1, "tr25": 1, "rn": 1, "fd0": -1, "tn10p": -1}.items():
        low, high = (
            blocks[s][name][:, -240 if name == "rn" else -20 :].mean() for s in (Scenario.SSP126, Scenario.SSP585)
        )
        assert sign * (high - low) > 0, name


def test_rain_indices_agree_with_the_monthly_rain(blocks):
    for made in blocks.values():
        months = by_year(made["rn"])
        assert (made["rx1day"] <= made["rx5day"]).all()
        assert (made["rx5day"] <= 5 * made["rx1day"]).all()
        assert (made["rx5day"] <= months.max(axis=2) + 0.25).all()
        np.testing.assert_array_equal(made["rain80"] > 0, made["rx1day"] >= 80)
        assert (80 * made["rain80"] <= months.sum(axis=2)).all()
        assert (made["sdii"] < made["rx1day"]).all()


def test_temperature_indices_agree_with_each_other(blocks):
    for made in blocks.values():
        np.testing.assert_allclose(by_year(made["ta"]).mean(axis=2), made["ta_yearly"], atol=0.002)
        assert (made["wsdi"] <= made["tx90p"]).all()
        assert (made["csdi"] <= made["tn10p"]).all()
        coldest_month = by_year(made["ta"]).min(axis=2)
        assert (made["tnn"] < coldest_month).mean() > 0.999
        assert not ((made["csdi"] > 0) & (made["csdi"] < anchors.SPELL)).any()


def test_spei_is_standard_on_its_calibration_and_red(blocks):
    calibrated = blocks[water_balance.REFERENCE]["spei12"]
    base = calibrated[:, 11:360]
    assert abs(base.mean()) < 0.02
    assert base.std(axis=1).mean() == pytest.approx(1.0, abs=0.05)
    assert np.corrcoef(base[:, 1:].ravel(), base[:, :-1].ravel())[0, 1] > 0.85
    for made in blocks.values():
        assert np.isnan(made["spei12"][:, :11]).all()
        assert not np.isnan(made["spei12"][:, 11:]).any()


def test_spei_agrees_with_the_compiled_kernel():
    balance = np.random.default_rng(5).gamma(1.5, 60.0, (4, 960)) - 60
    ours = water_balance.spei12(balance, balance, climate.AXIS)
    sums = spei.accumulate(balance)
    theirs = spei.standardise(sums, spei.fit(sums, slice(0, 360)))
    inside = np.abs(theirs) < water_balance.LIMIT
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=1e-9)


def test_at_the_station_the_normals_are_the_record():
    seoul = anchors.load()
    station = Cells(*(np.array([seoul[key]]) for key in ("latitude", "longitude", "altitude_m")), np.array([30.0]))
    made = climate.normals_of(station)
    np.testing.assert_allclose(made.ta[0], seoul["mean"]["ta"], atol=0.4)
    np.testing.assert_allclose(made.rn[0], seoul["mean"]["rn"], rtol=0.01)


def test_the_anchors_are_those_of_the_bundled_record():
    stored = anchors.load()
    assert anchors.derive(anchors.RECORD) == stored
    published = [-2.4, 0.4, 5.7, 12.5, 17.8, 22.2, 24.9, 25.7, 21.2, 14.8, 7.2, 0.4]  # KMA normals 1981-2010
    np.testing.assert_allclose(stored["mean"]["ta"], published, atol=0.051)
    assert sum(stored["mean"]["rn"]) == pytest.approx(1450.5, abs=0.1)


@pytest.mark.parametrize(("scenario", "low", "high"), [(Scenario.SSP126, 35, 47), (Scenario.SSP585, 60, 85)])
def test_the_sea_rises_as_published(scenario, low, high):
    level = sea_level.block(scenario)
    rise = level[-3:].mean(axis=0) - level[:3].mean(axis=0)
    assert low < rise.mean() < high
    assert -50 < level.min() < level.max() < 200


def test_every_file_says_that_it_is_synthetic(corner):
    files = sorted(corner.rglob("*.nc"))
    assert len(files) == 4 * len(climate.VARIABLES) + 4 + 1  # sea level, land cover
    for path in files:
        with h5netcdf.File(path) as file:
            assert file.attrs["scope"] == "synthetic"
            assert file.attrs["title"].startswith("Synthetic")
    with h5netcdf.File(layout.sea_level_path(corner, Scenario.SSP245, 2015, 2100)) as file:
        ocean = (file[layout.SEA_LEVEL_NAME][0] != layout.FILL).sum()
        assert file[layout.SEA_LEVEL_NAME].shape == (86, 10, 8)
    assert 30 < ocean < 70
    assert all((corner / name).is_dir() for name in ("water", "map", "typhoon", "landcover", "buildings", "population"))
    assert (corner / "grid.toml").is_file()


def test_a_file_holds_the_block(corner):
    ids, cells = korea.land_cells(CORNER)
    path = layout.gridded_path(corner, VARIABLES["rn"], Scenario.SSP585, CORNER.axis)
    with h5netcdf.File(path) as file:
        stored = file["RN"][...].reshape(960, -1)
    np.testing.assert_array_equal(stored[:, ids - 1].T, climate.block(cells, Scenario.SSP585)["rn"])
    assert (np.delete(stored, ids - 1, axis=1) == layout.FILL).all()


def test_two_builds_are_the_same_bytes(corner, tmp_path):
    korea.build(tmp_path, grid=CORNER)
    names = sorted(path.relative_to(corner) for path in corner.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    different = [name for name in names if (corner / name).read_bytes() != (tmp_path / name).read_bytes()]
    assert not different


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        (GridDefinition(37.2, 126.4, 6, 9, 0.1, 2021, 2050), "years 2021-2100, not 2021-2050"),
        (GridDefinition(44.0, 126.4, 6, 9, 0.1, 2021, 2100), "54 of 54 cells"),
    ],
)
def test_a_lattice_it_has_nothing_for_is_refused(tmp_path, grid, words):
    with pytest.raises(SettingsError, match=words):
        korea.build(tmp_path, grid=grid)
