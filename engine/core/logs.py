"""Log lines of every process: text, or one JSON object a line, to standard error; secrets of addresses are masked."""

from __future__ import annotations

import json
import logging
import math
import re
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from engine.core.address import masked

Form = Literal["text", "json"]
_OWN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "verbatim"}
_TEXT_LINE = re.compile(r"\d{4}-\d\d-\d\d(?: \S+)? (DEBUG|INFO|WARNING|ERROR|CRITICAL) (.*)")
#: libraries that log every request, with its address
_NOISY = ("apscheduler", "httpx", "httpcore")

#: what every line of this process says: `job`, `run_id`
_bound: dict[str, object] = {}


class _StandardError(logging.StreamHandler):  # type: ignore[type-arg]
    """Ours, to be found again."""


class TextLines(logging.Formatter):
    """`2027-01-01 02:00:00,000 INFO message`. told: a warning in the language of its reader"""

    def __init__(self, told: Callable[[str], str] | None = None) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        self._told = told

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line without a traceback."""
        if self._told is not None and record.levelno == logging.WARNING:
            record.message = self._told(record.message)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        """The line; of a process that has made its line itself, that one."""
        return masked(record.getMessage() if hasattr(record, "verbatim") else super().format(record))


class JsonLines(logging.Formatter):
    """`{"time", "level", "logger", "message", "job", "run_id", ..., "traceback"}`.

    `job` and `run_id` where they are known; what a call gives as `extra` is added by its name.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One JSON object without line breaks."""
        message = record.getMessage()
        if hasattr(record, "verbatim"):
            told = read_line(message)
            if told.form == "json":
                return message  # masked where it was made
            message = told.message  # its time and level are those of the object
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": masked(message),
            **_bound,
        }
        line |= {name: _plain(value) for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info:
            line["traceback"] = masked(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=lambda value: masked(str(value)))


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # no number of JSON
    return masked(value) if isinstance(value, str) else value


class Line(NamedTuple):
    """Line printed by a process. level: None where it is no line of a log; message: the line without time and level."""

    form: Form
    level: str | None
    message: str


def read_line(text: str) -> Line:
    """A line of another process: of its log, in either form, or anything else that it prints."""
    if text.startswith("{"):
        try:
            told = json.loads(text)
        except ValueError:
            told = {}
        if isinstance(told.get("level"), str) and isinstance(told.get("message"), str):
            return Line("json", told["level"], told["message"])
    if found := _TEXT_LINE.fullmatch(text):
        return Line("text", found[1], found[2])
    return Line("text", None, text)


def start(form: Form = "text", *, job: str | None = None, told: Callable[[str], str] | None = None) -> None:
    """Messages of this process to standard error; called again, it changes their form.

    Where the root logger has a handler already (a notebook, a program around the engine) nothing changes.

    job  : said by every line, in JSON
    told : warnings of text lines in the language of their reader; None: English
    """
    root = logging.getLogger()
    handler = next((each for each in root.handlers if isinstance(each, _StandardError)), None)
    if handler is None:
        if root.handlers:
            return
        handler = _StandardError(sys.stderr)
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        for name in _NOISY:
            logging.getLogger(name).setLevel(logging.WARNING)
    _bound.clear()
    if job is not None:
        bind(job=job)
    handler.setFormatter(JsonLines() if form == "json" else TextLines(told))
    if form == "json":  # what Python itself would write around the log
        logging.captureWarnings(True)
        sys.excepthook = lambda kind, err, trace: root.critical("%s", err, exc_info=(kind, err, trace))
        threading.excepthook = lambda said: root.critical(
            "a thread broke: %s",
            said.exc_value,
            exc_info=(said.exc_type, said.exc_value or said.exc_type(), said.exc_traceback),
        )


def bind(**fields: object) -> None:
    """Every later line of this process says so, in JSON."""
    _bound.update(fields)


def is_json() -> bool:
    """True when standard error holds JSON lines, and nothing else should be written to it."""
    return any(isinstance(each.formatter, JsonLines) for each in logging.getLogger().handlers)
