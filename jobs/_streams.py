"""Standard output and error as jobs use them: any character can be written, and a reader may go away.

What a job prints is not its work: a run whose output goes to `head` ends as it would have, with its own exit code.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO

_NAMES = ("stdout", "stderr")


class _Patient(io.FileIO):
    """A descriptor that goes on after its reader has left; what else cannot be written is remembered, not raised."""

    fault: str | None = None

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            pass
        except OSError as err:
            self.fault = err.strerror or str(err)
        return memoryview(data).nbytes


def prepare() -> None:
    """Put such streams in the place of the interpreter's own, once; a stream that somebody else has set stays his."""
    for number, name in enumerate(_NAMES, 1):
        stream: Any = getattr(sys, name)
        if stream is None:  # started with it closed; the number must not go to a file of ours
            setattr(sys, name, _open(os.open(os.devnull, os.O_WRONLY), "utf-8", lines=False))
        elif stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper):
            stream.flush()
            setattr(sys, name, _open(number, stream.encoding, lines=stream.line_buffering))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def fault() -> str | None:
    """Write what is held back; why standard output could not be written (a full disk), None when it could."""
    for name in _NAMES:
        stream: Any = getattr(sys, name)
        if stream is not None and not stream.closed:
            stream.flush()
    raw: Any = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.fault if isinstance(raw, _Patient) else None


def _open(descriptor: int, encoding: str, *, lines: bool) -> TextIO:
    # a path of another encoding and a Korean name on an ASCII terminal are shown by their codes
    buffer = io.BufferedWriter(_Patient(descriptor, "w", closefd=False))
    return io.TextIOWrapper(buffer, encoding, errors="backslashreplace", line_buffering=lines)
