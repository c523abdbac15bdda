"""SQL stands in `engine/io` alone: everybody else calls a function of it and gets plain values."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    path
    for room in ("engine", "jobs")
    for path in (ROOT / room).rglob("*.py")
    if path.relative_to(ROOT).parts[:2] != ("engine", "io")
)
#: statements as they are written here: verbs in capitals, followed by what only SQL has after them. In prose a verb in
#: capitals stands alone (`LISTEN and NOTIFY`), or the words are small
STATEMENT = re.compile(
    r"""\bSELECT\b(?=.*\bFROM\b|\s+(?:[\w.]+\(|\d|EXISTS\b|'))
      | \bINSERT\s+INTO\s+\S | \bUPDATE\s+\S+\s+(?:\w+\s+)?SET\b | \bDELETE\s+FROM\s+\S
      | \b(?:CREATE|ALTER|DROP)\s+(?:UNIQUE\s+|TEMPORARY\s+)?(?:TABLE|INDEX|VIEW|SCHEMA|ROLE|FUNCTION|DATABASE)\b
      | \bTRUNCATE\s+\S | \bVACUUM\b | \bCOPY\s+\S+.*\b(?:FROM\s+STDIN|TO\s+STDOUT)\b
      | \bSET\s+(?:LOCAL\s+)?(?:TIME\s+ZONE|\w+\s*(?:=|TO\b))
      | \bWITH\s+\w+\s+AS\s*\(  | \bFROM\s+\w+\s+WHERE\b | ^\s*(?:UN)?LISTEN\s+\S+\s*$ | \bpg_\w+\(""",
    re.VERBOSE | re.DOTALL,
)
#: what only a connection or a cursor has; `copy` with an argument, as arrays and frames copy themselves with none
CALLS = {"execute", "executemany", "executescript", "fetchone", "fetchall", "fetchmany", "notifies", "cursor"}
LIBRARIES = ("psycopg.sql", "psycopg.rows", "psycopg.types", "adbc_driver_postgresql", "sqlalchemy", "asyncpg")


def texts(tree):
    """(line, text) of every string but docstrings; pieces of one f-string or of a sum of strings are one text."""
    inner = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            inner.add(node.value)  # a docstring, or a string that nobody has
    for node in ast.walk(tree):  # the outermost first
        if node in inner or not isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp):
            continue
        parts = [
            each for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str | bytes)
        ]
        if parts and (not isinstance(node, ast.BinOp) or isinstance(node.op, ast.Add)):
            inner.update(ast.walk(node))
            parts.sort(key=lambda each: (each.lineno, each.col_offset))
            written = [each.value if isinstance(each.value, str) else each.value.decode("latin-1") for each in parts]
            yield node.lineno, "_".join(written) if isinstance(node, ast.JoinedStr) else "".join(written)


def is_query(call):
    """Whether a call asks a database."""
    if not isinstance(call.func, ast.Attribute):
        return False
    if call.func.attr == "copy":  # of a connection's cursor: a statement is given
        return bool(call.args)
    return call.func.attr in CALLS


def sql_in(source):
    """Lines of a module at which SQL stands, and what stands there."""
    tree = ast.parse(source)
    found = [(line, text.strip()[:60]) for line, text in texts(tree) if STATEMENT.search(text)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and is_query(node):
            found.append((node.lineno, f".{node.func.attr}(...)"))
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        found += [(node.lineno, f"import {name}") for name in names if name.startswith(LIBRARIES)]
    return sorted(set(found))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sql_lives_in_io(path):
    name = path.relative_to(ROOT)
    wrong = [
        f"{name}:{line}: {what}: let a function of engine/io do it" for line, what in sql_in(path.read_text("utf-8"))
    ]
    assert not wrong, "\n".join(wrong)


#: the tables of results; `execute` says which of them a run writes
RESULT_TABLES = re.compile(r"\b(?:probability_results|hazard_results|modelops_(?:probability|hazard)_scores)\b")
NAMES_THEM = {ROOT / "engine" / "batch" / "execute.py"}


def test_the_tables_of_results_are_named_where_they_are_read_and_written():
    others = [path for path in (ROOT / "engine" / "io").rglob("*.py") if path.parent.name != "results"]
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {text.strip()[:60]}"
        for path in [*MODULES, *others]
        if path not in NAMES_THEM and RESULT_TABLES.search(source := path.read_text("utf-8"))
        for line, text in texts(ast.parse(source))
        if RESULT_TABLES.search(text)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "planted",
    [
        'QUERY = "SELECT grid_id, aal FROM probability_results"',
        'QUERY = """\nSELECT risk_type\n  FROM t\n"""',
        'def f(t):\n    return f"SELECT {t}.aal" + f" FROM {t}"',
        'QUERY = ("SELECT aal"\n  " FROM t")',
        'QUERY = b"SELECT count(*) FROM t"',
        'QUERY = "SELECT pg_notify(%s, %s)"',
        'QUERY = "SELECT 1"',
        'QUERY = "INSERT INTO t VALUES (1)"',
        'QUERY = "UPDATE batch_jobs SET run_id = NULL"',
        'QUERY = "UPDATE batch_jobs b SET run_id = NULL"',
        'QUERY = "DELETE FROM t"',
        'QUERY = "CREATE UNIQUE INDEX ON t (a)"',
        'QUERY = "COPY t (a) FROM STDIN (FORMAT binary)"',
        'QUERY = "SET statement_timeout = 5"',
        'QUERY = "SET TIME ZONE 0"',
        'QUERY = "LISTEN aiops_trigger"',
        'QUERY = "VACUUM ANALYZE"',
        'PIECE = " FROM risk_types WHERE "',
        "connection.execute(query)",
        "with connection.cursor() as c: pass",
        "cursor.copy(statement)",
        "cursor.executemany(query, rows)",
        "for each in session.notifies(timeout=1): pass",
        "from psycopg import sql",
        "from psycopg.rows import dict_row",
    ],
)
def test_a_planted_statement_is_found(planted):
    assert sql_in(planted)


@pytest.mark.parametrize(
    "harmless",
    [
        '"""SELECT grid_id FROM t is what a docstring may say."""',
        'TEXT = "database of LISTEN and NOTIFY; default: the application database"',
        'TEXT = "Select a layer from the list, or update the page"',
        'TEXT = "only the rows that were SELECTed"',
        'TEXT = "NOTIFY aiops_trigger is sent by jobs.trigger"',
        'log.error("the update of %s did not set anything", name)',
        'TEXT = "WITH --cells a part of the grid is computed"',
        "values = array.copy()",
        "psycopg.OperationalError",
    ],
)
def test_prose_and_arrays_are_no_sql(harmless):
    assert not sql_in(harmless)
