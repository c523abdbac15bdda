"""Errors of the engine, in the few kinds that a caller treats differently."""

import shlex
import shutil
import sys
from importlib.util import find_spec


def needs(extra: str) -> str:
    """The end of a sentence about what an extra of the package brings, with the command for this environment.

    One that uv made has no pip; a `pip` on the path may be another Python's.
    """
    python, package = shlex.quote(sys.executable), f"'climate-risk-engine[{extra}]'"
    if find_spec("pip"):
        command = f"{python} -m pip install {package}"
    elif shutil.which("uv"):
        command = f"uv pip install --python {python} {package}"
    else:
        command = f"{python} -m ensurepip && {python} -m pip install {package}"
    return f'needs the extra "{extra}": {command}'


class EngineError(Exception):
    """Data, database or disk failed: the job ends with exit code 1 and nothing is switched.

    done : reports of what the same work had finished before
    """

    done: tuple[object, ...] = ()


class SettingsError(EngineError):
    """Arguments, settings or an edition are wrong: exit code 2, before any work was done."""


class DefinitionError(SettingsError):
    """A risk declaration or an edition contradicts itself; `key` names the entry at fault."""

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class LimitError(SettingsError):
    """An input is larger than a setting allows: exit code 2, over HTTP 413."""


class SchemaError(EngineError):
    """A table or file does not have the columns, types or rows that its contract promises."""


class SourceError(EngineError):
    """A warehouse or store could not be opened or read."""


class SinkError(EngineError):
    """Results could not be written or switched."""


class BusyError(EngineError):
    """Another run of the same kind is going."""


class ClusterError(EngineError):
    """The scheduler or its workers could not be reached, or were lost."""


class RunInterrupted(KeyboardInterrupt):
    """A batch was stopped by a signal. switching: while its results were loaded; switched: after they were."""

    def __init__(self, run_id: int, *, switching: bool = False, switched: bool = False) -> None:
        super().__init__("interrupted")
        self.run_id, self.switching, self.switched = run_id, switching, switched
