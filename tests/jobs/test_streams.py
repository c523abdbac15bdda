"""Where the output goes: a reader that leaves, a full disk, a closed or an ASCII terminal, a narrow one."""

import os
import signal
import subprocess
import sys

import pytest

from engine.batch import execute
from jobs import _console, _look, yearly

#: prints what cannot be encoded everywhere, more than a pipe holds, and ends as a run that lacked an input would
TALKS = """
import sys
from jobs import _console

def work():
    out = _console.console()
    out.print("서울 – \\udcff")
    for _ in range(int(sys.argv[1])):
        out.print("x" * 99)
    print("서울 –", file=sys.stderr)
    return _console.PARTIAL if len(sys.argv) > 2 else _console.COMPLETE

sys.exit(_console.exit_code(work, opening=lambda: None))
"""


def shell(script, **environment):
    command = f'PYTHON="{sys.executable}"; {script}'
    env = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS")} | environment
    return subprocess.run(["bash", "-c", command], env=env, capture_output=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def talks(tmp_path_factory):
    path = tmp_path_factory.mktemp("talks") / "talks.py"
    path.write_text(TALKS)
    return path


def test_a_reader_that_leaves_ends_nothing_and_changes_no_exit_code(talks):
    done = shell(f'"$PYTHON" {talks} 9000 partial | head -1; echo "${{PIPESTATUS[0]}}"', PYTHONPATH=".")
    first, code = done.stdout.decode().splitlines()
    assert (first, code) == ("서울 – \\udcff", "3")
    assert done.stderr.decode() == "서울 –\n"


def test_help_and_the_list_end_quietly_when_their_reader_has_left():
    done = shell('"$PYTHON" -m jobs yearly --help | true; "$PYTHON" -m jobs | true; echo "${PIPESTATUS[0]}"')
    assert (done.stdout, done.stderr) == (b"0\n", b"")


def test_closed_streams_are_no_fault(talks):
    done = shell(f'"$PYTHON" {talks} 1 >&- 2>&-; echo $?', PYTHONPATH=".")
    assert (done.stdout, done.stderr) == (b"0\n", b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")  # noqa: PTH110
def test_output_that_cannot_be_written_is_a_failure_in_one_sentence(talks):
    done = shell(f'"$PYTHON" {talks} 9 > /dev/full; echo $?', PYTHONPATH=".")
    assert done.stdout == b"1\n"
    assert (
        done.stderr.decode()
        .splitlines()[-1]
        .endswith(" ERROR failed: standard output could not be written: No space left on device")
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_the_terminal_cannot_show_is_written_by_its_code(talks, encoding):
    done = shell(f'"$PYTHON" {talks} 0', PYTHONPATH=".", PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert (done.returncode, done.stdout) == (0, b"\\uc11c\\uc6b8 \\u2013 \\udcff\n")
    assert done.stderr == b"\\uc11c\\uc6b8 \\u2013\n"


@pytest.mark.parametrize(("columns", "width"), [("60", 60), ("", 150), ("0", 40), ("many", 150), ("99999", 150)])
def test_columns_are_honoured_and_nonsense_is_not(monkeypatch, columns, width):
    monkeypatch.setenv("COLUMNS", columns)
    assert _console.console().width == width


def test_there_are_no_colours_where_nobody_asked_for_them(monkeypatch, capsys):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    _console.console().print("[bold red]12[/] of 13")
    assert capsys.readouterr().out == "12 of 13\n"


@pytest.mark.parametrize(
    ("number", "stage", "says"),
    [
        (signal.SIGTERM, {}, "nothing was switched; go on with run 12: python -m jobs.yearly --cells 1 --resume 12"),
        (
            signal.SIGINT,
            {"switching": True},
            "run 12 was just being published, whole or not at all: python -m jobs.status tells; if it is not, go on"
            " with: python -m jobs.yearly --cells 1 --resume 12",
        ),
        (signal.SIGINT, {"switching": True, "switched": True}, "run 12 is published"),
        (signal.SIGINT, {"run_id": None}, "nothing was switched"),
    ],
)
def test_a_run_that_is_stopped_names_itself_and_the_command_that_goes_on(number, stage, says, caplog, monkeypatch):
    monkeypatch.setattr(_look, "python", lambda: "python")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background process ignores it

    def course(_args):
        with execute.interruptible() as at:
            for name, value in ({"run_id": 12} | stage).items():
                setattr(at, name, value)
            signal.raise_signal(number)
        raise AssertionError("not stopped")

    assert _console.main(yearly.parser(), ["--cells", "1", "--resume", "12"], course) == 130
    assert caplog.messages == [f"interrupted: {says}"]


def test_to_be_stopped_is_the_regular_end_of_what_runs_until_then(caplog):
    def work():
        signal.raise_signal(signal.SIGTERM)
        return _console.FAILED

    assert _console.exit_code(work, stopped="") == _console.COMPLETE
    assert not caplog.messages
