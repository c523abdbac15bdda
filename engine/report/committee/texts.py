"""Texts of the report, a catalogue a language: `texts.en.toml`, `texts.ko.toml`, flat, the same keys in both."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib import resources

from engine.core.language import Language
from engine.core.levels import UNKNOWN

LANGUAGES: tuple[Language, ...] = ("en", "ko")


def catalogue(language: Language) -> dict[str, str]:
    """Key -> text with `{names}` of what is filled in."""
    file = resources.files("engine.report.committee") / f"texts.{language}.toml"
    return tomllib.loads(file.read_text("utf-8"))


class Texts:
    """Texts of one language: `texts("title", name="Loans")`."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._texts = catalogue(language)

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key, filled in. raises : KeyError for an unknown key or a value that is not given"""
        return self._texts[key].format_map(values)

    def risk(self, name: str) -> str:
        """A risk as it is printed by itself."""
        return self(f"risk_{name}")

    def risks(self, names: Sequence[str]) -> str:
        """Risks within a sentence."""
        return self.joined([self.risk(name).lower() for name in names])

    def assets(self, n: int) -> str:
        """`1 asset`, `12 assets`."""
        return self("assets_one") if n == 1 else self("assets_many", n=f"{n:,}")

    def level(self, word: str | None) -> str:
        """A level as it is printed; `unknown` where there is none."""
        return self(f"level_{word or UNKNOWN}")

    def joined(self, parts: Sequence[str]) -> str:
        """Names one after the other."""
        return ", ".join(parts)
