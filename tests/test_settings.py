import pytest

from engine.core import settings, settings_places, settings_shown
from engine.core.errors import SettingsError


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_nothing_set_means_no_server():
    assert settings.load().warehouse_url is None
    assert settings.load().application_url is None


def test_a_key_in_the_env_file_beats_the_process(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("DW_HOST=from-file\nDW_PASSWORD=p@ss\n")
    monkeypatch.setenv("DW_HOST", "from-process")
    monkeypatch.setenv("DW_NAME", "filled")
    url = settings.load().warehouse_url
    assert url == "postgresql://skala_dw_user:p%40ss@from-file:5433/filled"


def test_a_server_without_a_password_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("APP_HOST", "db")
    with pytest.raises(SettingsError, match="APP_PASSWORD is not set"):
        _ = settings.load().application_url


def test_a_bad_value_is_named(monkeypatch):
    monkeypatch.setenv("PARALLEL_WORKERS", "0")
    with pytest.raises(SettingsError, match="PARALLEL_WORKERS"):
        settings.load()


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("DW_PORT=1\nDW_USER=홍길동\n".encode("cp949"), 2),
        ("DW_USER=me\n".encode("utf-16"), 1),
        ("DW_PORT=1\n".encode("utf-16-le"), 1),
        (b"# a\n\nDW_PASSWORD=hu\xffsh", 3),
    ],
)
def test_an_env_file_that_is_not_utf_8_is_refused_by_its_line_in_every_way_it_is_read(tmp_path, written, line):
    (tmp_path / ".env").write_bytes(written)
    with pytest.raises(SettingsError, match=rf"^\.env, line {line}: it is not UTF-8; save the file as UTF-8$"):
        settings.load()
    for read in (settings_shown.origins, settings_shown.unknown_names):
        with pytest.raises(SettingsError, match=f"line {line}"):
            read()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("API_PORT=eighty", "API_PORT: Input should be a valid integer"),
        ("export Api_Port = '0'", "API_PORT: Input should be greater"),
        ("WEBHOOK_URLS=http://user:hush@h", "WEBHOOK_URLS: address 1 "),
        ("EDITION=postgresql://u:hush@h/d", "EDITION: it holds a password"),
        ("HAZARD_SCHEDULE_DAY=30\nHAZARD_SCHEDULE_MONTH=2", "HAZARD_SCHEDULE_DAY: month 2"),
        ("DW_URL=mysql://u:hush@h/d", "DW_URL begins with mysql://"),
        ("DW_HOST=a b\nDW_PASSWORD=hush", "DW_HOST holds 'a b', which is no host"),
        ("DW_PASSWORD=", "DW_PASSWORD is not set"),
    ],
)
def test_a_wrong_value_of_a_file_is_named_by_file_line_and_setting_without_a_secret(tmp_path, monkeypatch, line, says):
    (tmp_path / ".env").write_text(f"# ours\nAPI_PORT=80\n\n{line}\n")
    monkeypatch.setenv("API_PORT", "1")  # the file wins
    with pytest.raises(SettingsError, match=rf"^\.env, line 4: {says}") as refused:
        _ = settings.load().warehouse_url
    assert "hush" not in str(refused.value)


def test_faults_name_the_place_that_each_came_from(tmp_path, monkeypatch):
    monkeypatch.setattr(settings_places, "SECRETS", tmp_path / "secrets")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "notify_dsn").write_text(" ")
    (tmp_path / ".env").write_text("API_PORT=0\n")
    monkeypatch.setenv("BATCH_SIZE", "0")
    with pytest.raises(SettingsError) as refused:
        settings.load()
    one, two, three = sorted(str(refused.value).split("; "))
    assert one.startswith(".env, line 1: API_PORT: ")
    assert two.startswith(f"{tmp_path / 'secrets' / 'notify_dsn'}: NOTIFY_DSN: it is set but empty")
    assert three.startswith("BATCH_SIZE: ")


def test_the_mark_that_editors_put_before_utf_8_is_no_part_of_the_first_name(tmp_path):
    (tmp_path / ".env").write_text("API_PORT=9000\n", encoding="utf-8-sig")
    assert settings.load().api_port == 9000
    assert settings_shown.origins()["api_port"] == ".env"
    assert settings_shown.unknown_names() == []


def test_a_secret_that_is_not_utf_8_is_refused_by_its_file(monkeypatch, tmp_path):
    monkeypatch.setattr(settings_places, "SECRETS", tmp_path)
    (tmp_path / "app_password").write_bytes(b"hu\xffsh")
    (tmp_path / "certificate.der").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match=r"app_password, line 1: it is not UTF-8") as refused:
        settings.load()
    assert "hu" not in str(refused.value).replace(str(tmp_path), "")


def test_secrets_do_not_print(monkeypatch):
    monkeypatch.setenv("DW_URL", "postgresql://u:hush@h/d")
    assert "hush" not in repr(settings.load())
    assert settings.load().warehouse_url == "postgresql://u:hush@h/d"


@pytest.mark.parametrize("place", ["container", "systemd"])
def test_a_mounted_secret_fills_what_neither_file_nor_process_says(monkeypatch, tmp_path, place):
    mounted = tmp_path / "secrets"
    mounted.mkdir()
    monkeypatch.setattr(settings_places, "SECRETS", mounted if place == "container" else tmp_path / "none")
    if place == "systemd":
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(mounted))
    (mounted / "app_password").write_text("from a file\n")
    (mounted / "api_key").write_text("from a file")
    monkeypatch.setenv("APP_HOST", "db")
    monkeypatch.setenv("API_KEY", "from the process")
    config, origins = settings.load(), settings_shown.origins()
    assert config.application_url == "postgresql://skala_app_user:from%20a%20file@db:5432/skala_application"
    assert config.key("api_key") == "from the process"
    assert (origins["app_password"], origins["api_key"], origins["dw_host"]) == (
        "secret file",
        "environment",
        "default",
    )
