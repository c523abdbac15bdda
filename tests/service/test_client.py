"""The example of a client, which calls every route there is, against the running service."""

import re

import pytest

from examples import client as example
from tests.service.conftest import LAND, running


def test_the_example_calls_every_route_and_gets_what_it_should(environment, databases, capsys):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("API_KEY", "open sesame")
        with running() as (url, app):
            place = ["--lat", str(LAND[0]), "--lon", str(LAND[1])]
            assert example.main([url, "--key", "open sesame", *place, "--batches"]) == 0
            paths = app.openapi()["paths"]
    called = set(re.findall(r"^(?:GET|POST) +(\S+) (?:20[02]|409) ", capsys.readouterr().out, re.MULTILINE))
    for path in paths:
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))
        assert any(re.fullmatch(pattern, each) for each in called), path
