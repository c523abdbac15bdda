"""Figures, classes and words of the report, against the same things computed the slow way."""

import base64
import struct
import zlib
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.grid import GridDefinition
from engine.maps.picture import NO_VALUE, SCALES
from engine.report import change, maps, sure, words
from engine.report.figures import RiskFigures
from engine.report.places import Places
from engine.risks import RISKS, load_edition

NOTHING = pl.DataFrame(schema={"risk_type": pl.String, "scenario_id": pl.Int16, "time_period": pl.String})


def figures(aal, *, error=None, method=None, score=None, run=1):
    n = len(aal)
    place = {"grid_id": range(1, n + 1), "latitude": [35.0 + 0.1 * (i // 4) for i in range(n)]}
    place["longitude"] = [127.0 + 0.1 * (i % 4) for i in range(n)]
    probability = pl.DataFrame(
        place
        | {
            "aal": pl.Series(aal, dtype=pl.Float32),
            "aal_se": pl.Series(error or [a if a is None else a / 10 for a in aal], dtype=pl.Float32),
            "aal_low": pl.Series([a if a is None else a / 2 for a in aal], dtype=pl.Float32),
            "aal_high": pl.Series([a if a is None else 3 * a for a in aal], dtype=pl.Float32),
            "rates_high": pl.Series([None] * n, dtype=pl.Float32),
            "n_samples": [80] * n,
            "method": method or ["insufficient_data" if a is None else "kde" for a in aal],
            "run_id": [run] * n,
        }
    )
    hazard = pl.DataFrame(
        place | {"hazard_score": pl.Series(score or [0.5] * n, dtype=pl.Float32), "run_id": [run] * n}
    )
    return RiskFigures(
        risk="drought", probability=probability, hazard=hazard, mean_bins=[], losses=NOTHING, scores=NOTHING
    )


def test_cells_without_a_result_are_counted_and_not_averaged():
    told = figures([0.01, None, 0.03, 0.06])
    assert (told.nulls, told.known.height) == (1, 3)
    assert told.spread.mean == pytest.approx(0.1 / 3)
    assert told.spread.share_high == pytest.approx(1 / 3)
    assert (told.spread.times_low, told.spread.times_high) == pytest.approx((0.5, 3.0))
    assert told.methods == {"insufficient_data": 1, "kde": 3}


def test_places_of_one_aal_are_ranked_by_their_scores():
    where = Places(
        cells=pl.DataFrame({"grid_id": [1, 2, 3], "province": ["A", "B", "C"], "town": ["a", "b", "c"]}),
        population={}, coast=[], provinces=[], source="",
    )  # fmt: skip
    alike = figures([0.0089301, 0.0089300, 0.0089302], score=[0.2, 0.9, 0.5])
    assert (alike.alike, alike.by_province(where)["province"].to_list()) == (True, ["B", "C", "A"])
    told = figures([0.01, 0.02, 0.03], score=[0.2, 0.9, 0.5])
    assert (told.alike, told.by_province(where)["province"].to_list()) == (False, ["C", "B", "A"])
    assert not figures([0.0, 0.0]).alike


def test_windows_of_a_trend_are_told_by_their_middle_years():
    rows = pl.DataFrame({"grid_id": [1, 2], "change": [0.01, -0.01], "change_se": [0.02, 0.02], "aal": [0.1, 0.1]})
    results = SimpleNamespace(changes=lambda risk, scenario, window: rows, run={"summary": None})
    told = figures([0.1, 0.1])
    of_trend = sure.changes_of_windows(results, told, None, trend=True)
    assert {(each.window, each.since) for each in of_trend} == {("2050", "2030"), ("2090", "2030")}
    of_windows = sure.changes_of_windows(results, told, None, trend=False)
    assert {(each.window, each.since) for each in of_windows} == {
        ("mid term", "the short term"),
        ("long term", "the short term"),
    }


def test_levels_are_cut_as_in_the_result_tables():
    told = figures([0.01] * 6, score=[0.0, 0.1999, 0.19999, 0.6, 0.8, 1.0])
    shares = {name: round(6 * share) for name, share in told.levels.items()}
    assert shares == {"minimal": 2, "low": 1, "moderate": 0, "high": 1, "critical": 2}


def test_a_region_has_the_spread_of_its_cells_and_strangers_belong_to_none():
    told = figures([0.01, 0.02, 0.04, 0.08])
    cells = pl.DataFrame({"grid_id": [1, 2, 3], "province": ["A", "A", "B"], "town": ["a, A", "a, A", "b, B"]})
    where = Places(cells=cells, population={"b, B": 7}, coast=[], provinces=[], source="")
    rows = told.by_province(where)
    assert rows["province"].to_list() == ["B", "A"]
    assert rows["mean"].to_list() == pytest.approx([0.04, 0.015])
    assert told.towns(where)["population"].to_list() == [7, None]


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=60), st.data())
def test_every_value_of_a_map_lies_in_the_class_that_its_legend_names(values, data):
    exposed = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))))
    values = np.where(exposed, np.array(values, np.float32), np.float32(0))
    scale = maps.own_scale(values, exposed)
    assert len(scale.labels) == len(scale.colours) == len(scale.breaks) + 1
    assert all(low < high for low, high in zip(scale.breaks, scale.breaks[1:], strict=False))
    told = figures(values.tolist())
    drawn = maps.draw(maps.frame_of(told.cells) or maps.Frame(126.95, 35.05, 0.1, 1, 1), told.cells, values, scale)
    assert sum(row.share for row in drawn.legend) == pytest.approx(1)
    if not exposed.all():
        spared = (values == 0).mean()  # a loss of 0 and out of reach are one class: both are 0
        assert drawn.legend[0].share == pytest.approx(spared)


def test_a_cell_is_painted_where_it_lies():
    told = figures([0.0004] * 8)
    frame = maps.frame_of(told.cells)
    values = np.full(8, np.nan, np.float32)
    values[1] = 0.2  # second from the west, in the southern row
    data = base64.b64decode(maps.draw(frame, told.cells, values, SCALES["aal"]).png.split(",")[1])
    width, height = struct.unpack(">II", data[16:24])
    at = data.index(b"IDAT")
    (length,) = struct.unpack(">I", data[at - 4 : at])
    rows = np.frombuffer(zlib.decompress(data[at + 4 : at + 4 + length]), np.uint8).reshape(height, width + 1)[:, 1:]
    margin = 1
    assert (height, width) == (2 + 2 * margin, 4 + 2 * margin)
    assert rows[margin + 1, margin + 1] == rows.max()
    assert (rows > 0).sum() == 8


def test_cells_that_lie_apart_are_points_at_their_middle_in_the_colour_of_their_class():
    two = pl.DataFrame({"latitude": [35.0, 35.4], "longitude": [127.0, 127.2]})
    frame = maps.frame_of(two, apart=True)  # steps of 0.2 degree and a margin of one
    drawn = maps.draw(frame, two, np.array([np.nan, 0.2], np.float32), SCALES["aal"])
    [(x, y, grey), (right, top, dark)] = drawn.points
    assert (grey, dark) == (NO_VALUE, SCALES["aal"].colours[-1])
    assert [x, right] == pytest.approx([375, 625])
    assert [y, top] == pytest.approx([0.7 * frame.height, 0.3 * frame.height], abs=0.1)
    assert maps.draw(maps.frame_of(two), two, np.array([0.1, 0.2], np.float32), SCALES["aal"]).points == ()


def test_lines_are_drawn_in_the_units_of_the_map():
    frame = maps.Frame(126.0, 36.0, 0.1, 10, 10)
    assert frame.path([[[126.0, 36.0], [127.0, 35.0]]]) == f"M0.0 0.0L1000.0 {frame.height:.1f}"
    assert frame.path([[[128.0, 36.0], [129.0, 35.0]]]) == ""


def test_a_map_goes_on_across_the_date_line_with_its_lines():
    cells = pl.DataFrame({"latitude": [-17.0, -17.0, -17.0], "longitude": [-179.0, 179.0, 180.0]})
    frame = maps.frame_of(cells)
    assert (frame.west, frame.east, frame.n_lon) == (177.5, 182.5, 5)
    drawn = maps.draw(frame, cells, np.array([np.nan, 0.0, 0.0], np.float32), SCALES["aal"])
    data = base64.b64decode(drawn.png.split(",")[1])
    at = data.index(b"IDAT")
    (length,) = struct.unpack(">I", data[at - 4 : at])
    rows = np.frombuffer(zlib.decompress(data[at + 4 : at + 4 + length]), np.uint8).reshape(3, 6)[:, 1:]
    assert rows[1].tolist() == [0, 2, 2, 1, 0]  # the eastern cell has no result
    assert frame.path([[[-178.0, -15.5], [-180.0, -18.5]]]) == f"M900.0 0.0L500.0 {frame.height:.1f}"
    assert frame.path([[[177.5, -15.5], [180.0, -18.5]]]) == f"M0.0 0.0L500.0 {frame.height:.1f}"


def test_a_pixel_is_a_cell_of_the_lattice_however_far_apart_the_cells_are():
    lattice = GridDefinition(47.0, 8.0, 20, 30, 0.1, 2021, 2100)
    two = pl.DataFrame({"latitude": [47.3, 48.5], "longitude": [8.5, 9.7]})
    numbers = lattice.locate(two["latitude"].to_numpy(), two["longitude"].to_numpy())
    frame = maps.frame_of(two.with_columns(grid_id=pl.Series(numbers)), lattice)
    assert (frame.step, frame.stated, frame.n_lat) == (0.1, True, 13 + 2)
    other = maps.frame_of(two.with_columns(grid_id=pl.Series(numbers + 1)), lattice)  # another warehouse's lattice
    assert (other.step, other.stated) == (1.2, False)


@pytest.mark.parametrize(
    ("latitude", "step"),
    [
        ([47.0, 47.3, 47.7], 0.1),
        ([47.0, 47.000833, 47.0025, 47.835], 0.000833),
        ([round(i / 3, 6) for i in (0, 2, 5, 100, 107)], 0.333333),
        ([float(np.float32(36 + 0.1 * i)) for i in (1, 3, 6, 14)], 0.1),
        ([47.0, 47.05, 47.15, 52.155], 0.005),
        ([47.123457, 47.291041, 51.739219, 49.316308, 48.000013], None),  # at random
    ],
)
def test_a_lattice_found_from_cells_moves_none(latitude, step):
    cells = pl.DataFrame({"latitude": latitude, "longitude": [8.0 + 60 * step if step else 9.19283] * len(latitude)})
    cells = cells.vstack(pl.DataFrame({"latitude": latitude[:1], "longitude": [8.0]}))
    frame = maps.frame_of(cells)
    if step is None:
        assert frame is None
        return
    assert frame.step == pytest.approx(step, abs=2e-6)
    rows = (frame.north - cells["latitude"].to_numpy()) / frame.step - 0.5
    assert np.abs(rows - np.rint(rows)).max() < 0.05


def test_change_is_of_common_cells_and_against_the_error_of_the_difference():
    now = figures([0.010, 0.020, 0.03, None], error=[0.003, 0.001, 0.001, None])
    then = figures([0.005, 0.010, 0.03, 0.09], error=[0.004, 0.001, 0.001, 0.001])
    found = change.change_of_aal(now, then)
    assert (found.cells, found.up, found.down) == (3, pytest.approx(2 / 3), 0)
    assert found.beyond == pytest.approx(1 / 3)  # 0.005 is not beyond 2 x 0.005
    assert found.rank == pytest.approx(1)
    assert change.change_of_hazard(now, then).rank is None  # the same everywhere


def test_runs_of_another_method_are_not_compared():
    run = {"edition": "2025-11", "edition_checksum": "a", "baseline": "1991-2020", "scope": "full"}
    assert change.incomparable(run, dict(run), "drought") == []
    assert change.incomparable(run, run | {"baseline": "2021-2050 SSP2-4.5"}, "drought") == [
        "baseline 2021-2050 SSP2-4.5 then, 1991-2020 now"
    ]
    assert "its figures differ" in change.incomparable(run, run | {"edition_checksum": "b"}, "drought")[0]


def test_another_edition_leaves_the_risks_comparable_whose_figures_it_did_not_move():
    run = {"edition": "2025-11", "edition_checksum": "a", "baseline": "1991-2020", "scope": "full",
           "edition_checksums": {"drought": "d", "typhoon": "t"}}  # fmt: skip
    house = run | {"edition": "house", "edition_checksum": "b", "edition_checksums": {"drought": "d", "typhoon": "u"}}
    assert change.incomparable(run, house, "drought") == []
    assert change.incomparable(run, house, "typhoon") == ["edition house then, 2025-11 now"]
    # a record of before checksums were kept by risk knows the edition as a whole
    assert change.incomparable(run, house | {"edition_checksums": None}, "drought") == [
        "edition house then, 2025-11 now"
    ]


@pytest.mark.parametrize(
    ("edition", "risk", "expected"),
    [
        ("2025-11", "extreme_heat", ["below Q80", "Q80 to Q90", "Q90 to Q95", "Q95 to Q99", "Q99 and more"]),
        ("2025-12", "drought", ["above −1", "−1 to −1.5", "−1.5 to −2", "−2 and less"]),
        ("2025-12", "sea_level_rise", ["no event", "up to 0.3 m", "0.3 to 1 m", "1 m and more"]),
        (
            "2025-11",
            "river_flood",
            ["below 100 mm", "100 to 150 mm", "150 to 200 mm", "200 to 300 mm", "300 mm and more"],
        ),
    ],
)
def test_bins_in_words(edition, risk, expected):
    bins = load_edition(edition).bins[risk]
    assert words.bin_ranges(bins, RISKS[risk].intensities[bins.intensity]) == expected


def test_small_figures_are_not_rounded_to_nothing():
    assert [words.percent(value) for value in (None, 0.0, 0.0000123, 0.0125, 0.5, 123.0)] == [
        "–",
        "0",
        "0.00123",
        "1.25",
        "50",
        "12,300",
    ]


def test_a_share_of_nearly_all_is_written_as_a_number():
    shares = (0.985, 0.991, 0.99625, 0.9996, 1.0, -0.997, 1.234)
    assert [words.percent(value, 2) for value in shares] == ["98", "99.1", "99.6", "100", "100", "-99.7", "123"]
    assert [words.percent(value) for value in (0.9996, 9.996, 99.99)] == ["100", "1,000", "9,999"]
