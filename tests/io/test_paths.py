"""A folder may be called anything: polars takes `[1]`, `*` and `?` in a path for a pattern unless it is told not to."""

import ast
from pathlib import Path

import polars as pl

ROOT = Path(__file__).parents[2]
READERS = {f"pl.{verb}_{form}" for verb in ("read", "scan") for form in ("parquet", "csv")}
#: these have no such switch: give them bytes
WITHOUT_SWITCH = {"pl.read_ndjson", "pl.scan_ndjson", "pl.read_parquet_schema"}


def readers():
    """Place, name, source and switch of every call that reads a path."""
    for path in sorted(part for room in ("engine", "jobs") for part in (ROOT / room).rglob("*.py")):
        text = path.read_text("utf-8")
        if not any(name in text for name in READERS | WITHOUT_SWITCH):
            continue
        for node in ast.walk(ast.parse(text)):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if name in READERS | WITHOUT_SWITCH:
                told = {word.arg: ast.unparse(word.value) for word in node.keywords}
                yield f"{path.relative_to(ROOT)}:{node.lineno}", name, ast.unparse(node.args[0]), told.get("glob")


def test_polars_is_told_that_a_path_is_no_pattern():
    found = list(readers())
    assert len(found) > 5
    bytes_given = ("io.BytesIO(", "data", "file.read()")
    wrong = [
        f"{place}: {name}({source}): glob=False is missing"
        for place, name, source, switch in found
        if not source.startswith(bytes_given) and (name in WITHOUT_SWITCH or switch != "False")
    ]
    assert not wrong, "\n".join(wrong)


def test_the_switch_does_what_it_is_for(tmp_path):
    folder = tmp_path / "a(1)[2]*?"
    folder.mkdir()
    pl.DataFrame({"a": [1]}).write_parquet(folder / "a.parquet")
    assert pl.scan_parquet(folder / "a.parquet", glob=False).collect().height == 1
