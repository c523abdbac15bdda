"""Ask the water agency's API, politely, and save its answers for the loader `wamis`.

Interrupted at any point, what was saved stays, and the next run goes on from there: a gauge's year that is over is
asked once. Source of calls and parameters: WAMIS Open API, www.wamis.go.kr; it wants no key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from engine.core.errors import SchemaError
from engine.io.etl.api import Api, ProviderError, save
from engine.io.etl.loaders import wamis_answers
from engine.io.etl.loaders.wamis_answers import FLOW, GAUGE, GAUGES, USAGE
from engine.io.etl.loading import Progress
from engine.io.files.reading import json_of

#: the provider answers on another port, too (https on 8444)
BASE_URL = "http://www.wamis.go.kr:8080/wamis/openapi"
CALLS_PER_SECOND = 2.0
_FOLDERS = {USAGE: "wks", GAUGES: "wkw", GAUGE: "wkw", FLOW: "wkw"}


class WamisClient:
    """The agency's four calls.

    base_url : up to `/openapi`
    sleep    : waits so many seconds; default `time.sleep`
    """

    def __init__(self, base_url: str = BASE_URL, *, sleep: Callable[[float], None] | None = None) -> None:
        self._api = Api(base_url, per_second=CALLS_PER_SECOND, sleep=sleep)

    def __enter__(self) -> Self:
        self._api.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._api.__exit__(kind, value, trace)

    def ask(self, call: str, **params: str) -> dict[str, Any]:
        """One call as it is saved: the question and the provider's body.

        raises : ProviderError for an error status or body, at once; for 429, 5xx and time-outs after six attempts
        """
        asked = f"{call}({', '.join(f'{key}={value}' for key, value in params.items())})"
        body = self._api.json(f"/{_FOLDERS[call]}/{call}", {**params, "output": "json"}, asked)
        try:
            wamis_answers.items_of(body, asked)
        except SchemaError as err:
            raise ProviderError(str(err)) from err
        return {"call": call, "params": params, "answer": body}


def download(
    client: WamisClient, data: Path, basins: Iterable[int], years: range, progress: Progress, *, refresh: bool = False
) -> list[Path]:
    """Save water use, gauges with their details, and daily flow of these years below `water/` of a data directory.

    years   : the last one counts as not over, so it is asked every time; earlier ones once, unless `refresh`
    returns : the files, which `wamis.load` reads
    """
    folder = data / "water"
    folder.mkdir(parents=True, exist_ok=True)
    codes = [str(basin) for basin in basins]
    written = [save(folder / "wamis_water_use.json", [client.ask(USAGE, basin=code) for code in codes])]
    lists = [client.ask(GAUGES, basin=code) for code in codes]
    gauges = [
        item for saved in lists for item in wamis_answers.items_of(saved["answer"], f"gauges of {saved['params']}")
    ]
    path = folder / "wamis_gauges.json"
    details = {} if refresh else {answer["params"]["obscd"]: answer for answer in _saved(path, GAUGE)}
    for number, gauge in enumerate(gauges):
        progress("gauges", number, len(gauges))
        code = str(gauge["obscd"])
        if code not in details:
            details[code] = client.ask(GAUGE, obscd=code)
    written.append(save(path, [*lists, *details.values()]))
    for number, gauge in enumerate(gauges):
        progress("daily flow", number, len(gauges))
        path = folder / f"wamis_flow_{gauge['obscd']}.json"
        if _ask_flow(client, gauge, path, years, refresh):
            written.append(path)
    return written


def _ask_flow(client: WamisClient, gauge: Mapping[str, Any], path: Path, years: range, refresh: bool) -> bool:
    """Save a gauge's years, old and new; the finished ones also when a call fails. False without any."""
    held = {answer["params"]["year"]: answer for answer in _saved(path, FLOW)}
    first, last = (str(gauge.get(name, "")) for name in ("minyear", "maxyear"))
    try:
        for year in years:
            begun = not first.isdecimal() or year >= int(first)
            over = last.isdecimal() and year > int(last)
            finished = str(year) in held and year != years[-1] and not refresh
            if begun and not over and not finished:
                held[str(year)] = client.ask(FLOW, obscd=str(gauge["obscd"]), year=str(year))
    finally:
        if held:
            save(path, [held[year] for year in sorted(held)])
    return bool(held)


def _saved(path: Path, call: str) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    entries = json_of(path)
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and {"call", "params"} <= entry.keys() for entry in entries
    ):
        raise SchemaError(f"{path.name} is no list of saved answers: remove it, it is asked anew")
    return [entry for entry in entries if entry["call"] == call]
