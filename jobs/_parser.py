"""Arguments of a job and its help: one layout for all, and one sentence for what is refused.

A job's docstring is its help: a sentence of what it does, more of it, then the blocks `examples:`, `exit codes:` and
`settings:`. Indented lines are printed as they are, others are filled to the width of the terminal (COLUMNS).
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, TypeVar

from engine.core.address import masked
from engine.core.errors import SettingsError
from engine.core.names import nearest, shortened, unknown
from jobs import _called, _options, _streams

log = logging.getLogger("jobs")

T = TypeVar("T")
REFUSED = 2
#: headings of a docstring behind the options
BLOCKS = ("examples:", "exit codes:")
#: characters of an argument, and of a text whose addresses are looked for before it is shown
_LONGEST, _LOOKED_AT = 65_536, 2_000
#: characters of a message, and of a word in it
_MESSAGE, _WORD = 3_000, 600


class Parser(argparse.ArgumentParser):
    """Arguments of a job.

    job : its name, `yearly` or `etl derive`
    doc : its docstring
    """

    def __init__(self, job: str, doc: str | None) -> None:
        about, blocks = _parts(_called.as_called(doc or ""))
        super().__init__(
            prog=_called.command(job),
            description=about,
            epilog=blocks,
            formatter_class=_Layout,
            allow_abbrev=False,  # an option that comes later must not make a script ambiguous
        )
        self.name, self.job, self.words = job, job.partition(" ")[0], list[str]()
        self.register("action", None, _Once)
        self.register("action", "store", _Once)
        self.register("action", "store_true", _Flag)
        _options.add(self)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See `argparse`; refuses words that no option can mean."""
        _streams.prepare()
        self.words = list(sys.argv[1:] if args is None else args)
        self.given: set[str] = set()
        for number, word in enumerate(self.words):
            before = self.words[number - 1] if number and self.words[number - 1].startswith("--") else None
            option, equals, value = word.partition("=")
            if word.startswith("--") and equals:
                before, word = option, value
            if fault := _fault(word, self._is_address(before)):
                self._refuse(f"{shortened(before) if before else f'argument {number + 1}'} {fault}")
        return super().parse_known_args(self.words, namespace)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See `argparse`; an unknown option is refused with the one that was meant."""
        parsed, left = self.parse_known_args(args, namespace)
        if not left:
            return parsed
        strange = next((word for word in left if word.startswith("-")), None)
        if strange is None:
            self.error(f"unexpected argument {shortened(left[0])!r}")
        option = strange.partition("=")[0]
        near = nearest(option, [each for each in self._option_string_actions if each.startswith("--")])
        self.error(f"unknown option {shortened(option)}{f'; did you mean {near}?' if near else ''}")

    def once(self, option: str | None) -> None:
        """Refuse an option that was given before."""
        if option in self.given:
            self.error(f"{option} is given twice")
        if option is not None:
            self.given.add(option)

    def _is_address(self, option: str | None) -> bool:
        """True for an option whose value is refused elsewhere, with how to write an address."""
        action = self._option_string_actions.get(option or "")
        return action is not None and "URL" in str(action.metavar)

    def error(self, message: str) -> NoReturn:
        """Refuse; what is refused is shown without the password of an address in it."""
        self._refuse(message.removeprefix("argument "))

    def _refuse(self, message: str) -> NoReturn:
        log.error("%s", _options.told(f"refused: {sentence(message)}; see {self.prog} --help"))
        raise SystemExit(REFUSED)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """See `argparse`; what was printed is written out, whoever reads it."""
        _streams.fault()
        super().exit(status, message)


def sentence(message: str) -> str:
    """A message in one line of a length that can be read, without passwords and control characters."""
    if len(message) > _LOOKED_AT and ("://" in message or "password" in message.lower()):
        message = message.partition("://")[0][:_WORD]  # a cut may leave a piece of a password
    text = " ".join(shortened(word, _WORD) for word in masked(_called.as_called(message)).split())
    return shortened("".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text), _MESSAGE)


def one_of(what: str, known: Iterable[str]) -> Callable[[str], str]:
    """Type of an argument that is one of these names."""
    names = tuple(known)

    def read(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(unknown(what, text, names))
        return text

    return read


def whole(least: int = 1, most: int = 2**31 - 1) -> Callable[[str], int]:
    """Type of an argument that is a whole number in these limits."""

    def read(text: str) -> int:
        digits = text.strip().removeprefix("-")
        if digits.isascii() and digits.isdecimal() and len(digits) < 20 and least <= int(text) <= most:
            return int(text)
        limits = f"from {least} to {most:,}" if most < 2**31 - 1 else f"of {least} or more"
        raise argparse.ArgumentTypeError(f"{shortened(text)!r} is not a whole number {limits}")

    return read


def number() -> Callable[[str], float]:
    """Type of an argument that is a number."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise argparse.ArgumentTypeError(f"{shortened(text)!r} is not a number")
        return value

    return read


def read_as(what: str, kind: Callable[[str], T]) -> Callable[[str], T]:
    """Type of an argument that is of a kind, which refuses others by ValueError."""

    def read(text: str) -> T:
        try:
            return kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{shortened(text)!r} is not {what}") from None

    return read


def read_by(parse: Callable[[str], object], *, every: bool = False) -> Callable[[str], str]:
    """Type of an argument that this function can read; it stays text.

    every : names with commas between them, each read
    """

    def read(text: str) -> str:
        try:
            for word in listed(text) if every else [text]:
                parse(word)
        except SettingsError as err:
            raise argparse.ArgumentTypeError(str(err)) from None
        if every and not listed(text):
            raise argparse.ArgumentTypeError("it names nothing")
        return text

    return read


def listed(text: str | None) -> list[str]:
    """Names with commas between them."""
    return [word.strip() for word in (text or "").split(",") if word.strip()]


class _Once(argparse.Action):
    """An option that is given once: of two values one would be dropped without a word."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: str | None = None) -> None:
        parser.once(option)
        setattr(namespace, self.dest, values)


class _Flag(_Once):
    """A switch."""

    def __init__(self, option_strings: Sequence[str], dest: str, **more: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, default=False, **more)

    def __call__(self, parser: Any, namespace: Any, values: Any, option: str | None = None) -> None:  # noqa: ARG002
        super().__call__(parser, namespace, True, option)


class _Layout(argparse.HelpFormatter):
    """Fills prose, keeps what is indented."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines: list[str] = []
        prose: list[str] = []
        for line in [*text.splitlines(), ""]:
            if line[:1].strip() and line not in BLOCKS:
                prose.append(line)
                continue
            if prose:
                lines += textwrap.wrap(" ".join(prose), max(width, 20), break_long_words=False, break_on_hyphens=False)
                prose.clear()
            lines.append(line)
        return "\n".join(indent + line for line in lines).rstrip()


def _parts(doc: str) -> tuple[str, str]:
    """(what a job does, the blocks behind the options) of a docstring."""
    about, mark, blocks = doc.strip().partition("\nexamples:")
    return about.strip(), f"examples:{blocks}" if mark else ""


def _fault(word: str, address: bool) -> str | None:
    """Fault of a word that no option can mean. address: what is no text is refused elsewhere, with how to write one"""
    if len(word) > _LONGEST:
        return f"is {len(word):,} characters long, at most {_LONGEST:,} are read"
    if address:
        return None
    if not word.strip():
        return "is empty"
    if "\0" in word:
        return "holds a NUL character"
    if any("\ud800" <= sign <= "\udfff" for sign in word):
        return "holds bytes that are not UTF-8"
    return None
