"""`jobs.assess --what-if`: a measure from a file, its what-if, and the files of one of a portfolio."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.assess.job import difference_output, what_if
from engine.assess.job.assessor import Assessor
from engine.assess.job.what_if import WhatIf
from engine.assess.rules.measures import Measure, measure_of
from engine.core.errors import SettingsError, SinkError
from jobs import _options


def read(path: Path) -> Measure:
    """The measure of a TOML file.

    raises : SettingsError, naming the file
    """
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except OSError as err:
        raise SettingsError(f"{path} cannot be read: {err.strerror}") from None
    except (ValueError, RecursionError) as err:
        raise SettingsError(f"{path} is no TOML: {err}") from None
    try:
        return measure_of(told)
    except SettingsError as err:
        raise SettingsError(f"{path}: {err}") from None


def compute(assessor: Assessor, request: Mapping[str, Any], measure: Measure) -> WhatIf:
    """The what-if of the sites of a job. request: its parameters"""
    if "sites" in request:
        return what_if.compute(assessor, what_if.of_file(assessor, request), measure)
    return what_if.compute(assessor, what_if.of_request(assessor, request), measure)


def write(folder: Path, found: WhatIf) -> list[str]:
    """Write what_if.xlsx, what_if.csv and what_if.json beside the results; returns their names.

    raises : SinkError
    """
    text = json.dumps(found.told, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    parts = {name: folder / f".{name}.part" for name in ("what_if.xlsx", "what_if.csv", "what_if.json")}
    try:
        difference_output.what_if_workbook(parts["what_if.xlsx"], found.told, found.sites, _options.language())
        parts["what_if.csv"].write_bytes(difference_output.what_if_csv(found.told, found.sites))
        parts["what_if.json"].write_text(text, "utf-8")
        for name, part in parts.items():
            part.replace(folder / name)
    except OSError as err:
        raise SinkError(f"{folder} cannot be written: {err}") from err
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    return list(parts)
