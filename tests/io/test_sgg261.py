import io
import tarfile
from datetime import date

import numpy as np
import psycopg
import pytest

from engine.core.errors import SchemaError
from engine.core.scenario import Scenario
from engine.io.etl.loaders import sgg261
from engine.io.etl.loading import LoadOptions
from tests.io.lattices import quiet

CODES = ("1101000000", "2101000000", "3102300000")


def text(year, scenario, days=365):
    """A year of three regions as the provider writes it; the second day of the last one is missing."""
    lines = [",".join(["", *CODES]), "시도,서울특별시,부산광역시,경기도", "시군구,종로구,중구,성남시분당구"]
    start = np.datetime64(f"{year}-01-01")
    for i in range(days):
        values = [f"{5 + i / 100 + j + int(scenario) / 10:.2f}" for j in range(3)]
        lines.append(",".join([str(start + i), *(values[:2]), "-9990" if i == 1 else values[2]]))
    return "\n".join(lines) + "\n"


def archive(path, **members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as target:
        for name, content in members.items():
            info = tarfile.TarInfo(f"{name}.txt")
            info.size = len(content.encode())
            target.addfile(info, io.BytesIO(content.encode()))


@pytest.fixture
def data(tmp_path):
    for scenario in Scenario:
        code = scenario.provider_code
        archive(
            tmp_path / code / f"AR6_{code}_5ENSMN_skorea_TA_sgg261_daily_2021_2022.asc",
            y2022=text(2022, scenario),
            y2021=text(2021, scenario),
        )
    return tmp_path


def load(url, data, **options):
    with psycopg.connect(url, autocommit=True) as connection:
        return sgg261.load(connection, LoadOptions(data=data, **options), quiet)[0]


def test_four_archives_become_one_table_under_the_statistics_offices_codes(warehouse, data):
    report = load(warehouse, data)
    assert (report.table, report.status, report.files, report.rows) == ("ta_daily_sgg261", "published", 4, 2 * 365 * 3)
    with psycopg.connect(warehouse) as connection:
        row = connection.execute(
            "SELECT ssp1, ssp2, ssp3, ssp5 FROM ta_daily_sgg261 WHERE (observation_date, admin_code) = (%s, %s)",
            (date(2022, 1, 3), "2101000000"),
        ).fetchone()
        missing = connection.execute("SELECT observation_date FROM ta_daily_sgg261 WHERE ssp1 IS NULL").fetchall()
        places = connection.execute("SELECT * FROM location_sgg261 ORDER BY 1").fetchall()
    assert row == pytest.approx((6.12, 6.22, 6.32, 6.42), abs=1e-5)
    assert missing == [(date(2021, 1, 2),), (date(2022, 1, 2),)]
    assert places[2] == ("3102300000", "경기도", "성남시분당구")
    assert load(warehouse, data).status == "up to date"
    assert load(warehouse, data, force=True).rows == report.rows


def test_a_gap_a_missing_scenario_and_a_wrong_head_fail_the_element_and_keep_the_old_rows(warehouse, data):
    load(warehouse, data)
    path = next((data / "SSP245").iterdir())
    archive(
        path, y2021=text(2021, Scenario.SSP245), y2022=text(2022, Scenario.SSP245).replace("2022-03-01,", "2022-03-02,")
    )
    report = load(warehouse, data)
    assert (report.status, "2022-03-02 follows 2022-02-28" in report.message) == ("failed", True)
    path.unlink()
    assert "no file for SSP245" in load(warehouse, data).message
    with psycopg.connect(warehouse) as connection:
        assert connection.execute("SELECT count(*) FROM ta_daily_sgg261").fetchone() == (2190,)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(SchemaError, match="the first three lines are not codes, provinces and cities"):
        sgg261.read(path)


def test_a_rehearsal_and_a_directory_without_files_write_nothing(warehouse, data, tmp_path):
    assert load(warehouse, data, dry_run=True).status == "checked"
    (empty := tmp_path / "empty").mkdir()
    assert load(warehouse, empty).status == "absent"
    with psycopg.connect(warehouse) as connection:
        assert connection.execute("SELECT to_regclass('ta_daily_sgg261')").fetchone() == (None,)
