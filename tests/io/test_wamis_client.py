import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import psycopg
import pytest

from engine.core.errors import SchemaError
from engine.io.etl.api import ProviderError
from engine.io.etl.loaders import wamis, wamis_client
from engine.io.etl.loaders.wamis_client import WamisClient, download
from engine.io.etl.loading import LoadOptions
from tests.io.lattices import quiet


class Provider(ThreadingHTTPServer):
    """The provider's four calls for one basin and one gauge; `faults` are answered first, in order."""

    daemon_threads = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults = deque()
        self.asked = []

    def body(self, call, params):
        items = {
            "wks_wiawtaa_lst": [{"year": "2020", "wssum": "1", "indsum": "1", "afsum": "1", "total": "3"}],
            "flw_dubobsif": {"obscd": "A", "obsnm": "one", "minyear": "2001", "maxyear": "2003"},
            "wl_obsinfo": [{"lat": "36-30-00", "lon": "127-00-00"}],
            "flw_dtdata": [{"ymd": f"{params.get('year')}0101", "fw": "5"}],
        }
        return json.dumps({"result": {"code": "success"}, "list": items[call]})


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        params = dict(parse_qsl(url.query))
        call = url.path.rsplit("/", 1)[-1]
        self.server.asked.append((call, params.get("year", "")))
        status, body = self.server.faults.popleft() if self.server.faults else (200, self.server.body(call, params))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args):
        """The run's log is not the place for it."""


@pytest.fixture
def provider():
    with Provider() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def waits():
    return []


@pytest.fixture
def client(provider, waits):
    with WamisClient(f"http://127.0.0.1:{provider.server_port}/wamis/openapi", sleep=waits.append) as connected:
        yield connected


def test_429_and_5xx_are_asked_again_after_growing_waits_and_calls_keep_their_pace(client, provider, waits):
    provider.faults.extend([(429, ""), (503, ""), (502, "")])
    assert client.ask("wl_obsinfo", obscd="A")["answer"]["list"][0]["lat"] == "36-30-00"
    assert len(provider.asked) == 4
    retries = [wait for wait in waits if wait >= 1]
    assert [1, 2, 4] <= retries <= [2, 3, 5]
    waits.clear()
    client.ask("wl_obsinfo", obscd="A")
    assert waits[0] > 0.3


def test_after_six_attempts_the_client_gives_up(client, provider):
    provider.faults.extend([(500, "")] * 9)
    with pytest.raises(ProviderError, match=r"wl_obsinfo\(obscd=A\): HTTP 500, after 6 attempts"):
        client.ask("wl_obsinfo", obscd="A")
    assert len(provider.asked) == 6


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ((404, "gone"), "HTTP 404: gone"),
        ((200, "<html>maintenance"), "not JSON: <html>maintenance"),
        ((200, "[" * 100_000), r"not JSON: \[\["),
        ((200, '{"result": {"code": "error", "msg": "quota"}}'), "reports no success.*quota"),
    ],
)
def test_a_refusal_is_not_asked_again(client, provider, fault, sentence):
    provider.faults.append(fault)
    with pytest.raises(ProviderError, match=sentence):
        client.ask("flw_dtdata", obscd="A", year="2001")
    assert len(provider.asked) == 1


def test_an_interrupted_download_goes_on_where_it_stopped_and_feeds_the_loader(client, provider, tmp_path, warehouse):
    provider.faults.extend(
        [(200, provider.body(call, {"year": "2001"})) for call in ("wks_wiawtaa_lst", "flw_dubobsif")]
    )
    provider.faults.extend([(200, provider.body(call, {"year": "2001"})) for call in ("wl_obsinfo", "flw_dtdata")])
    provider.faults.append((403, "stop"))
    with pytest.raises(ProviderError, match="HTTP 403"):
        download(client, tmp_path, [3], range(2000, 2004), quiet)
    provider.asked.clear()
    download(client, tmp_path, [3], range(2000, 2004), quiet)
    assert [year for call, year in provider.asked if call == "flw_dtdata"] == ["2002", "2003"]
    assert "wl_obsinfo" not in [call for call, _ in provider.asked]
    provider.asked.clear()
    download(client, tmp_path, [3], range(2000, 2004), quiet)
    assert [year for call, year in provider.asked if call == "flw_dtdata"] == ["2003"]
    with psycopg.connect(warehouse, autocommit=True) as connection:
        reports = wamis.load(connection, LoadOptions(data=tmp_path), quiet)
        assert [(report.status, report.rows) for report in reports] == [
            ("published", 1),
            ("published", 1),
            ("published", 3),
        ]


@pytest.mark.parametrize("text", ["[" * 100_000, "{}", "[3]"])
def test_saved_answers_that_are_none_are_refused_by_their_file_before_anything_is_asked(text, tmp_path):
    path = tmp_path / "wamis_gauges.json"
    path.write_text(text)
    with pytest.raises(SchemaError, match=r"wamis_gauges\.json is (not JSON|no list of saved answers)"):
        wamis_client._saved(path, "wkw_dubwlobs")
