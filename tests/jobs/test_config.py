"""The effective settings as they are shown, and the example file that is made from them."""

from pathlib import Path

import pytest

from engine.core import settings, settings_shown
from jobs import config

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def shown(capsys):
    lines = (line.split() for line in capsys.readouterr().out.splitlines())
    return {words[0]: words[1:] for words in lines if words}


def test_every_value_is_shown_with_its_source_and_no_secret(monkeypatch, tmp_path, capsys, caplog):
    (tmp_path / ".env").write_text("APP_URL=postgresql://u:hush@h:5/d\nAPI_PORT=9000\nDW_PASWORD=hush\n")
    monkeypatch.setenv("API_PORT", "9001")
    monkeypatch.setenv("DW_PASSWORD", "hush")
    assert config.main([]) == 0
    table = shown(capsys)
    assert table["API_PORT"] == ["9000", ".env"]
    assert table["APP_URL"] == ["********", ".env"]
    assert table["DW_PASSWORD"] == ["********", "environment"]
    assert table["CACHE_CLEAN_HOUR"] == ["3", "default"]
    assert table["results"] == ["and", "jobs:", "u@h:5/d"]
    assert table["climate"] == ["data:", "skala_dw_user@localhost:5433/skala_datawarehouse"]
    assert set(table) >= {name.upper() for name in settings.Settings.model_fields}
    assert "DW_PASWORD in .env is no setting: did you mean DW_PASSWORD?" in caplog.text
    assert "hush" not in caplog.text


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("HAZARD_SCHEDULE_MONTH", "13", "HAZARD_SCHEDULE_MONTH"),
        ("PROBABILITY_SCHEDULE_DAY", "0", "PROBABILITY_SCHEDULE_DAY"),
        ("PROBABILITY_SCHEDULE_HOUR", "24", "PROBABILITY_SCHEDULE_HOUR"),
        ("CACHE_CLEAN_MINUTE", "60", "CACHE_CLEAN_MINUTE"),
        ("SCHEDULE_TIMEZONE", "Asia/Atlantis", "Asia/Atlantis is not a time zone"),
        ("API_KEY", " ", "API_KEY: it is set but empty"),
        ("NOTIFY_DSN", "", "NOTIFY_DSN: it is set but empty"),
        ("NOTIFY_CHANNEL", "", "NOTIFY_CHANNEL: the name of a channel has 1 to 63 bytes"),
        ("API_CORS_ORIGINS", "*", "* is not an origin"),
        ("AAL_LEVEL_CUTS_PCT", "1,0.3,2,3", "AAL_LEVEL_CUTS_PCT: it needs four ascending percentages"),
        ("AAL_LEVEL_CUTS_PCT", "a,b,c,d", "AAL_LEVEL_CUTS_PCT"),
        ("SPATIAL_MISSING_POLICY", "guess", "SPATIAL_MISSING_POLICY"),
        ("BATCH_SIZE", "0", "BATCH_SIZE"),
        ("ASSET_VALUE_CAP_KRW", "-1", "ASSET_VALUE_CAP_KRW"),
    ],
)
def test_a_wrong_value_is_refused_by_name(monkeypatch, caplog, name, value, says):
    monkeypatch.setenv(name, value)
    assert config.main([]) == 2
    assert says in caplog.messages[-1]


def test_a_day_that_some_year_lacks_is_refused(monkeypatch, caplog):
    monkeypatch.setenv("HAZARD_SCHEDULE_MONTH", "2")
    monkeypatch.setenv("HAZARD_SCHEDULE_DAY", "29")
    assert config.main([]) == 2
    assert "HAZARD_SCHEDULE_DAY: month 2 does not have a day 29 every year" in caplog.messages[-1]


def test_lists_are_written_in_one_line(monkeypatch):
    monkeypatch.setenv("AAL_LEVEL_CUTS_PCT", "0.2, 0.5,1,4")
    monkeypatch.setenv("API_CORS_ORIGINS", "https://a.example,http://localhost:5173")
    loaded = settings.load()
    assert loaded.aal_level_cuts_pct == (0.2, 0.5, 1.0, 4.0)
    assert loaded.api_cors_origins == ("https://a.example", "http://localhost:5173")


def test_the_example_file_is_the_one_made_from_the_settings(capsys):
    assert config.main(["--example"]) == 0
    assert capsys.readouterr().out == (ROOT / ".env.example").read_text()


def test_the_example_file_says_the_defaults(tmp_path, monkeypatch):
    defaults = settings.load()
    lines = [
        line.removeprefix("# ") for line in settings_shown.example().splitlines() if line[2:3].isupper() and "=" in line
    ]
    stated = [line for line in lines if not line.endswith("=")]
    (tmp_path / ".env").write_text("\n".join(stated))
    assert settings.load().model_dump() == defaults.model_dump()
    assert {line.partition("=")[0].lower() for line in lines} == set(settings.Settings.model_fields)
