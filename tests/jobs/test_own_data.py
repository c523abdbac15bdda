"""`jobs.yearly --data`: a folder of files of another region becomes results, map and report by one command."""

import json
import re
from contextlib import closing

import numpy as np
import pytest

from engine.core.grid import GridDefinition
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.io import open_source
from engine.io.db import postgres
from engine.io.db.embedded import APPLICATION, WAREHOUSE, EmbeddedServer
from engine.io.etl.derive import daily
from engine.io.results import published_runs, published_scenarios
from engine.kernels.indices import DayAxis
from jobs import _own_data, yearly
from tests import chile
from tests.io.test_derive import weather


def test_a_folder_of_another_region_becomes_results_and_a_report_by_one_command(here, capsys):
    rain = chile.write(here / "cmip")
    command = ["--data", "cmip", "--currency", "CLP"]
    assert yearly.main(command) == 0
    said = capsys.readouterr().out
    assert "3 x 2 cells of 0.5 degree from -34 N -71.5 E, 2 members" in said
    assert "scenario 2: RCP4.5, 2001-2012, of pr_2001.historical.nc" in said
    assert "scenario 4: RCP8.5, 2001-2012, of pr_2001.historical.nc" in said
    assert "2 members: r1, r2; r1 is computed" in said
    assert "not given: sea_level_rise needs yearly sea level of ocean points" in said
    assert "upside down" not in said  # it is colder in the south
    assert "not given: drought needs for its loss, its hazard score is computed: daily or monthly relative hum" in said
    assert "status=completed" in said
    assert "missing=0 failed=0" in said  # what nobody gave is no part of the run
    assert "not given: typhoon needs best tracks of tropical cyclones (--tracks FILE" in said
    home = _own_data.home(here / "home", here / "cmip", "r1")
    assert f"ENGINE_HOME={home}" in said
    with EmbeddedServer(home) as server:
        with closing(open_source(server.url(WAREHOUSE))) as source:
            assert source.scenario_names == {Scenario.SSP245: "RCP4.5", Scenario.SSP585: "RCP8.5"}
            assert source.grid == GridDefinition(-34.0, -71.5, 3, 2, 0.5, 2001, 2012)
            wettest = source.read(source.cells(), ["rx1day"], list(source.scenario_names)).arrays
        for scenario, experiment in ((Scenario.SSP245, "rcp45"), (Scenario.SSP585, "rcp85")):
            days = np.concatenate([rain["historical"], rain[experiment]])[:, 0, ::-1]  # r1, south to north
            naive = days.reshape(12, 360, 6).max(axis=1).T
            np.testing.assert_allclose(wettest["rx1day", scenario], naive, rtol=1e-5)
        with closing(postgres.connect(server.url(APPLICATION))) as connection:
            assert published_scenarios.names(connection) == {Scenario.SSP245: "RCP4.5", Scenario.SSP585: "RCP8.5"}
            (run,) = published_runs.every(connection).values()
    assert run["summary"]["periods"] == {"full": [2001, 2012]}
    assert run["summary"]["pair"] == "RCP4.5 2001-2012"
    assert set(run["summary"]["not_given"]) == {"drought", "sea_level_rise", "typhoon", "wildfire", "water_stress"}
    report = (home / "report-1.html").read_text("utf-8")
    assert "RCP4.5" in report
    assert "needs best tracks of tropical cyclones" in report
    assert not re.search("SSP[0-9]-|KRW|[가-힣]", report)

    assert yearly.main(command) == 0
    assert "up to date: run 1 of the same files and options" in capsys.readouterr().out
    assert yearly.main([*command, "--risks", "extreme_heat,typhoon"]) == 3


def test_few_years_and_inputs_that_give_no_value_are_told_by_their_reason(here, capsys):
    axis, grid = DayAxis.of(Years(2001, 2004), "noleap"), GridDefinition(48.0, 2.0, 1, 2, 0.5, 2001, 2004)
    (here / "years").mkdir()
    daily.write_daily(
        here / "years" / "all.nc", grid, axis, weather(axis, grid.n_cells), scope="observed", attributes={}
    )
    assert yearly.main(["--data", "years"]) == 0
    said = capsys.readouterr().out
    assert "2001-2004: 4 years; losses of yearly values need 10" in said
    assert (
        "not given: extreme_heat needs for its loss, its hazard score is computed: 10 years, the files have 4" in said
    )
    assert "is computed: spei12 (its calibration needs 10 base years, 2001-2004 are 4)\n" in said
    assert "asset values are in USD (--currency CODE states another)" in said
    assert "status=completed" in said


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--tracks", "t.csv"], "--tracks goes with --data DIR"),
        (["--data", "empty"], "empty holds no NetCDF file"),
        (["--data", "absent"], "--data absent does not exist"),
        (["--data", "empty", "--sample", "seoul"], "--sample does not go with --data"),
        (["--data", "empty", "--currency", "euro"], "'euro' is no currency: three letters of ISO 4217, such as EUR"),
        (["--data", "empty", "--scenario-map", "4"], "--scenario-map 4: expected NAME=ID, such as rcp85=4"),
        (["--data", "empty", "--scenario-map", "a=2,b=2"], r"--scenario-map: two are scenario 2"),
        (["--data", "some", "--tracks", "t.csv", "--dry-run"], "--tracks t.csv is none of the best tracks known"),
        (["--data", "some", "--regions", "cut.geojson", "--dry-run"], r"--regions: cut\.geojson"),
        (
            ["--data", "some", "--regions", "good.geojson", "--tracks", "t.gz", "--dry-run"],
            r"--tracks: t\.gz is compressed",
        ),
        (["--data", "some", "--member", "zz", "--dry-run"], "--member zz: no file says which member"),
    ],
)
def test_options_that_make_no_run_are_refused_before_anything_is_made(here, options, sentence, caplog):
    (here / "empty").mkdir()
    (here / "some").mkdir()
    grid = GridDefinition(48.0, 2.0, 1, 2, 0.5, 2001, 2004)
    days = {"pr": weather(DayAxis.of(grid.axis, "noleap"), 2)["pr"]}
    daily.write_daily(here / "some" / "a.nc", grid, DayAxis.of(grid.axis, "noleap"), days, scope="full", attributes={})
    (here / "t.csv").write_text("A;B\n1;2\n")
    (here / "t.gz").write_bytes(b"\x1f\x8b")
    square = {"type": "Polygon", "coordinates": [[[2, 48], [3, 48], [3, 49], [2, 48]]]}
    feature = {"type": "Feature", "properties": {"name": "A"}, "geometry": square}
    (here / "good.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    (here / "cut.geojson").write_text('{"type": "FeatureCollection", "features": [')
    assert yearly.main(options) == 2
    assert re.search(sentence, caplog.text)
    assert not (here / "home").exists()
