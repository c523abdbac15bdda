"""Land cover, buildings and population of the sample: where cities and hills are, repeatable, and plainly made up."""

from __future__ import annotations

import h5netcdf
import numpy as np
import pytest

from engine.assess.rules import classes
from engine.core.grid import GridDefinition
from engine.io.etl.loaders import buildings, lccs, population, register_answers
from engine.io.etl.places import read_layer
from engine.sample import fields, korea, land, people, register, terrain
from tests.sample.test_korea import CORNER


@pytest.fixture(scope="module")
def made() -> land.Pixels:
    return land.pixels(korea.SAMPLE_GRID)


@pytest.fixture(scope="module")
def written(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("register")
    return folder, register.write(folder, made)


def shares(made: land.Pixels, near: tuple[float, float] | None = None, kilometres: float = 5.0) -> dict[str, float]:
    """Class -> share of the land of South Korea's cells, or of the land around a place."""
    grid, dry = korea.SAMPLE_GRID, terrain.on_land(made.latitude[:, None], made.longitude[None, :])
    if near is None:
        dry &= np.isin(grid.locate(made.latitude[:, None], made.longitude[None, :]), korea.land_cells(grid)[0])
    else:
        north, east = (made.latitude - near[0])[:, None], 0.8 * (made.longitude - near[1])[None, :]
        dry &= 111.2 * np.hypot(north, east) < kilometres
    codes, counts = np.unique(made.code[dry], return_counts=True)
    found = dict.fromkeys(lccs.CLASSES, 0.0)
    for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
        found[lccs.MEANINGS[code][1]] += count / dry.sum()
    return found


def test_the_country_has_about_the_land_cover_it_has(made):
    country = shares(made)
    assert sum(country.values()) == pytest.approx(1)
    assert 0.60 < country["forest"] < 0.66  # Korea Forest Service, 2020: 62.6 % of the land
    assert 0.18 < country["agricultural"] < 0.27
    assert 0.05 < country["urban"] < 0.09
    assert country["water"] < 0.03


def test_cities_are_sealed_hills_are_wooded_and_plains_are_tilled(made):
    assert shares(made, (37.56, 126.99))["urban"] > 0.85  # Seoul
    assert shares(made, (35.87, 128.60))["urban"] > 0.80  # Daegu
    assert shares(made, (37.70, 128.50))["forest"] > 0.97  # Odaesan in Gangwon
    assert shares(made, (35.80, 126.85))["agricultural"] > 0.5  # the plain of Gimje
    assert shares(made, (35.80, 126.85))["urban"] < 0.12


def test_the_sea_is_water_and_the_land_is_not(made):
    dry = terrain.on_land(made.latitude[:, None], made.longitude[None, :])
    assert (made.code[~dry] == land.SEA).all()
    assert 0 < (made.code[dry] == land.SEA).mean() < 0.03
    assert set(np.unique(made.code).tolist()) <= set(lccs.MEANINGS)


def test_a_pixel_depends_on_its_own_place_alone(made):
    shifted = GridDefinition(CORNER.lat0 + 0.013, CORNER.lon0 - 0.007, 5, 6, CORNER.step, 2021, 2100)
    small = land.pixels(shifted)
    i, j = (np.searchsorted(whole, part - 1e-9) for whole, part in
            ((made.latitude, small.latitude), (made.longitude, small.longitude)))  # fmt: skip
    np.testing.assert_allclose(made.latitude[i], small.latitude, atol=1e-9)
    np.testing.assert_array_equal(made.code[np.ix_(i, j)], small.code)


def test_draws_are_those_of_every_machine():
    # splitmix64, worked out with Python's own integers
    def exact(number: int, stream: int) -> float:
        z = (number * 0x9E3779B97F4A7C15 + stream * 0xD1B54A32D192ED03) % 2**64
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            z = (z ^ (z >> shift)) * factor % 2**64
        return ((z ^ (z >> 31)) >> 11) / 2**53

    numbers = np.array([1, 2, 994, 11_059_200_000])
    assert fields.draw(numbers, 101).tolist() == [exact(int(number), 101) for number in numbers]


def test_the_map_spells_out_its_codes_and_says_that_it_is_synthetic(tmp_path):
    land.write(tmp_path / "map.nc", land.pixels(CORNER), scope="synthetic")
    with h5netcdf.File(tmp_path / "map.nc") as file:
        assert (file.attrs["scope"], file.attrs["title"][:9]) == ("synthetic", "Synthetic")
        held = file["lccs_class"]
        told = dict(zip(held.attrs["flag_values"].tolist(), held.attrs["flag_meanings"].split(), strict=True))
    assert told == {code: name for code, (name, _) in lccs.MEANINGS.items()}


def test_no_building_can_be_taken_for_a_real_one(written):
    folder, count = written
    answers = register_answers.read([folder / "synthetic_register.json"])
    rows, bad = buildings._rows(answers.areas)
    assert (len(rows), bad) == (count, [])
    assert 3000 < count < 6000
    assert all(area.whole and code.endswith(register.DONG) for code, area in answers.areas.items())
    assert all(row["mgm_bld_pk"].startswith("SYNTHETIC-") and "synthetic" in row["address"] for row in rows)
    lots = buildings._lots([read_layer(folder / "lots_synthetic.geojson")])
    buildings._place(rows, lots, answers)
    assert all(row["geocode_method"] == "lot" for row in rows)


def test_buildings_are_in_the_words_of_the_register_and_make_sense(written):
    items = [item for area in register_answers.read([written[0] / "synthetic_register.json"]).areas.values()
             for item in area.items]  # fmt: skip
    structures = {token for tokens in classes.STRUCTURES.values() for token in tokens}
    purposes = {token for tokens in classes.PURPOSES.values() for token in tokens}
    for item in items:
        assert any(token in item["strctCdNm"] for token in structures)
        assert any(token in item["mainPurpsCdNm"] for token in purposes)
        assert 1 <= item["grndFlrCnt"] <= 26
        assert item["archArea"] * item["grndFlrCnt"] == item["totArea"]
        assert "19680101" <= item["useAprDay"] < "20250101"
    tall = [item["rserthqkDsgnApplyYn"] for item in items if item["grndFlrCnt"] >= 6 and item["useAprDay"] > "1990"]
    assert len(tall) > 100
    assert set(tall) == {"Y"}


def test_population_adds_up_to_the_census_and_to_the_projection(tmp_path):
    people.write(tmp_path)
    counted = population.read_counts([tmp_path / "synthetic_counts_2015.csv"])
    provinces = {code: persons for code, persons in counted.persons.items() if len(code) == 2}
    assert sum(provinces.values()) == 51_069_375  # Statistics Korea, census 2015
    assert not counted.unknown
    for province, persons in provinces.items():
        own = [n for code, n in counted.persons.items() if len(code) == 5 and code[:2] == province]
        assert sum(own) == persons
        assert min(own) > 0
    projected = population.read_projection(tmp_path / "synthetic_projection.csv")
    assert projected.keys() == provinces.keys()
    totals = [sum(values) for values in zip(*projected.values(), strict=True)]
    assert totals == [51_800_000, 51_700_000, 51_300_000, 50_800_000, 50_100_000, 48_800_000, 47_100_000]


def test_shares_of_a_total_are_whole_and_in_proportion():
    # 7 among 1, 1, 2: 1.75, 1.75, 3.5; the two largest remainders round up
    assert people._parts(np.array([1.0, 1.0, 2.0]), 7).tolist() == [2, 2, 3]
    assert people._parts(np.array([1.0, 1.0, 2.0]), 8).tolist() == [2, 2, 4]
