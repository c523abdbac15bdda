"""Draws docs/erd.svg, tables and what refers to what, from the catalogues of two databases that it makes and drops.

    python docs/erd.py

A box shows the key of a table and the columns that refer to others; the rest is in data-dictionary.md.
"""

from __future__ import annotations

import html
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg

from engine.io.db import migrate
from engine.io.db.embedded import EmbeddedServer

SVG = Path(__file__).with_name("erd.svg")
#: (column, row) of each box; a table that is not named here is drawn below the others, in the first column
PLACES = {
    "warehouse": [
        ["grid_definition", "scenario", "etl_load", "api_typhoon_besttrack", "api_buildings"],
        ["VARIABLE_data", "location_grid", "grid_attributes", "map_feature"],
        ["location_admin", "sea_level_grid", "sea_level_data", "water_stress_rankings"],
        ["water_basin", "water_basin_province", "api_wamis_water_usage", "api_wamis_stations", "api_wamis_flow"],
    ],
    "results": [
        ["probability_results", "modelops_probability_scores", "site_assets", "modelops_vulnerability_cache"],
        ["hazard_results", "modelops_hazard_scores", "exposure_results", "modelops_aal_cache"],
        ["result_runs", "risk_types", "vulnerability_results", "aal_scaled_results"],
        ["batch_jobs", "batch_job_logs", "modelops_year_losses", "result_sample_years", "modelops_ensemble_scores"],
    ],
}
#: what refers without a declared key: partitions that are swapped, tables that are reloaded, another database
BY_MEANING = {
    "warehouse": [
        ("VARIABLE_data", "grid_id", "location_grid"),
        ("location_grid", "basin_code", "water_basin"),
        ("water_basin", "outlet_obs_code", "api_wamis_stations"),
        ("api_wamis_water_usage", "basin_code", "water_basin"),
        ("api_wamis_stations", "basin_code", "water_basin"),
    ],
    "results": [
        ("probability_results", "run_id", "result_runs"),
        ("hazard_results", "run_id", "result_runs"),
        ("probability_results", "risk_type", "risk_types"),
        ("hazard_results", "risk_type", "risk_types"),
        ("modelops_probability_scores", "risk_type", "risk_types"),
        ("modelops_hazard_scores", "risk_type", "risk_types"),
        ("modelops_year_losses", "run_id", "result_runs"),
        ("modelops_year_losses", "risk_type", "risk_types"),
        ("modelops_ensemble_scores", "risk_type", "risk_types"),
        ("exposure_results", "site_id", "site_assets"),
        ("vulnerability_results", "site_id", "site_assets"),
        ("aal_scaled_results", "site_id", "site_assets"),
    ],
}
_TABLES = """
SELECT c.relname, coalesce((SELECT array_agg(a.attname ORDER BY k.place) FROM pg_index i,
         unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place), pg_attribute a
        WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid AND a.attnum = k.number), '{}')
  FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND c.relname NOT IN ('schema_migration', 'spatial_ref_sys') ORDER BY 1
"""
_KEYS = """
SELECT c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text
  FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
 WHERE c.contype = 'f' AND c.conparentid = 0 ORDER BY 1, 2
"""
_WIDTH, _GAP, _LINE, _STEP, _TOP = 218, 50, 16, 16, 34
_INK = 'fill="none" stroke="#5b6770" stroke-width="1.3" marker-end="url(#a)"'


@dataclass(frozen=True, slots=True)
class Schema:
    """tables : name -> columns of its primary key; keys : (table, column, table referred to), those declared."""

    tables: Mapping[str, Sequence[str]]
    keys: Sequence[tuple[str, str, str]]


def read(connection: psycopg.Connection) -> Schema:
    """Climate tables, which the grid loader makes, are left out: they stand as VARIABLE_data."""
    tables = {name: columns for name, columns in connection.execute(_TABLES).fetchall() if not _is_climate(name)}
    return Schema(tables, connection.execute(_KEYS).fetchall())


def _is_climate(name: str) -> bool:
    return name.endswith("_data") and name != "sea_level_data"


def draw(schemas: Mapping[str, Schema]) -> str:
    """The picture of `warehouse` and `results`, side by side from top to bottom."""
    parts, top = [], 0
    for title, schema in schemas.items():
        drawn, height = _half(title, schema, top)
        parts += drawn
        top += height
    width = 4 * (_WIDTH + _GAP) + 40
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" role="img" aria-labelledby="t d" '
            'font-family="system-ui, Noto Sans, sans-serif" font-size="12" fill="#1d2a33">',
            '<title id="t">Tables and keys</title><desc id="d">Tables of warehouse and results with their keys; '
            "solid arrows are foreign keys, dashed ones are references that no constraint declares.</desc>",
            '<defs><marker id="a" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            'orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="#5b6770"/></marker></defs>',
            f'<rect width="{width}" height="{top}" fill="#fff"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _half(title: str, schema: Schema, top: int) -> tuple[list[str], int]:
    tables = dict(schema.tables)
    if title == "warehouse":
        tables["VARIABLE_data"] = ["grid_id", "observation_date or year"]
    references = [(*key, False) for key in schema.keys] + [(*key, True) for key in BY_MEANING[title]]
    columns = [list(column) for column in PLACES[title]]
    columns[0] += sorted(set(tables) - {name for column in columns for name in column})
    boxes, height = _placed(tables, references, columns, top)
    parts = [f'<text x="20" y="{top + 22}" font-size="15" font-weight="600">{title}</text>']
    parts += [_arrow(boxes, *reference, place) for place, reference in enumerate(references)]
    parts += [_box(name, *box) for name, box in boxes.items()]
    return parts, height - top + 20


def _placed(
    tables: Mapping[str, Sequence[str]],
    references: Sequence[tuple[str, str, str, bool]],
    columns: Sequence[Sequence[str]],
    top: int,
) -> tuple[dict[str, tuple[int, int, list[tuple[str, str]]]], int]:
    """name -> (x, y, lines of (column, what it is)), and where the lowest box ends."""
    boxes, bottom = {}, top
    for number, column in enumerate(columns):
        y = top + _TOP
        for name in column:
            lines = [(key, "key") for key in tables[name]]
            lines += [(own, "") for table, own, *_ in references if table == name and own not in dict(lines)]
            boxes[name] = (20 + number * (_WIDTH + _GAP), y, list(dict.fromkeys(lines)))
            y += 24 + _LINE * len(lines) + _STEP
            bottom = max(bottom, y)
    return boxes, bottom


def _box(name: str, x: int, y: int, lines: Sequence[tuple[str, str]]) -> str:
    height = 24 + _LINE * len(lines)
    mark = ' <tspan fill="#1e6f8a">key</tspan>'
    text = [
        f'<text x="{x + 10}" y="{y + 32 + _LINE * number}" font-size="11" fill="#45525b">{html.escape(column)}'
        f"{mark if what else ''}</text>"
        for number, (column, what) in enumerate(lines)
    ]
    fill = "#eef6e8" if name == "VARIABLE_data" else "#e6f1f5"
    return "\n".join(
        [
            f'<g data-table="{name}"><rect x="{x}" y="{y}" width="{_WIDTH}" height="{height}" rx="4" fill="{fill}" '
            f'stroke="#5b6770"/><text x="{x + 10}" y="{y + 16}" font-weight="600">{name}</text>',
            *text,
            "</g>",
        ]
    )


def _arrow(
    boxes: Mapping[str, tuple[int, int, list[tuple[str, str]]]],
    table: str,
    column: str,
    other: str,
    by_meaning: bool,
    number: int,
) -> str:
    """From the line of the column to the head of the other box, through the gap beside it."""
    (x, y, lines), (to_x, to_y, _) = boxes[table], boxes[other]
    start = y + 28 + _LINE * [name for name, _ in lines].index(column)
    end, lane = to_y + 12, 8 + number * 5 % (_GAP - 18)
    if x < to_x:
        path = (
            f"M{x + _WIDTH} {start}H{x + _WIDTH + lane}V{end}H{to_x}"
            if to_x - x == _WIDTH + _GAP
            else _over(x + _WIDTH, start, to_x, end, lane)
        )
    elif x > to_x:
        path = (
            f"M{x} {start}H{x - lane}V{end}H{to_x + _WIDTH}"
            if x - to_x == _WIDTH + _GAP
            else _over(x, start, to_x + _WIDTH, end, -lane)
        )
    else:
        path = f"M{x + _WIDTH} {start}H{x + _WIDTH + lane}V{end}H{to_x + _WIDTH}"
    dash = ' stroke-dasharray="5 4"' if by_meaning else ""
    return f'<path data-key="{table}.{column} {other}" d="{path}" {_INK}{dash}/>'


def _over(x: int, start: int, to_x: int, end: int, lane: int) -> str:
    """Past a column of boxes: through the space above the box that is aimed at."""
    above = end - 12 - _STEP // 2
    return f"M{x} {start}H{x + lane}V{above}H{to_x - lane}V{end}H{to_x}"


def main() -> None:
    schemas = {}
    with tempfile.TemporaryDirectory() as home, EmbeddedServer(Path(home)) as server:
        for family in PLACES:
            with closing(psycopg.connect(server.create(family), autocommit=True)) as connection:
                migrate.apply(connection, family)
                schemas[family] = read(connection)
    SVG.write_text(draw(schemas), "utf-8")


if __name__ == "__main__":
    main()
