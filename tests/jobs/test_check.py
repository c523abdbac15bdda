import psycopg
import pytest

from engine.io import etl as loaders
from engine.io.etl.loading import LoadOptions
from jobs import check
from tests import warehouses
from tests.io import provider
from tests.io.lattices import quiet

NAMES = ("ta", "rn", "rx1day", "rx5day")


@pytest.fixture
def loaded(warehouse, tmp_path):
    provider.write(tmp_path, NAMES)
    chosen = ["grid", "monthly_grid", "yearly_grid"]
    reports = loaders.run_loaders(warehouse, chosen, LoadOptions(data=tmp_path, variables=NAMES), quiet)
    assert {report.status for report in reports} == {"published"}
    return warehouse


def change(url, statement):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def test_what_was_published_and_left_alone_has_no_errors(loaded, capsys):
    assert check.main(["--warehouse", loaded]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:4] for line in lines[1:6]] == [
        ["ta_data", "bands", "49,920", "0"],
        ["rn_data", "bands", "49,920", "0"],
        ["rx1day_data", "bands", "4,160", "0"],
        ["rx5day_data", "bands", "4,160", "0"],
        ["location_grid", "rows", "64", "0"],
    ]


def test_one_changed_value_is_found_by_its_band_and_named_by_its_column(loaded, capsys):
    change(loaded, "UPDATE ta_data SET ssp2 = ssp2 + 0.5 WHERE grid_id = 30 AND observation_date = '2050-07-01'")
    assert check.main(["--warehouse", loaded, "--variables", "ta,rn"]) == 1
    printed = capsys.readouterr().out
    assert "E ta_data: partition ta_data_p03 is not what was published" in printed
    assert "E ta_data: sum of ssp2 is" in printed
    assert "rn_data: partition" not in printed
    assert "rx1day_data" not in printed


def test_a_lost_row_a_duplicate_row_and_an_impossible_value_are_errors(loaded, capsys):
    change(loaded, "DELETE FROM rn_data WHERE grid_id = 30 AND observation_date = '2050-07-01'")
    change(loaded, "INSERT INTO rx1day_data SELECT * FROM rx1day_data WHERE grid_id = 30 AND year = 2050")
    change(loaded, "UPDATE rx5day_data SET ssp5 = 5000 WHERE grid_id = 30 AND year = 2050")
    change(loaded, "UPDATE location_grid SET latitude = latitude + 0.01 WHERE grid_id = 1")
    assert check.main(["--warehouse", loaded]) == 1
    printed = capsys.readouterr().out
    assert "E rn_data: 49,919 rows, 49920 were published" in printed
    assert "1 of 52 cells has gaps in ssp1 (grid_id 30)" in printed
    assert "E rx1day_data: 1 duplicate row" in printed
    assert "E rx5day_data: 1 value of ssp5 outside 0..2000" in printed
    assert "E location_grid: 1 cell does not lie where grid_definition puts them" in printed


def test_a_load_that_never_ended_is_reported(loaded, capsys):
    change(
        loaded,
        """INSERT INTO etl_load (loader, loader_version, table_name, scope, source_files, status)
           VALUES ('yearly_grid', '1', 'wsdi_data', 'full', '[]', 'running')""",
    )
    assert check.main(["--warehouse", loaded, "--variables", "rx1day"]) == 0
    assert "W wsdi_data: a load by yearly_grid began" in capsys.readouterr().out


def test_somebody_elses_warehouse_goes_through_the_same_rules(new_database, capsys):
    url = new_database("")
    warehouses.fill(url, foreign=True, variables=("ta", "rn", "rx1day", "rx5day"), gaps={"rn_data": 3})
    assert check.main(["--warehouse", url, "--variables", "ta,rn,rx1day,rx5day"]) == 1
    printed = capsys.readouterr().out
    assert [line.split()[:2] for line in printed.splitlines()[1:3]] == [["ta_data", "-"], ["rn_data", "-"]]
    assert "E rn_data: 3 of 17 cells have gaps in ssp1" in printed


def test_bad_arguments_and_an_empty_database_are_refused(new_database, caplog):
    url = new_database("")
    assert check.main(["--warehouse", url, "--variables", "snow"]) == 2
    assert "unknown variable 'snow'" in caplog.text
    assert check.main(["--warehouse", url]) == 1
    assert "location_grid is absent or empty" in caplog.text
