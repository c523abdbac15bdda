"""How the service speaks HTTP, whatever route answers: methods, refusals, uploads, slow clients, proxies."""

import asyncio
import contextlib
import io
import json
import socket
import stat
import time
import uuid
from http import HTTPStatus
from pathlib import Path

import httpx
import polars as pl
import pytest
from websockets.sync.client import connect

from engine.core.errors import SettingsError
from engine.core.settings import Settings
from engine.service import models, proxy
from engine.service.server import SOCKETS, is_loopback
from tests.service.conftest import LAND, running
from tests.service.test_assessments import CALCULATE, PORTFOLIO, finished, messages

WS = SOCKETS.encode()
AT = {"lat": LAND[0], "lon": LAND[1]}
CSV = b"latitude,longitude\n35.1,127.2\n"


def raw(client, data, *, end=True, seconds=20):
    """What the server says to bytes, until it closes."""
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=seconds) as link:
        link.sendall(data)
        if end:
            link.shutdown(socket.SHUT_WR)
        said = b""
        while part := link.recv(65_536):
            said += part
    head, _, body = said.partition(b"\r\n\r\n")
    return (int(head.split()[1]) if head else 0), body


def test_head_is_get_without_the_body_on_every_route_and_options_says_what_a_path_takes(client):
    document = client.get("/openapi.json").json()
    paths = [path for path, methods in document["paths"].items() if "get" in methods]
    for path in [*paths, "/", "/page/app.js", "/openapi.json"]:
        there = path.replace("{lat}/{lon}", "12.5/12.5").replace("{quantity}/{risk_type}", "aal/drought")
        asked = AT | {"risk_type": "drought"}
        got, head = client.get(there, params=asked), client.head(there, params=asked)
        assert (head.status_code, head.content) == (got.status_code, b""), path
        varies = "timestamp" in got.text[:200] or path in ("/metrics", "/api/v1/runs")
        assert varies or head.headers["content-length"] == got.headers["content-length"], path
        told = client.options(there)
        assert (told.status_code, told.content, told.headers["allow"]) == (204, b"", "GET, HEAD, OPTIONS"), path
    assert client.options(CALCULATE).headers["allow"] == "OPTIONS, POST"
    assert client.options("/nowhere").status_code == 404
    wrong = client.put("/health")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert wrong.json() == {"detail": "Method Not Allowed"}


@pytest.mark.parametrize(
    ("wanted", "status", "says"),
    [
        ("chars=1", 400, "Only support bytes range"),
        ("bytes=5-1", 400, "Range header: start must be less than end"),
        ("nothing", 400, "Malformed range header."),
        ("bytes=9999999-", 416, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE.phrase),
    ],
)
def test_a_range_that_cannot_be_is_refused_in_the_form_of_all_refusals(client, wanted, status, says):
    answer = client.get("/page/app.js", headers={"Range": wanted})
    assert (answer.status_code, answer.json()) == (status, {"detail": says})
    assert client.get("/page/app.js", headers={"Range": "bytes=0-3"}).status_code == 206


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 120 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 40_000, 400),
        (b"GET " + WS + b"x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400),
        (
            b"GET /elsewhere HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            404,
        ),
    ],
)
def test_what_is_no_request_or_too_large_a_head_is_refused_in_that_form_too(client, data, status):
    found, body = raw(client, data, end=status == 400)
    assert (found, [*json.loads(body)]) == (status, ["detail"])


@pytest.mark.parametrize("body", ['["extreme_heat"]', '{"risk_types": ["extreme_heat"]}', "null", ""])
def test_the_older_name_takes_a_list_of_risks_an_object_or_nothing_as_its_body(client, body):
    place = {"latitude": LAND[0], "longitude": LAND[1]}
    asked = place if body.startswith(("[", "{")) else place | {"risk_types": ["extreme_heat", "typhoon"]}
    answer = client.post("/api/risk/calculate", params=asked, content=body)
    assert answer.status_code == 202, answer.text
    finished(client, answer.json()["batch_id"])
    results = client.get(f"/api/batch/{answer.json()['batch_id']}/status").json()["results"]
    assert results["risk_types"] == (["extreme_heat"] if asked is place else ["extreme_heat", "typhoon"])


@pytest.mark.parametrize(
    ("body", "says"), [('["rain"]', "Unknown risk type: rain"), ("5", "The body must be an object")]
)
def test_a_body_of_the_older_name_that_is_neither_is_refused(client, body, says):
    answer = client.post("/api/risk/calculate", params={"latitude": 35.1, "longitude": 127.2}, content=body)
    assert answer.status_code == 422
    assert says in answer.json()["detail"][0]["msg"]


def form(*parts, boundary="b"):
    """Body and headers of a form; a part: (disposition, media type, bytes)"""
    body = b""
    for disposition, kind, content in parts:
        head = f"Content-Disposition: {disposition}\r\n" + (f"Content-Type: {kind}\r\n" if kind else "")
        body += f"--{boundary}\r\n{head}\r\n".encode() + content + b"\r\n"
    kind = f'multipart/form-data; charset=utf-8; boundary="{boundary}"'
    return {"content": body + f"--{boundary}--\r\n".encode(), "headers": {"Content-Type": kind}}


def parquet():
    pl.DataFrame({"latitude": [35.1], "longitude": [127.2]}).write_parquet(file := io.BytesIO())
    return file.getvalue()


FILE = 'form-data; name="file"; filename="{}"'


@pytest.mark.parametrize(
    "sent",
    [
        form((FILE.format("C:\\\\sites\\\\본사 목록.csv"), "text/csv; charset=euc-kr", CSV)),
        form((FILE.format('a\\"b/../c.CSV'), "application/vnd.ms-excel", CSV)),
        form(
            ("form-data; name=file; filename*=UTF-8''%EB%B3%B8%EC%82%AC.parquet", "application/octet-stream", parquet())
        ),
        form((FILE.format("sites"), "", CSV)),
        {"content": CSV, "headers": {"Content-Type": "application/vnd.ms-excel"}},
        {"content": CSV, "headers": {"Content-Type": "text/csv; header=present; charset=utf-8"}},
        {"content": parquet(), "headers": {"Content-Type": "application/octet-stream"}},
        {
            "content": b'{"latitude": 35.1, "longitude": 127.2}\n',
            "headers": {
                "Content-Type": "application/octet-stream",
                "Content-Disposition": "attachment; filename=x.ndjson",
            },
        },
    ],
)
def test_a_table_comes_as_a_form_or_under_any_name_that_programs_give_it(client, sent):
    answer = client.post(PORTFOLIO, params={"risk_types": "drought"}, **sent)
    assert (answer.status_code, answer.json().get("accepted")) == (202, 1), answer.text


@pytest.mark.parametrize(
    ("sent", "status", "says"),
    [
        (form((FILE.format("a.csv"), "", CSV), (FILE.format("b.csv"), "", CSV)), 422, "more than one file"),
        (form(('form-data; name="name"', "", b"x")), 422, "parameters go into the query"),
        (form(), 422, "The form holds no file"),
        ({"content": b"--b\r\n", "headers": {"Content-Type": "multipart/form-data"}}, 422, "The form has no boundary"),
        (
            {"content": b"nonsense", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
            422,
            "cannot be read",
        ),
        ({"content": form()["content"][:-4], "headers": form()["headers"]}, 422, "The form"),
        (form((FILE.format("a.pdf"), "application/pdf", CSV)), 415, "Send a workbook, Parquet, CSV"),
        ({"content": CSV}, 415, "Send a workbook, Parquet, CSV"),
    ],
)
def test_a_form_that_is_not_one_table_is_refused(client, sent, status, says):
    answer = client.post(PORTFOLIO, **sent)
    assert answer.status_code == status, answer.text
    detail = answer.json()["detail"]
    assert says in (detail if isinstance(detail, str) else detail[0]["msg"])


def test_uploads_and_results_are_their_owners_alone(client, service):
    made = client.post(PORTFOLIO, params={"risk_types": "drought"}, **form((FILE.format("x.csv"), "", CSV))).json()
    finished(client, made["request_id"])
    folder = Path(service[1].state.context.portfolios)
    found = [folder, *folder.rglob("*")]
    assert {"sites.csv", "results", "totals.parquet", "portfolio.json"} <= {path.name for path in found}
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in found}
    assert not [name for name, mode in modes.items() if mode & 0o077]


def test_slow_clients_are_cut_off_and_a_path_prefix_holds_everywhere(environment, caplog):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("API_HEADER_SECONDS", "0.5")
        patch.setenv("API_BODY_SECONDS", "0.5")
        patch.setenv("API_ROOT_PATH", "/climate")
        patch.setenv("API_HOST", "0.0.0.0")
        caplog.set_level("INFO")
        with running() as (url, _), httpx.Client(base_url=url, timeout=30) as client:
            assert any(
                line.startswith("map: http://localhost:") and line.endswith("/climate/") for line in caplog.messages
            )
            assert any(
                line.startswith("open to the network without a key: whoever reaches") for line in caplog.messages
            )
            head = b"POST /api/risk/calculate HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
            assert raw(client, head[:30], end=False) == (408, b'{"detail":"The request did not arrive in time"}')
            assert raw(client, head + b'{"la', end=False) == (408, b'{"detail":"The request did not arrive in time"}')
            assert raw(client, head.replace(b"/api", b"/nowhere") + b"{", end=False)[0] == 404  # and closed, too
            assert raw(client, b"", end=False) == (0, b"")
            with socket.create_connection((client.base_url.host, client.base_url.port)) as dribbler:
                started = time.monotonic()
                with contextlib.suppress(ConnectionError):
                    while time.monotonic() - started < 20:
                        dribbler.sendall(b"a")
                        time.sleep(0.05)
                assert time.monotonic() - started < 20
            for base in ("", "/climate"):  # the proxy takes the path away, or it does not
                assert 'href="/climate/page/style.css"' in client.get(f"{base}/").text
                assert client.get(f"{base}/page/app.js").status_code == 200
                document = client.get(f"{base}/openapi.json").json()
                assert document["servers"] == [{"url": "/climate"}]
            made = client.post(f"{base}{CALCULATE}", json={"latitude": LAND[0], "longitude": LAND[1]}).json()
            assert "/climate/api/v1/risk-assessment/ws/" in made["websocket_url"]
            with connect(made["websocket_url"]) as follower:
                assert messages(follower)[0][-1]["status"] == "completed"
            assert client.get("/climate/api/v1/map/").headers["location"] == "/climate/api/v1/map"
    told = models.outward(number := uuid.uuid4(), {"location": "/srv/engine/x"}, "/climate")
    assert told == {"location": f"/climate{PORTFOLIO}/{number}/results"}


def seen(config, *, client="10.0.0.9", headers=(), path="/api/v1/map", server=("192.0.2.7", 8001)):
    """(base, path, client, scheme) of a request as the application sees it"""
    found = {}

    async def application(scope, receive, send):
        found.update(scope)

    fronted = proxy.Fronted(application, config=config, paths=["/api/v1/map", "/admin/x"])
    scope = {"type": "http", "scheme": "http", "path": path, "raw_path": path.encode(), "server": server}
    scope |= {"client": (client, 1), "headers": [(name.lower().encode(), value.encode()) for name, value in headers]}
    asyncio.run(fronted(scope, None, None))
    return found["engine.base"], proxy.route_path(found), found["client"][0]


FORWARDED = [
    ("Host", "localhost:8001"),
    ("X-Forwarded-Host", "risk.example.org, inner"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-For", "203.0.113.5"),
    ("X-Forwarded-Prefix", "/climate"),
]


@pytest.mark.parametrize(
    ("settings", "asked", "expected"),
    [
        ({}, {"headers": [("Host", "localhost:8001")]}, ("http://localhost:8001", "/api/v1/map", "10.0.0.9")),
        ({}, {"headers": [("Host", "192.0.2.7:99")]}, ("http://192.0.2.7:99", "/api/v1/map", "10.0.0.9")),
        ({}, {"headers": [("Host", "evil.example")]}, ("http://192.0.2.7:8001", "/api/v1/map", "10.0.0.9")),
        ({}, {"headers": [("Host", "localhost@evil.example")]}, ("http://192.0.2.7:8001", "/api/v1/map", "10.0.0.9")),
        ({}, {"headers": FORWARDED}, ("http://localhost:8001", "/api/v1/map", "10.0.0.9")),
        (
            {},
            {"headers": FORWARDED, "client": "127.0.0.1"},
            ("https://risk.example.org/climate", "/api/v1/map", "203.0.113.5"),
        ),
        (
            {"api_trusted_proxies": "10.0.0.0/8"},
            {"headers": FORWARDED, "path": "/climate/api/v1/map"},
            ("https://risk.example.org/climate", "/api/v1/map", "203.0.113.5"),
        ),
        (
            {},
            {"headers": [("Host", "localhost"), ("X-Forwarded-Prefix", "//evil.example")], "client": "127.0.0.1"},
            ("http://localhost", "/api/v1/map", "127.0.0.1"),
        ),
        (
            {"api_public_url": "https://risk.bank.example/physical/"},
            {"headers": [("Host", "evil.example")]},
            ("https://risk.bank.example/physical", "/api/v1/map", "10.0.0.9"),
        ),
        (
            {"api_root_path": "/api/climate"},
            {"headers": [("Host", "localhost")], "path": "/api/climate/api/v1/map"},
            ("http://localhost/api/climate", "/api/v1/map", "10.0.0.9"),
        ),
    ],
)
def test_where_the_service_is_said_to_be_follows_settings_and_trusted_proxies_never_a_foreign_host(
    settings, asked, expected
):
    assert seen(Settings(**settings), **asked) == expected


@pytest.mark.parametrize("path", ["/api", "/api/v1", "/admin"])
def test_a_prefix_that_is_a_path_of_the_service_is_refused(path):
    with pytest.raises(SettingsError, match=f"{path} is a path of the service itself"):
        proxy.require_free(Settings(api_root_path=path), ["/api/v1/map", "/admin/x"])


def test_only_this_machine_reaches_loopback():
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "127.1.2.3")] == [True] * 4
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "", "10.0.0.1", "risk.example")] == [False] * 5
