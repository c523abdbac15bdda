"""Saved answers of the water agency's API: what was asked, and what came back.

An answer does not repeat the question, so a saved answer is `{"call": "flw_dtdata", "params": {"obscd": "1018683",
"year": "1991"}, "answer": {...the provider's body, unchanged...}}`. A file holds one, a list of them, or
`{"scope": "synthetic", "answers": [...]}`. Calls and fields: WAMIS Open API, www.wamis.go.kr.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.core.errors import SchemaError
from engine.io.files.reading import json_of

USAGE, GAUGES, GAUGE, FLOW = "wks_wiawtaa_lst", "flw_dubobsif", "wl_obsinfo", "flw_dtdata"
CALLS = (USAGE, GAUGES, GAUGE, FLOW)
#: Korea's regions of water resources, as the water agency numbers them
BASINS = {1: "Han", 2: "Nakdong", 3: "Geum", 4: "Seomjin", 5: "Yeongsan", 6: "Jeju"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One call and the items of its answer."""

    file: str
    call: str
    params: Mapping[str, str]
    items: tuple[Mapping[str, Any], ...]

    def param(self, name: str) -> str:
        """A parameter of the call; refuses an answer saved without it."""
        if not (value := self.params.get(name, "")):
            raise SchemaError(f"{self.file}: an answer of {self.call} was saved without its parameter {name}")
        return value


@dataclass(frozen=True, slots=True)
class Saved:
    """The answers of all files, and the scope they declare; None when they declare none."""

    answers: tuple[Answer, ...]
    scope: str | None

    def of(self, call: str) -> list[Answer]:
        """Answers of one call, in the order of files and of their lists."""
        return [answer for answer in self.answers if answer.call == call]


def items_of(body: Any, where: str) -> tuple[Mapping[str, Any], ...]:
    """Items of a provider's answer: none, a single object, or a list.

    where  : names the answer in a refusal
    raises : SchemaError when the answer reports a failure, which the provider does with HTTP 200
    """
    result = body.get("result") if isinstance(body, dict) else None
    if not isinstance(result, dict) or result.get("code") != "success":
        said = result if result is not None else body
        raise SchemaError(f"{where}: the provider reports no success: {json.dumps(said, ensure_ascii=False)[:200]}")
    items = body.get("list")
    if items is None:
        return ()
    found = [items] if isinstance(items, dict) else items
    if not (isinstance(found, list) and all(isinstance(item, dict) for item in found)):
        raise SchemaError(f"{where}: `list` is neither an object nor a list of objects")
    return tuple(found)


def read(paths: list[Path]) -> Saved:
    """All saved answers.

    raises : SchemaError for a file that is not JSON (an error page, say), an answer without its question, an unknown
             call, an answer that reports a failure, and scopes that differ
    """
    answers: list[Answer] = []
    scopes: dict[str | None, str] = {}
    for path in paths:
        scope, found = _read_file(path)
        scopes.setdefault(scope, path.name)
        answers += found
    if len(scopes) > 1:
        said = ", ".join(f"{name}: {scope or 'none'}" for scope, name in scopes.items())
        raise SchemaError(f"saved answers declare different scopes ({said}); keep them in different directories")
    return Saved(tuple(answers), next(iter(scopes), None))


def _read_file(path: Path) -> tuple[str | None, list[Answer]]:
    document = json_of(path)
    scope, entries = None, document
    if isinstance(document, dict) and "answers" in document:
        scope, entries = document.get("scope"), document["answers"]
        if not isinstance(scope, str | None):
            raise SchemaError(f"{path.name}: scope is {json.dumps(scope)[:40]}, not a word")
    entries = entries if isinstance(entries, list) else [entries]
    # a bare list of gauges with coordinates is what earlier station files look like
    if entries and all(isinstance(entry, dict) and "obscd" in entry and "call" not in entry for entry in entries):
        return scope, [Answer(path.name, GAUGES, {}, tuple(entries))]
    return scope, [_answer(path.name, entry) for entry in entries]


def _answer(file: str, entry: Any) -> Answer:
    if not (isinstance(entry, dict) and isinstance(entry.get("params"), dict) and "answer" in entry):
        raise SchemaError(f'{file}: a saved answer is {{"call": ..., "params": {{...}}, "answer": {{...}}}}')
    call = str(entry.get("call", "")).rsplit("/", 1)[-1]
    if call not in CALLS:
        raise SchemaError(f"{file}: unknown call {entry.get('call')!r}; known are {', '.join(CALLS)}")
    params = {str(key): str(value) for key, value in entry["params"].items()}
    asked = ", ".join(f"{key}={value}" for key, value in params.items())
    return Answer(file, call, params, items_of(entry["answer"], f"{file}, {call}({asked})"))
