"""Arguments of every job, files of settings, editions and OED locations, through `main()` of this process, fast.

There are no servers: every connection is refused, the embedded server does not start, and what would run until it is
stopped returns at once. A fault is a traceback, an exit code that is none of ours, a refusal of more than a sentence,
a file that a refusal or a dry run left, a secret in what was said, an edition that is taken and cannot be stored. A
portfolio without a valid row leaves the list of its faults; one that is read ends at the server that is not there.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from math import isfinite
from pathlib import Path
from unittest import mock

import numpy as np
import psycopg

from benchmarks.fuzz import oed_files, phrases
from benchmarks.fuzz.judge import CRASH, REFUSED, TRACEBACK, Said, Verdict, heard
from benchmarks.fuzz.mutations import mutated
from engine.core import settings
from engine.core.errors import EngineError
from engine.io.db.embedded import EmbeddedServer
from engine.risks import load_edition
from engine.risks.edition_file import invisible

RAN, FAILED = "ran", "failed, told"
DUMP, MADE, SHOWN, TAKEN = "no sentence", "left a file", "secret shown", "wrongly taken"
OUTCOMES, FAULTS = (RAN, FAILED, REFUSED), (TRACEBACK, CRASH, DUMP, MADE, SHOWN, TAKEN)
JOBS = (
    *("yearly", "probability", "hazard", "etl", "assess", "check", "clean", "config", "embedded", "listen", "report"),
    *("export", "schema", "serve", "snapshot", "status", "trigger", "warm_up", "work", "etl derive", "etl download"),
)  # fmt: skip
_BATCHES = ("yearly", "probability", "hazard")
#: seconds of one trial
_PATIENCE = 20
#: characters of a refusal
_LONGEST = 3_200


def judged(kind: str, seed: int, numbers: Sequence[int]) -> Iterator[Verdict]:
    """Verdicts of a kind of input, in a folder of their own."""
    before, home = Path.cwd(), Path(tempfile.mkdtemp(prefix="fuzz-words-"))
    try:
        with _alone(), mock.patch.object(settings, "load", settings.load if kind == "settings" else _remembered()):
            for number in numbers:
                rng = np.random.default_rng([seed, list(KINDS).index(kind), number])
                yield Verdict(kind, number, *_trial(kind, rng, home / "here"))
    finally:
        os.chdir(before)
        shutil.rmtree(home, ignore_errors=True)


def _trial(kind: str, rng: np.random.Generator, here: Path) -> tuple[str, str, str, str]:
    """(command, change, outcome, what was said)."""
    shutil.rmtree(here, ignore_errors=True)
    (here / "folder").mkdir(parents=True)
    (here / "file.txt").write_text("text\n")
    os.chdir(here)
    os.environ.update({"ENGINE_HOME": "home"})
    job, words, hides = KINDS[kind](rng, here)
    before = sorted(here.rglob("*"))
    said = run(job, words)
    made = [str(path) for path in sorted(here.rglob("*")) if path not in before]
    if kind == "oed":
        made = [path for path in made if not path.startswith(str(here / "faults"))]
    outcome = _outcome(kind, said, made, quiet="--dry-run" in words)
    if outcome in OUTCOMES and hides and phrases.SECRET in said.text:
        outcome = SHOWN
    if outcome == RAN and kind == "editions":
        outcome = _taken(here / "own.toml")
    shown = said.text if outcome in FAULTS else _last(said.text)
    return f"jobs.{job}", " ".join(map(ascii, words)), outcome, f"{shown[-1500:]} {made or ''}"


def _outcome(kind: str, said: Said, made: Sequence[str], *, quiet: bool) -> str:
    if said.code is None:
        return CRASH
    if "Traceback" in said.text or "failed unexpectedly" in said.text or said.code not in (0, 1, 2, 3):
        return TRACEBACK
    if made and (said.code == 2 or quiet):
        return MADE
    if said.code == 0:
        return RAN
    last = _last(said.text)
    whole = "refused: " in last or "error: " in last or "failed: " in last
    told = whole and len(last) <= _LONGEST and (kind != "editions" or said.code != 2 or "line " in last)
    return (REFUSED if said.code == 2 else FAILED) if told or said.code == 3 else DUMP


def _last(text: str) -> str:
    """The refusal: the last line that is logged, which must hold the whole of it."""
    return (text.strip().splitlines() or [""])[-1]


def _taken(path: Path) -> str:
    """An edition that is accepted has a name and figures that can be stored."""
    edition = load_edition(path)
    figures = [
        number for bins in edition.bins.values() for number in (*bins.edges, *bins.damage_rates, bins.lower or 0.0)
    ]
    sound = all(map(isfinite, figures)) and not invisible(edition.name) and edition.name.strip() == edition.name
    return RAN if sound and json.dumps(edition.checksums) else TAKEN


def run(job: str, words: list[str]) -> Said:
    """A command as it is typed. code: None after too long a time."""
    name, _, part = job.partition(" ")
    main = import_module(f"jobs.{name}").main
    with heard() as out:
        signal.alarm(_PATIENCE)
        try:
            code = main([part, *words] if part else words)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else -1
        except _TooLong:
            code = None
        except BaseException as err:  # noqa: BLE001 (whatever a user would see as a traceback)
            return Said(1, f"{out.getvalue()}Traceback: {type(err).__name__}: {err}")
        finally:
            signal.alarm(0)
    return Said(code, out.getvalue())


class _TooLong(BaseException):
    pass


def _too_long(*_: object) -> None:
    raise _TooLong


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Without servers, network, kernels, and the settings of this machine."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM)}
    names = [name for name in os.environ if name.lower() in settings.Settings.model_fields or name == "ENV_FILE"]
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ))
        for name in names:
            del os.environ[name]
        refused = psycopg.OperationalError("there is no server in a trial")
        for target, name, instead in (
            (psycopg.Connection, "connect", mock.Mock(side_effect=refused)),
            (psycopg, "connect", mock.Mock(side_effect=refused)),
            (EmbeddedServer, "__init__", mock.Mock(side_effect=EngineError("there is no server in a trial"))),
            (socket, "getaddrinfo", mock.Mock(side_effect=socket.gaierror("there is no network in a trial"))),
            (socket.socket, "connect", mock.Mock(side_effect=OSError("there is no network in a trial"))),
            (import_module("time"), "sleep", lambda _: None),
            (import_module("engine.kernels"), "warm_up", lambda *_: True),
            (import_module("uvicorn").Server, "run", lambda _: None),
            (import_module("engine.service.listener").Listener, "run", lambda _: None),
            (import_module("engine.service.worker").Worker, "run", lambda _: None),
        ):
            stack.enter_context(mock.patch.object(target, name, instead))
        signal.signal(signal.SIGALRM, _too_long)
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)


def _remembered() -> Callable[[], settings.Settings]:
    """`settings.load` that reads the same environment once: it takes most of the time of a trial."""
    load = settings.load
    by_permission = cache(lambda _: load())

    def remembered() -> settings.Settings:
        return load() if "ENV_FILE" in os.environ else by_permission(os.environ.get("EMBEDDED"))

    return remembered


@cache
def options_of(job: str) -> tuple[str, ...]:
    """The options that a job's help names."""
    return tuple(sorted({*re.findall(r"--[a-z][a-z-]+", run(job, ["--help"]).text)} - {"--help"}))


def _arguments(rng: np.random.Generator, _here: Path) -> tuple[str, list[str], bool]:
    job = phrases.pick(rng, JOBS)
    words = phrases.arguments(options_of(job), rng)
    if job == "trigger" and rng.random() < 0.7:
        words.append("yearly")
    return job, [*words, *(["--dry-run"] if job in _BATCHES and rng.random() < 0.9 else [])], True


def _settings(rng: np.random.Generator, here: Path) -> tuple[str, list[str], bool]:
    raw, hides = phrases.settings(rng)
    file, words = phrases.pick(rng, (".env", ".env", "home/.env", "my.env")), list[str]()
    (here / file).parent.mkdir(exist_ok=True)
    (here / file).write_bytes(raw)
    if file == "my.env":
        words = ["--env-file", file]
    job = phrases.pick(rng, ("config", "config", "config", "yearly", "status", "serve", "listen", "assess", "trigger"))
    more = {"yearly": ["--dry-run"], "assess": ["--lat", "37.5", "--lon", "127"], "trigger": ["hazard"]}
    return job, [*words, *more.get(job, [])], hides


def _editions(rng: np.random.Generator, here: Path) -> tuple[str, list[str], bool]:
    (here / "own.toml").write_bytes(phrases.edition(rng))
    return phrases.pick(rng, _BATCHES), ["--edition", "own.toml", "--dry-run"], True


def _oed(rng: np.random.Generator, here: Path) -> tuple[str, list[str], bool]:
    """A location file that is damaged, or a table of rates."""
    name = phrases.pick(rng, tuple(oed_files.TEXTS))
    locations, rates = oed_files.TEXTS[name].encode(), oed_files.RATES.encode()
    if rng.random() < 0.15:
        rates = mutated(rates, "rates.csv", rng)[0]
    else:
        locations = mutated(locations, "locations.csv", rng)[0]
    (here / "locations.csv").write_bytes(locations)
    (here / "rates.csv").write_bytes(rates)
    return "assess", ["--sites", "locations.csv", "--out", "faults", "--rates", "rates.csv"], False


#: kind -> makes the files of a trial and says (job, words, whether a secret in what is said is a fault)
KINDS: dict[str, Callable[[np.random.Generator, Path], tuple[str, list[str], bool]]] = {
    "arguments": _arguments,
    "settings": _settings,
    "editions": _editions,
    "oed": _oed,
}
