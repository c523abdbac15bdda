"""Made-up buildings of the sample, as saved answers of the building register and a layer of their lots.

None of them exists: numbers begin with SYNTHETIC, lots lie in a legal dong that there is not, every address says it.
"""

from __future__ import annotations

import json
from bisect import bisect
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from engine.io.etl import regions
from engine.io.etl.loaders.register_answers import TITLES
from engine.sample import fields, land, outlines

#: a legal dong that no municipality has
DONG = "99999"
ASKED_AT = "2026-01-01T00:00:00+00:00"
#: of the built-up pixels in the middle of a city, this share has a building
SHARE = 0.6
_WHETHER, _NORTH, _EAST = range(201, 204)
_STREAMS = {"use": 204, "size": 205, "age": 206, "frame": 207}
#: use, its code, floors at most, share
_USES = (
    ("공동주택", "02000", 25, 0.34),
    ("단독주택", "01000", 3, 0.24),
    ("제1종근린생활시설", "03000", 5, 0.18),
    ("업무시설", "14000", 20, 0.12),
    ("공장", "17000", 3, 0.08),
    ("교육연구시설", "10000", 5, 0.04),
)
_UP_TO = tuple(accumulate(share for *_, share in _USES[:-1]))
_LOW = (("벽돌구조", "11"), ("철근콘크리트구조", "21"), ("일반목구조", "51"))
_HIGH = (("철근콘크리트구조", "21"), ("철골철근콘크리트구조", "42"))
_SEISMIC_SINCE, _SEISMIC_FLOORS = 1988, 6
_PAGE = 100


def write(folder: Path, made: land.Pixels) -> int:
    """`synthetic_register.json` and `lots_synthetic.geojson`; returns the number of buildings.

    made : land cover; a building stands in a built-up pixel with probability 0.6 x townness^4
    """
    latitude, longitude, number = made.where(land.URBAN)
    town = land.townness(latitude, longitude)
    found = outlines.municipalities()
    kept = np.flatnonzero(fields.draw(number, _WHETHER) < SHARE * town**4)
    latitude, longitude = (
        degrees[kept] + (fields.draw(number[kept], stream) - 0.5) / land.PIXELS
        for degrees, stream in ((latitude, _NORTH), (longitude, _EAST))
    )
    owner = found.holding(latitude, longitude)
    inside = owner >= 0
    draws = {name: fields.draw(number[kept][inside], stream).tolist() for name, stream in _STREAMS.items()}
    areas: dict[str, list[dict[str, Any]]] = defaultdict(list)
    lots = []
    for at, (where, density) in enumerate(zip(owner[inside].tolist(), town[kept][inside].tolist(), strict=True)):
        code = regions.legal_code(found.codes[where]) or found.codes[where]
        place = len(areas[code]) + 1
        name = f"{regions.provinces()[code[:2]]} {found.names[where]}"
        areas[code].append(_building(code, name, place, density, **{name: draws[name][at] for name in draws}))
        lots.append(f"{code}{DONG}1{place:04d}0000")
    folder.mkdir(parents=True, exist_ok=True)
    answers = [_answer(code, items, page) for code, items in sorted(areas.items()) for page in range(_pages(items))]
    (folder / "synthetic_register.json").write_text(json.dumps(answers, ensure_ascii=False), "utf-8")
    features = ",\n".join(
        f'{{"type":"Feature","properties":{{"pnu":"{pnu}"}},"geometry":{{"type":"Point","coordinates":[{x:.6f},{y:.6f}]}}}}'
        for pnu, x, y in zip(lots, longitude[inside].tolist(), latitude[inside].tolist(), strict=True)
    )
    (folder / "lots_synthetic.geojson").write_text(
        f'{{"type":"FeatureCollection","name":"synthetic lots","features":[\n{features}\n]}}\n', "utf-8"
    )
    return len(lots)


def _building(
    code: str, name: str, place: int, town: float, *, use: float, size: float, age: float, frame: float
) -> dict[str, Any]:
    """An item in the words of the register; `place` in the municipality, draws of 0..1."""
    purpose, purpose_code, most, _ = _USES[bisect(_UP_TO, use)]
    floors = 1 + int(most * town * size**1.5)
    footprint = round(90 + 900 * size**2)
    frames = _HIGH if floors >= _SEISMIC_FLOORS else _LOW
    structure, structure_code = frames[int(frame * len(frames))]
    year = 1968 + int(56 * age**0.7)
    seismic = year >= _SEISMIC_SINCE and floors >= _SEISMIC_FLOORS
    return {
        "mgmBldrgstPk": f"SYNTHETIC-{code}-{place:04d}",
        "sigunguCd": code,
        "bjdongCd": DONG,
        "platGbCd": "0",
        "bun": f"{place:04d}",
        "ji": "0000",
        "platPlc": f"{name} 합성 견본 {place} (synthetic, no building)",
        "strctCd": structure_code,
        "strctCdNm": structure,
        "mainPurpsCd": purpose_code,
        "mainPurpsCdNm": purpose,
        "grndFlrCnt": floors,
        "ugrndFlrCnt": 1 + int(3 * frame) if floors >= _SEISMIC_FLOORS else int(frame > 0.7),
        "archArea": footprint,
        "totArea": footprint * floors,
        "platArea": 2 * footprint,
        "heit": round(3.3 * floors, 1),
        "useAprDay": f"{year}{1 + int(12 * frame):02d}15",
        "rserthqkDsgnApplyYn": "Y" if seismic else "N",
    }


def _pages(items: Sequence[Any]) -> int:
    return -(-len(items) // _PAGE)


def _answer(code: str, items: Sequence[Any], page: int) -> dict[str, Any]:
    params = {"sigunguCd": code, "bjdongCd": DONG, "pageNo": page + 1, "numOfRows": _PAGE}
    body = {"items": {"item": items[page * _PAGE : (page + 1) * _PAGE]}, "totalCount": len(items)}
    header = {"resultCode": "00", "resultMsg": "SYNTHETIC"}
    response = {"header": header, "body": body}
    return {"call": TITLES, "params": params, "asked_at": ASKED_AT, "answer": {"response": response}}
