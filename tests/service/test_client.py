"""What there is to copy from, against the running service: the example of a client, the calls of docs/service.md."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from examples import client as example
from tests.service.conftest import LAND, running

PAGE = Path(__file__).parents[2] / "docs" / "service.md"
KEY = "open sesame"


@pytest.fixture(scope="module")
def guarded(environment, databases):
    """(base URL, application) of a service with a key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("API_KEY", KEY)
        with running() as found:
            yield found


def routes(app):
    """(METHOD, pattern of the path) of everything in the OpenAPI document."""
    return {
        (method.upper(), re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)))
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }


def missed(app, called):
    return [each for each in routes(app) if not any(m == each[0] and re.fullmatch(each[1], path) for m, path in called)]


def test_the_example_calls_every_route_and_gets_what_it_should(guarded, capsys):
    url, app = guarded
    place = ["--lat", str(LAND[0]), "--lon", str(LAND[1])]
    assert example.main([url, "--key", KEY, *place, "--batches"]) == 0
    called = re.findall(r"^(GET|POST) +(\S+) (?:20[02]|409) ", capsys.readouterr().out, re.MULTILINE)
    assert missed(app, called) == []


def calls():
    """The calls of the page's table, in order."""
    return re.findall(r"^\|[^|]*\| `(curl .*)` \|$", PAGE.read_text("utf-8"), re.MULTILINE)


def run(call, url, folder, names):
    """(method, path, status, body) of a call as it stands on the page, run by a shell."""
    call = call.replace("http://localhost:8001", url).replace("37.5665", str(LAND[0])).replace("126.978", str(LAND[1]))
    more = ' -s -o .answer -H "X-API-Key: $API_KEY" -w "%{method} %{url_effective} %{http_code}"'
    call = re.sub(r" -o \S+", "", call).replace("curl", "curl" + more, 1)
    said = subprocess.run(["bash", "-c", call], cwd=folder, env=os.environ | names, capture_output=True, check=True)
    method, where, status = said.stdout.decode().split()
    return method, httpx.URL(where).path, int(status), (folder / ".answer").read_bytes()


@pytest.mark.skipif(shutil.which("curl") is None, reason="the calls are of curl")
def test_every_call_of_the_page_does_what_it_says_and_every_route_has_one(guarded, tmp_path):
    url, app = guarded
    (tmp_path / "sites.csv").write_text(f"latitude,longitude\n{LAND[0]},{LAND[1]}\n")
    names, called = {"API_KEY": KEY}, []
    for call in calls():
        method, path, status, body = run(call, url, tmp_path, names)
        made = example.json.loads(body) if status == 202 and b"request_id" in body else {}
        if path.endswith("/calculate") and made:
            names |= {"ID": made["request_id"], "FAILED": made["request_id"]}
        elif made:
            names["PORTFOLIO"] = made["request_id"]
            wait_for(url, made["request_id"])
        if path.endswith("/status") or "/status/" in path:
            wait_for(url, names["ID"])
        expected = {409} if path.endswith("/retry") else {200, 202}
        assert status in expected, (call, status, body[:300])
        called.append((method.replace("HEAD", "GET"), path))
    assert missed(app, called) == []


def wait_for(url, request_id):
    state = {"status": "queued"}
    while state["status"] in ("queued", "running"):
        state = httpx.get(f"{url}/api/v1/risk-assessment/status/{request_id}", headers={"X-API-Key": KEY}).json()
    assert state["status"] == "completed"
