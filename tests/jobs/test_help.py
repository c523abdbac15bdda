"""One voice in all helps, at once: what a job says before it does anything."""

import argparse
import ast
import contextlib
import importlib
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from uuid import UUID

import pytest

import jobs.__main__ as command
from engine.core.settings import Settings
from jobs import _console, _derive, _download, _look, _options, _stores

ROOT = Path(__file__).parents[2]
COMMANDS = {job: importlib.import_module(f"jobs.{job}").parser for job in command.JOBS}
COMMANDS |= {"etl derive": _derive.parser, "etl download": _download.parser, "etl stores": _stores.parser}
#: what takes longer to import than help may take
HEAVY = {"numpy", "numba", "polars", "pyarrow", "scipy", "xarray", "psycopg", "pandas", "pydantic", "rich", "fastapi"}
HEAVY |= {"uvicorn", "matplotlib", "jinja2", "httpx"}


def module_of(name):
    job, _, sub = name.partition(" ")
    return f"_{sub}" if sub else job


def course_of(name):
    """Text of the modules that do what a command says."""
    job, _, sub = name.partition(" ")
    course = ROOT / "jobs/courses" / f"{sub or job}.py"
    batch = [ROOT / "jobs/_run.py"] if job in ("yearly", "probability", "hazard") else []
    return "".join(path.read_text() for path in (ROOT / f"jobs/{module_of(name)}.py", course, *batch) if path.exists())


def printed(name, monkeypatch, columns=80):
    monkeypatch.setenv("COLUMNS", str(columns))
    return COMMANDS[name]().format_help()


def block(text, heading):
    return text.partition(f"\n{heading}:\n")[2].partition("\n\n")[0].splitlines()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_the_same_blocks_and_fits_the_terminal(name, monkeypatch):
    text = printed(name, monkeypatch)
    found = re.findall(r"^(usage|options|examples|exit codes|settings):", text, re.MULTILINE)
    assert found == ["usage", "options", "examples", "exit codes", "settings"]
    assert not [line for line in text.splitlines() if len(line) > 80]
    first = text.partition("\n\n")[2].partition("\n")[0]
    assert len(first) <= 66
    assert first.endswith(".")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained_with_its_default(name):
    for action in COMMANDS[name]()._actions:
        assert action.help, action.option_strings
        if action.option_strings and action.nargs != 0 and not action.required:
            assert name == "assess" or "default" in action.help, action.option_strings


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_commands_that_the_parser_takes(name, monkeypatch):
    for line in block(printed(name, monkeypatch), "examples"):
        words = shlex.split(line.partition(" > ")[0])
        at = words.index("-m")
        job, rest = words[at + 1].removeprefix("jobs."), words[at + 2 :]
        own = f"{job} {rest[0]}" if rest and f"{job} {rest[0]}" in COMMANDS else job
        rest = rest[1:] if own != job else rest
        if rest != ["--help"]:
            COMMANDS[own]().parse_args(rest)


@pytest.mark.parametrize("name", COMMANDS)
def test_exit_codes_are_those_that_the_job_can_give(name, monkeypatch):
    codes = [int(line.split()[0]) for line in block(printed(name, monkeypatch), "exit codes") if line[4:5].strip()]
    assert codes == sorted(set(codes))
    assert {0, 2} <= set(codes) <= {0, 1, 2, 3, 130}
    assert (130 in codes) == (name not in ("serve", "work", "embedded"))  # those end by being stopped
    assert (3 in codes) == ("_console.PARTIAL" in course_of(name))


@pytest.mark.parametrize("name", COMMANDS)
def test_settings_of_a_help_are_settings(name, monkeypatch):
    text = " ".join(printed(name, monkeypatch).partition("\nsettings: ")[2].split()).partition(" (")[0]
    known = [field.upper() for field in Settings.model_fields]
    for word in text.split(", ") if name != "config" else ():
        assert [each for each in known if each == word or (word[-1] == "*" and each.startswith(word[:-1]))], word
    read = {f"{each}".upper() for each in re.findall(r"\bconfig\.([a-z_]+)\b", course_of(name))}
    read &= {"ENGINE_HOME", "DATA_DIR", "KEEP_RUNS", "KEEP_PORTFOLIO_DAYS", "SAMPLE_LIMIT", "BLOCK_CELLS"}
    assert name == "config" or read <= set(text.split(", "))


def test_the_jobs_are_listed_once_and_by_use(capsys):
    public = {path.stem for path in (ROOT / "jobs").glob("*.py") if not path.stem.startswith("_")}
    assert sorted(command.JOBS) == sorted(public)
    assert command.main([]) == 0
    said = capsys.readouterr().out
    assert all(re.search(rf"^  {job} +\S.*\.$", said, re.MULTILINE) for job in public)
    assert max(map(len, said.splitlines())) <= 80


def test_a_job_runs_by_its_name_and_a_misspelt_one_is_asked_about(capsys, caplog):
    with pytest.raises(SystemExit, match="0"):
        command.main(["warm-up", "--help"])
    assert "python -m jobs.warm_up" in capsys.readouterr().out
    assert command.main(["yeraly"]) == 2
    assert caplog.messages[-1].endswith("; did you mean yearly?")
    assert command.main(["\udcff" * 70_000]) == 2
    assert len(caplog.messages[-1]) < 700


@cache
def top(path):
    """Modules that a file imports when it is imported: not in functions, not for types."""
    names = []
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def imported_at_the_top(path, seen):
    """Every module that importing a file imports, of ours followed."""
    for name in set(top(path)) - seen:
        seen.add(name)
        parts = Path(*name.split("."))
        for ours in (ROOT / parts.with_suffix(".py"), ROOT / parts / "__init__.py"):
            if parts.parts[0] in ("engine", "jobs") and ours.exists():
                imported_at_the_top(ours, seen)
    return seen


@pytest.mark.parametrize("name", COMMANDS)
def test_help_waits_for_no_heavy_import(name):
    found = imported_at_the_top(ROOT / f"jobs/{module_of(name)}.py", {f"jobs.{module_of(name)}"})
    assert not {each.partition(".")[0] for each in found} & HEAVY


@pytest.mark.parametrize("words", [["report", "--help"], ["serve", "--nothing"], ["etl", "--variables", "snow"]])
def test_help_and_refusals_import_nothing_heavy_in_a_process_of_their_own(words):
    script = (
        "import sys, jobs.__main__ as command\n"
        f"try:\n    code = command.main({words!r})\nexcept SystemExit as done:\n    code = done.code\n"
        f"print(code, sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == f"{0 if '--help' in words else 2} []"


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--sinkk=x"], "unknown option --sinkk"),
        (["--nothing=x"], "unknown option --nothing"),
        ([""], "argument 1 is empty"),
        (["--out", ""], "--out is empty"),
        (["--out=  "], "--out is empty"),
        (["a\udcffb"], "argument 1 holds bytes that are not UTF-8"),
        (["--gate", "\udcb0"], "--gate holds bytes that are not UTF-8"),
        (["a\0b"], "argument 1 holds a NUL character"),
        (["--cells", "9" * 1_000_000], "--cells is 1,000,000 characters long, at most 65,536 are read"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_words_that_no_option_can_mean_are_refused_in_one_sentence(name, words, says, caplog, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    needed = {"etl derive": ["--daily", "x", "--out", "y"], "etl download": ["wamis"], "trigger": ["yearly"]}
    before = needed.get(name, []) if words[0].startswith("--s") or words[0].startswith("--n") else []
    needs_more = {"snapshot": ["--out", "s"], "ensemble": ["--runs", "1,2"]}
    needs_more["etl stores"] = ["--data", "x", "--out", "y"]
    before = needs_more.get(name, before) if words[0].startswith(("--s", "--n")) else before
    sub = name.split()[1:]
    assert importlib.import_module(f"jobs.{name.split()[0]}").main([*sub, *before, *words]) == 2
    [said] = caplog.messages
    assert said.startswith(f"refused: {says}")
    assert len(said) < 700
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_is_given_once(name, caplog):
    parser = COMMANDS[name]()
    for action in parser._actions:
        if not action.option_strings or action.dest == "help" or isinstance(action.default, list):
            continue
        parser = COMMANDS[name]()
        needed = {"etl derive": [], "etl download": ["wamis"], "trigger": ["yearly"]}.get(name, [])
        words = [action.option_strings[-1], *([] if action.nargs == 0 else [_value(action)])]
        with pytest.raises(SystemExit, match="2"):
            parser.parse_args([*needed, *words, *words])
        _options.release()
        assert "is given twice" in caplog.messages[-1]


def _value(action):
    for value in (
        "1",
        "ta",
        "typhoon",
        "seoul",
        "1991-2020",
        "full",
        "http://h",
        "1168010100",
        "sites",
        "high",
        "en",
        "EUR",
        "csv",
        "point",
        str(UUID(int=1)),
    ):
        with contextlib.suppress(ValueError, argparse.ArgumentTypeError):
            if action.type is None or action.type(value) is not None:
                return value
    raise AssertionError(f"no value for {action.option_strings}")


def test_a_misspelt_option_is_asked_about(caplog):
    assert importlib.import_module("jobs.report").main(["--warehose", "x"]) == 2
    assert "unknown option --warehose; did you mean --warehouse?; see python -m jobs.report --help" in caplog.text


def test_a_secret_in_a_refused_word_is_not_shown(caplog):
    for word in ("--x=postgresql://u:hush@h/d", "postgresql://u:hush@h/d", "x" * 3_000 + "://u:" + "hush" * 900 + "@h"):
        assert importlib.import_module("jobs.clean").main([word]) == 2
    assert "hush" not in caplog.text


def test_the_command_that_resumes_works_where_the_job_was_started(monkeypatch, tmp_path):
    monkeypatch.setattr(_look, "python", lambda: ".venv/bin/python")
    assert _console.resume_line("yearly", 7) == ".venv/bin/python -m jobs.yearly --resume 7"
    monkeypatch.setenv(_look.STARTED_IN, str(tmp_path))
    monkeypatch.chdir((folder := tmp_path / "a b").mkdir() or folder)
    assert _console.resume_line("yearly", 7) == f"cd '{folder}' && .venv/bin/python -m jobs.yearly --resume 7"


def test_the_command_that_resumes_repeats_the_words_of_the_run(monkeypatch):
    monkeypatch.setattr(_look, "python", lambda: "python")
    words = ["--sink", "my results/", "--resume", "3", "--risks=typhoon"]
    assert (
        _console.resume_line("yearly", 7, words)
        == "python -m jobs.yearly --sink 'my results/' --risks=typhoon --resume 7"
    )
    assert _console.resume_line("hazard", 7) == "python -m jobs.hazard --resume 7"
