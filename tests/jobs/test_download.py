import json
import logging

import pytest

from jobs import etl
from tests.io.provider_server import running
from tests.io.test_buildings import AREA, item, register

KEYS = {"KMA_API_KEY": "k-one", "DATA_GO_KR_API_KEY": "k-two", "VWORLD_API_KEY": "k-three"}


@pytest.fixture
def keys(monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def test_buildings_are_downloaded_then_their_addresses(tmp_path, keys, caplog):
    caplog.set_level(logging.INFO)
    with running(register([item(n) for n in range(1, 4)])) as service:
        common = ("--data", str(tmp_path), "--base-url", service.url)
        assert etl.main(["download", "buildings", "--areas", AREA, *common]) == 0
        assert etl.main(["download", "addresses", *common]) == 0
    assert len(json.loads((tmp_path / "buildings/addresses.json").read_text())) == 3
    assert "service=buildings files=1" in caplog.text
    assert KEYS["VWORLD_API_KEY"] not in caplog.text


def test_a_service_that_stays_silent_is_partial_and_a_wrong_key_is_failed(tmp_path, keys, monkeypatch):
    waits = []
    monkeypatch.setattr("engine.io.etl.api.time.sleep", waits.append)
    with running(register([])) as service:
        common = ["download", "buildings", "--areas", AREA, "--data", str(tmp_path), "--base-url", service.url]
        service.faults.extend([(503, b"")] * 6)
        assert etl.main(common) == 3
        assert sum(waits) > 1 + 2 + 4 + 8 + 16
        service.faults.append((401, b"no"))
        assert etl.main(common) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["besttrack"], "KMA_API_KEY is not set"),
        (["buildings", "--areas", AREA], "DATA_GO_KR_API_KEY is not set"),
        (["buildings"], "give --areas"),
        (["wamis", "--areas", AREA], "--areas belongs to buildings"),
        (["besttrack", "--years", "many"], "many"),
    ],
)
def test_bad_arguments_and_missing_keys_are_refused_before_anything_is_asked(
    tmp_path, caplog, monkeypatch, words, message
):
    monkeypatch.chdir(tmp_path)
    if "--years" in words:
        monkeypatch.setenv("KMA_API_KEY", "k")
    assert etl.main(["download", *words, "--data", str(tmp_path)]) == 2
    assert message in caplog.text
