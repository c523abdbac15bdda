"""Addresses of databases: every spelling that libpq takes is built or read right, every other refused by name alone."""

import re
from contextlib import ExitStack

import pytest
from psycopg import conninfo

from engine.core import address, settings
from engine.core.errors import SettingsError
from engine.io import open_sink, open_source
from jobs import _addresses, check, clean, etl, report, schema, snapshot, status, yearly

SECRET = "hush"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def by_parts(monkeypatch, prefix="DW", **parts):
    """Address of the settings."""
    for name, value in {"password": SECRET, **parts}.items():
        monkeypatch.setenv(f"{prefix}_{name.upper()}", value)
    loaded = settings.load()
    return loaded.application_url if prefix == "APP" else loaded.warehouse_url


@pytest.mark.parametrize(
    ("written", "host", "port", "told"),
    [
        ("db.example.org", "db.example.org", "6000", "db.example.org:6000"),
        (" db \t", "db", "6000", "db:6000"),
        ("", "localhost", "6000", "localhost:6000"),
        ("10.0.0.1", "10.0.0.1", "6000", "10.0.0.1:6000"),
        ("db:7000", "db", "7000", "db:7000"),
        ("::1", "::1", "6000", "[::1]:6000"),
        ("[::1]", "::1", "6000", "[::1]:6000"),
        (" [2001:db8::5]:7000 ", "2001:db8::5", "7000", "[2001:db8::5]:7000"),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.1", "6000", "[::ffff:10.0.0.1]:6000"),
        ("fe80::1%eth0", "fe80::1%eth0", "6000", "[fe80::1%eth0]:6000"),
        ("[fe80::1%25eth0]", "fe80::1%eth0", "6000", "[fe80::1%eth0]:6000"),
        ("a,b", "a,b", "6000,6000", "a:6000,b:6000"),
        ("a:1, [::1]:2 ,::2", "a,::1,::2", "1,2,6000", "a:1,[::1]:2,[::2]:6000"),
        ("/var/run/my postgres@16", "/var/run/my postgres@16", "6000", "/var/run/my postgres@16:6000"),
    ],
)
@pytest.mark.parametrize("prefix", ["DW", "APP", "DATABASE"])
def test_a_host_is_built_as_libpq_reads_it(monkeypatch, prefix, written, host, port, told):
    url = by_parts(monkeypatch, prefix, host=written, port="6000", user="me", name="d")
    parts = conninfo.conninfo_to_dict(url)
    assert (parts["host"], parts["port"], parts["password"]) == (host, port, SECRET)
    assert address.describe(url) == f"me@{told}/d"
    assert address.require(url) == url


@pytest.mark.parametrize(
    "written",
    [
        *("a,,b", ",", "[db]", "[10.0.0.1]", "[::1", "::1]", "::g", "fe80::1%", "[::1]:0", "db:65536", "db:x", "a b"),
        *("db/name", "http://db", f"me:{SECRET}@db", f"postgresql://me:{SECRET}@db/d", "*", "@abstract", "db\udcff"),
    ],
)
def test_what_is_no_host_is_refused_by_the_name_of_its_setting(monkeypatch, written):
    with pytest.raises(SettingsError, match="DW_HOST") as refused:
        by_parts(monkeypatch, host=written)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("part", ["user", "password", "name"])
def test_any_character_of_a_part_arrives(monkeypatch, part):
    odd = "a[b]c@d/e:f#g?h%20i&j=k l'm\\n\t비밀"
    parts = conninfo.conninfo_to_dict(by_parts(monkeypatch, **{part: odd}))
    assert parts["dbname" if part == "name" else part] == odd


@pytest.mark.parametrize("part", ["user", "password", "name"])
def test_bytes_that_are_not_utf_8_are_refused_by_the_name_of_their_setting(monkeypatch, part):
    with pytest.raises(SettingsError, match=f"DW_{part.upper()}") as refused:
        by_parts(monkeypatch, **{part: f"{SECRET}\udcff"})
    assert SECRET not in str(refused.value)


READ = [
    ("postgresql://me:hu[sh@h/d", "me@h/d"),
    ("postgres://me:hu%5Bsh@[::1]:5/d?sslmode=require", "me@[::1]:5/d"),
    ("postgresql://me:hush@a:1,b:2/d", "me@a:1,b:2/d"),
    ("postgresql://me:hush@a:1,b/d", "me@a:1,b/d"),
    ("host=a,b port=5 user=me dbname=d", "me@a:5,b:5/d"),
    ("  host=h user=me password='hu sh' dbname=d\n", "me@h/d"),
    ("hostaddr=::1 user=me dbname=d", "me@[::1]/d"),
    ("postgresql://me@/d?host=/tmp/a@b", "me@/tmp/a@b/d"),
]
REFUSED = [
    f"postgresql+psycopg://me:{SECRET}@h/d",
    f"postgresql+asyncpg://me:{SECRET}@h/d",
    f"PostgreSQL://me:{SECRET}@h/d",
    f"mysql://me:{SECRET}@h/d",
    f"http://me:{SECRET}@h/d",
    f"jdbc:postgresql://h/d?user=me&password={SECRET}",
    f"me:{SECRET}@h/d",
    f"postgresql://me:{SECRET}@[::1/d",
    f"postgresql://me:{SECRET}/x@h/d",
    f"postgresql://me:{SECRET}@x@h/d",
    f"postgresql://me:{SECRET}%zz@h/d",
    f"postgresql://me:{SECRET}%ff@h/d",
    f"postgresql://me:{SECRET}\udcff@h/d",
    f"postgresql://me:{SECRET}\x00@h/d",
    f"postgresql://me:{SECRET}@h:99999/d",
    f"host=a,b,c port=1,2 password={SECRET}",
    f"postgresql://me:{SECRET}@h/d?pgbouncer=true",
    f"host=h password={SECRET} dbname=d pasword=x",
    f"host=h password={SECRET} x dbname=d",
]


@pytest.mark.parametrize(("written", "told"), READ)
def test_an_address_that_libpq_reads_is_taken(monkeypatch, written, told):
    monkeypatch.setenv("DW_URL", written)
    url = settings.load().warehouse_url
    assert address.describe(url) == told
    assert address.is_address(written)
    assert url == written.strip()


def through_settings(name):
    def ask(text, monkeypatch):
        # the process's environment cannot hold a NUL, .env can
        monkeypatch.setattr(settings, "load", lambda: settings.Settings(**{name.lower(): text}))
        loaded = settings.load()
        return loaded.notify_url, loaded.warehouse_url, loaded.application_url

    return ask


def through_job(main, *arguments):
    def ask(text, monkeypatch):
        assert main([*arguments, text]) == 2

    return ask


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        *((name, through_settings(name)) for name in ("DW_URL", "APP_URL", "NOTIFY_DSN")),
        ("--sink", through_job(yearly.main, "--sink")),
        ("--source", through_job(yearly.main, "--sink", "out", "--source")),
        ("--sink", through_job(status.main, "--sink")),
        ("--warehouse", through_job(status.main, "--sink", "host=h", "--warehouse")),
        ("--sink", through_job(report.main, "--sink")),
        ("--warehouse", through_job(check.main, "--warehouse")),
        ("--warehouse", through_job(etl.main, "grid", "--data", ".", "--warehouse")),
        ("--warehouse", through_job(schema.main, "--warehouse")),
        ("--application", through_job(schema.main, "--application")),
        ("--sink", through_job(clean.main, "--sink")),
        ("--source", through_job(snapshot.main, "--out", "out", "--source")),
    ],
)
def test_an_unreadable_address_is_refused_by_name_and_never_shown(monkeypatch, caplog, capsys, name, ask):
    for written in REFUSED:
        try:
            ask(written, monkeypatch)
            said = caplog.messages[-1]
        except SettingsError as refused:
            said = str(refused)
        assert name in said, written
        assert "write postgresql://user:password@host:port/database" in said
    printed = capsys.readouterr()
    assert SECRET not in said + caplog.text + printed.out + printed.err
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("written", REFUSED)
def test_an_unreadable_address_never_becomes_a_folder(written, tmp_path):
    for opened in (open_sink, open_source, _addresses.folder_of):
        with pytest.raises(SettingsError) as refused:
            opened(written)
        assert SECRET not in str(refused.value)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("folder", ["out", "run=5", "C:/out", "a@b", "./u:x"])
def test_a_folder_is_no_address(folder):
    assert not address.is_address(folder)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--risks", f"postgresql://me:{SECRET}@h/d"],
        ["--unknown", f"postgresql://me:{SECRET}@h/d"],
        ["--unknown", f"host=h password='x {SECRET}'"],
        ["--scenarios", f"postgresql+psycopg://me:5432{SECRET}@h/d"],
    ],
)
def test_an_address_in_a_wrong_place_is_shown_without_its_password(caplog, capsys, arguments):
    try:
        assert yearly.main(["--source", "host=h", "--sink", "out", *arguments]) == 2
    except SystemExit as ended:
        assert ended.code == 2  # noqa: PT017
    said = caplog.text + capsys.readouterr().err
    assert SECRET not in said
    assert "***" in said or "unknown option --unknown" in said


def test_a_message_without_an_address_is_left_as_it_is():
    said = f"--cluster tcp://h:8786: no scheduler answers; results are in me@h:5432/d, {address.EXPECTED}"
    assert address.masked(said) == said


@pytest.mark.parametrize(
    ("side", "words"),
    [
        ("app_url", "APP_* is set but DW_* is not: set DW_* (climate data server)"),
        ("dw_url", "DW_* is set but APP_* is not: set APP_* (results server)"),
    ],
)
def test_a_side_without_a_server_is_refused_in_the_same_words_by_every_job(side, words):
    config = settings.Settings(**{side: "postgresql://u:p@host/name"})
    with ExitStack() as stack:
        for decide in (
            _addresses.check,
            lambda config: _addresses.addresses(config, stack),
            lambda config: _addresses.made_before(config, stack, "nothing there"),
        ):
            with pytest.raises(SettingsError, match=f"^{re.escape(words)}$"):
                decide(config)
    option = {"app_url": "--source", "dw_url": "--sink"}[side]
    ends = dict.fromkeys(("source", "sink", "sample", "run_dir"))
    with pytest.raises(SettingsError, match=f"^{re.escape(words)} or give {option}$"):
        _addresses.batch_ends(config, **ends)
    assert _addresses.batch_ends(config, **ends | {option.strip("-"): "out"}).fall_back is False
