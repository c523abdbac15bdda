import psycopg
import pytest

from engine.io.etl.api import Api, ProviderError
from engine.io.etl.loaders import besttrack, besttrack_client
from engine.io.etl.loading import LoadOptions
from tests.io.lattices import quiet
from tests.io.provider_server import running


def track(call, params):
    """The agency's text: EUC-KR, comments, 17 columns; nothing yet for 2024."""
    lines = ["#START7777", "# GRADE TCID YEAR ... 태풍명"]
    year = int(params["year"])
    if year < 2024:
        lines.append(f"TY {year % 100:02d}01 {year} 11 05 06 128.0 34.0 40 950 300 200 NE 100 80 - HINNAMNOR")
    return "\n".join([*lines, "#7777END", ""]).encode("euc-kr")


@pytest.fixture
def service():
    with running(track) as server:
        yield server


@pytest.fixture
def api(service):
    with Api(service.url, per_second=1e6, keys={"authKey": "hidden"}, sleep=lambda seconds: None) as connected:
        yield connected


def test_a_year_is_saved_once_as_it_came_and_the_loader_reads_it(service, api, tmp_path, warehouse):
    written = besttrack_client.download(api, tmp_path, range(2021, 2025), quiet)
    assert [path.name for path in written] == [f"kma_besttrack_{year}.txt" for year in (2021, 2022, 2023)]
    assert written[0].read_bytes() == track("", {"year": "2021"})
    assert service.asked[0] == ("typ_besttrack.php", {"year": "2021", "help": "0", "authKey": "hidden"})
    service.asked.clear()
    besttrack_client.download(api, tmp_path, range(2021, 2025), quiet)
    assert [params["year"] for _, params in service.asked] == ["2024"]
    besttrack_client.download(api, tmp_path, range(2021, 2023), quiet, refresh=True)
    assert [params["year"] for _, params in service.asked[1:]] == ["2021", "2022"]
    with psycopg.connect(warehouse, autocommit=True) as connection:
        (report,) = besttrack.load(connection, LoadOptions(data=tmp_path), quiet)
    assert (report.status, report.rows) == ("published", 3)


def test_a_complaint_with_status_200_leaves_no_file_and_no_key(service, api, tmp_path):
    service.faults.append((200, b'{"result": {"status": 401, "message": "authKey hidden is not valid"}}'))
    with pytest.raises(ProviderError, match=r"year=2021\) is no best track: .*authKey \*\*\* is not valid"):
        besttrack_client.download(api, tmp_path, range(2021, 2023), quiet)
    assert list((tmp_path / "typhoon").iterdir()) == []
