"""The first minute: which settings hold, what is refused before anything starts, what a dry run leaves behind."""

import contextlib
import logging
import os
import shlex
import sys
from argparse import Namespace
from importlib import import_module
from pathlib import Path

import psycopg
import pytest

from engine.core import settings, settings_files, settings_shown
from engine.core.address import EXPECTED
from engine.core.errors import SettingsError
from engine.io.db.embedded import EmbeddedServer
from jobs import _home, _look, etl, yearly
from jobs._samples import SAMPLES

SECRET = "hush-4711"


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path, caplog):
    """An empty working directory without settings, where no server starts unless a test lets it."""
    for name in (*settings.Settings.model_fields, "env_file"):
        monkeypatch.delenv(name.upper(), raising=False)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(EmbeddedServer, "__init__", no_server)
    caplog.set_level(logging.INFO)
    return folder


def no_server(*_args):
    raise AssertionError("a server was started")


def run(job, *words):
    try:
        return import_module(f"jobs.{job}").main([*words])
    except SystemExit as ended:
        return ended.code


def left(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_one_file_of_settings_is_taken_here_else_in_engine_home_else_the_named_one(here, monkeypatch, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("ENGINE_HOME", str(home))
    assert settings_files.find() is None
    (home / ".env").write_text("API_PORT=1\nBATCH_SIZE=7\n")
    assert (settings.load().api_port, settings.load().batch_size) == (1, 7)
    (here / ".env").write_text("API_PORT=2\nENGINE_HOME=elsewhere\n")
    assert (settings.load().api_port, settings.load().batch_size) == (2, 1000)  # one file, never two
    monkeypatch.setenv("ENV_FILE", "my.env")
    with pytest.raises(SettingsError, match=r"ENV_FILE names 'my.env', which is no file"):
        settings.load()
    (here / "my.env").write_text("API_PORT=3\n")
    assert settings.load().api_port == 3
    assert settings_shown.origins()["api_port"] == "my.env"
    monkeypatch.setenv("ENV_FILE", os.devnull)
    assert settings.load().api_port == settings.Settings.model_fields["api_port"].default
    monkeypatch.setenv("ENV_FILE", str(home))
    with pytest.raises(SettingsError, match="which is no file"):
        settings.load()


def test_a_folder_of_the_name_env_is_no_file_of_settings(here):
    (here / ".env").mkdir()  # of a virtual environment
    assert settings_files.find() is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("A=1\n\nDW_PASSWORD='hush-4711\n", "line 3: it is not NAME=value"),
        ("postgresql://me:hush-4711@h/d", "line 1: it is not NAME=value"),
        ("A=1\nDW_HOST\n", "line 2: DW_HOST stands there without =value"),
    ],
)
def test_a_line_that_would_be_left_out_without_a_word_is_refused(here, text, says):
    (here / ".env").write_text(text)
    with pytest.raises(SettingsError, match=says) as refused:
        settings.load()
    assert SECRET not in str(refused.value)


def test_a_home_folder_is_found_where_no_shell_has_replaced_it(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ENGINE_HOME", "~/engine")
    assert settings.load().engine_home == tmp_path / "engine"
    monkeypatch.setenv("ENGINE_HOME", "~nobody-of-that-name/engine")
    with pytest.raises(SettingsError, match="ENGINE_HOME begins with ~"):
        settings.load()
    monkeypatch.setenv("ENGINE_HOME", "")
    assert settings.load().engine_home == Path(".engine")


def test_the_first_line_of_a_log_names_the_file_and_the_options_end_with_the_job(here, caplog):
    (here / "my.env").write_text("EMBEDDED=true\n")
    assert run("status", "--env-file", "my.env", "--servers") == 2
    assert caplog.messages[0] == f"settings: {here / 'my.env'}, then the environment"
    assert "--servers or EMBEDDED=false forbids" in caplog.messages[-1]
    assert str(here / "my.env") in caplog.messages[-1]
    assert {"ENV_FILE", "EMBEDDED"}.isdisjoint(os.environ)
    caplog.clear()
    assert run("status") == 2
    assert caplog.messages[0].startswith(f"settings: the environment alone, there is no .env in {here} or ")


@pytest.mark.parametrize(
    "words",
    [
        ["yearly"],
        ["yearly", "--sample", "seoul"],
        ["yearly", "--dry-run"],
        ["probability", "--sink", "out"],
        ["hazard", "--source", "host=h"],
        ["etl", "--data", "."],
        ["etl", "--data", ".", "--dry-run"],
        ["assess", "--lat", "37", "--lon", "127"],
        *([job] for job in ("check", "clean", "listen", "report", "schema", "serve", "status", "work")),
        ["snapshot", "--out", "store"],
        ["trigger", "yearly"],
    ],
    ids=" ".join,
)
def test_servers_alone_means_that_nothing_falls_back_to_the_embedded_one(here, caplog, words):
    assert run(*words, "--servers") == 2
    assert "no servers are configured (DW_*, APP_*), and --servers or EMBEDDED=false forbids" in caplog.messages[-1]
    assert left(here) == []


def test_what_this_machine_forbids_a_shared_file_does_not_allow(here, monkeypatch):
    (here / ".env").write_text("EMBEDDED=true\n")
    assert settings.load().embedded
    monkeypatch.setenv("EMBEDDED", "off")
    assert not settings.load().embedded
    assert settings_shown.origins()["embedded"] == "environment"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--cells", "abc"], "--cells abc: neither a number of cells"),
        (["--cells", "5:5"], "--cells 5:5"),
        (["--cells", "²"], "--cells"),
        (["--resume", "99"], "no run 99 under .engine/runs; there: none"),
        (["--cluster", "foo"], "--cluster foo: neither tcp://HOST:PORT nor local:N"),
        (["--cluster", "tcp://h:99999"], "a port is a number"),
        (["--source", "nothere/"], "'nothere/' is neither a PostgreSQL address nor the directory of a climate store"),
        (["--source", ""], "--source is given, but empty"),
        (["--sink", "nothere/out"], "--sink 'nothere/out': there is no folder"),
        (["--sink", "file"], "--sink 'file' is a file"),
        (["--sink", " "], "--sink is given, but empty"),
        (["--run-dir", "nothere/runs"], "--run-dir 'nothere/runs': there is no folder"),
        (["--run-dir", "nosuch://x"], "nosuch"),
        (["--run-dir", "s3://["], "run directory is a URL that cannot be read"),
        (["--edition", "2025-13"], "did you mean 2025-1"),
        (["--edition", ""], "--edition is empty"),
        (["--risks", "typhon"], "did you mean typhoon"),
        (["--scenarios", ","], "--scenarios"),
    ],
    ids=lambda words: "=".join(words) if isinstance(words, list) else "",
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["", "dry"])
def test_what_can_be_said_without_a_database_is_said_before_anything_starts(here, caplog, words, says, dry):
    (here / "file").touch()
    assert run("yearly", *words, *dry) == 2
    assert says in caplog.messages[-1]
    assert left(here) == ["file"]


@pytest.mark.parametrize("place", [".engine", "link/deep"])
def test_a_link_to_nowhere_is_called_one(here, monkeypatch, caplog, place):
    (here / place.partition("/")[0]).symlink_to("/nothere/at/all")
    monkeypatch.setenv("ENGINE_HOME", place)
    assert run("yearly") == 2
    assert "is a link to /nothere/at/all, which is not there" in caplog.messages[-1]


def test_what_is_wrong_later_with_a_setting_names_its_line_too(here, monkeypatch, caplog):
    (here / "taken").write_text("")
    (here / "my.env").write_text("# ours\nENGINE_HOME=taken/home\nEDITION=2024\n")
    monkeypatch.setenv("ENV_FILE", "my.env")
    assert run("yearly", "--dry-run") == 2
    assert "my.env, line 2: ENGINE_HOME taken/home: " in caplog.messages[-1]
    assert run("yearly", "--dry-run", "--source", "taken", "--sink", "out") == 2
    assert "my.env, line 3: EDITION: unknown edition '2024'" in caplog.messages[-1]


def test_a_sample_is_asked_for_by_the_name_that_messages_give_it(here, capsys, caplog):
    for name, sample in SAMPLES.items():
        assert run("yearly", "--dry-run", "--sample", name, "--sink", "out") == 0
        assert f"a warehouse of the {sample.scope} sample {name}" in capsys.readouterr().out
    assert run("yearly", "--sample", "seul") == 2
    assert f"unknown sample 'seul'; known: {', '.join(SAMPLES)}; did you mean seoul?" in caplog.messages[-1]


@pytest.mark.parametrize("sample", [[], ["--sample", "korea"], ["--sample", "seoul"]])
def test_a_dry_run_on_nothing_says_what_would_be_made_and_makes_nothing(here, capsys, sample, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert run("yearly", "--dry-run", *sample, "--sink", "out") == 0
    said = capsys.readouterr().out
    assert "a run would make an embedded PostgreSQL in .engine" in said
    assert "dry run: nothing was made" in said
    assert left(tmp_path) == ["here"]


def test_a_dry_run_of_a_load_leaves_a_database_without_tables_as_it_is(here, new_database, monkeypatch, caplog):
    class Other(contextlib.nullcontext):
        def __enter__(self):
            return self

        create = staticmethod(lambda _: new_database("warehouse"))

    monkeypatch.setattr(_home, "EmbeddedServer", Other)
    url = new_database("")
    assert etl.main(["dem", "--data", ".", "--dry-run", "--warehouse", url]) == 1  # there is no file
    assert any("would first change the schema" in said for said in caplog.messages)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
    assert left(here) == []


def test_what_is_printed_at_the_end_can_be_typed(here, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin")
    own = shlex.quote(sys.executable)
    plain = Namespace(sink=None, run_dir=None, sample=None)
    assert [*_look.lines(plain, settings.load(), Path(".engine"))] == [
        f"map:    {own} -m jobs.serve",
        "        and http://127.0.0.1:8001/ in a browser",
        f"report: {own} -m jobs.report",
        f"tables: {own} -m jobs.embedded --home .engine",
    ]
    monkeypatch.setattr(sys, "executable", str(here / ".venv/bin/python"))
    monkeypatch.setenv(_look.STARTED_IN, "/elsewhere")
    monkeypatch.setenv("ENGINE_HOME", "my home")
    report = next(line for line in _look.lines(plain, settings.load(), Path("my home")) if line.startswith("report"))
    assert report == f"report: cd {here} && ENGINE_HOME='my home' .venv/bin/python -m jobs.report"
    files = Namespace(sink="my out", run_dir=None, sample=None)
    monkeypatch.setenv("PATH", f"{here}/.venv/bin")
    (here / ".venv/bin").mkdir(parents=True)
    (here / ".venv/bin/python").touch(0o755)
    assert [*_look.lines(files, settings.load(), Path("my home"))] == [
        f"report: cd {here} && ENGINE_HOME='my home' python -m jobs.report --sink 'my out'"
    ]


SPELLINGS = [
    f"postgresql://me:{SECRET}[x@127.0.0.1:1/d",
    f"postgresql://me:{SECRET}\udcff@127.0.0.1:1/d",
    f"postgresql+psycopg://me:{SECRET}@127.0.0.1:1/d",
    f"postgresql://me:{SECRET}/x@127.0.0.1:1/d",
    f"mysql://me:{SECRET}@127.0.0.1:1/d",
    f"me:{SECRET}@127.0.0.1:1/d",
    f"host=127.0.0.1 password='x {SECRET}' pasword=x",
]
PLACES = [
    *("DW_URL", "APP_URL", "NOTIFY_DSN", "DW_HOST", "DW_PORT", "DW_NAME", "DATA_DIR", "API_CORS_ORIGINS", "API_HOST"),
    *("ENGINE_HOME", "ENV_FILE", "EDITION", "EMBEDDED", "SCHEDULE_TIMEZONE", "LOG_FORMAT", "KERNEL_CACHE"),
]
COMMANDS = [["config"], ["yearly", "--dry-run"], ["status"], ["serve"], ["assess", "--lat", "37", "--lon", "127"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("file", [True, False], ids=["file", "environment"])
def test_a_secret_in_any_setting_is_never_said(here, monkeypatch, caplog, capsys, command, file):
    monkeypatch.setattr(EmbeddedServer, "__init__", refuse)
    monkeypatch.setattr("uvicorn.Server.run", lambda _: None)
    every = command == ["config"] and file
    for name in PLACES if every else PLACES[::2]:
        for spelling in SPELLINGS if every else SPELLINGS[:3]:
            with monkeypatch.context() as patch:
                if file:
                    (here / ".env").write_bytes(f"{name}={spelling}\n".encode("utf-8", "surrogateescape"))
                else:
                    patch.setenv(name, spelling)
                run(*command)
            said = caplog.text + "".join(capsys.readouterr())
            assert SECRET not in said, (name, spelling)
            assert "Traceback" not in said, (name, spelling)
            caplog.clear()
    assert SECRET not in EXPECTED


def refuse(*_args):
    raise SettingsError("there is no server in this test")


def test_the_yearly_job_says_first_what_it_runs_on(here, monkeypatch, caplog):
    monkeypatch.setattr(EmbeddedServer, "__init__", refuse)
    assert yearly.main([]) == 2
    first = caplog.records[0]
    assert (first.levelname, "synthetic sample: no servers are configured" in first.message) == ("WARNING", True)
    assert f"there is no .env in {here}" in first.message
    caplog.clear()
    (here / ".engine/postgres").mkdir(parents=True)
    (here / ".engine/postgres/PG_VERSION").touch()  # with data of one's own
    yearly.main([])
    assert "synthetic" not in caplog.records[0].message
