"""Functions are short and take few arguments, or say on their first line why they cannot."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINES, PARAMETERS = 60, 8
#: waiting to be mended, with what each of them is
ALLOWED = {
    "engine/io/results/load.py:replace": "what travels together of a switch",
    "engine/service/app.py:make_app": "routes of the application",
    "engine/service/routes_history.py:read_history": "one parameter a field of the query",
}


def large(root):
    """(where, what is too much) of every function; the docstring is not counted, `self` is."""
    for path in sorted(each for folder in ("engine", "jobs") for each in (root / folder).rglob("*.py")):
        source = path.read_text("utf-8")
        lines = source.splitlines()
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            own = (node.end_lineno or 0) - node.lineno + 1
            if ast.get_docstring(node) is not None:
                own -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
            taken = node.args
            count = len(taken.posonlyargs) + len(taken.args) + len(taken.kwonlyargs)
            head = " ".join(lines[node.lineno - 1 : node.body[0].lineno - 1])
            where = f"{path.relative_to(root).as_posix()}:{node.name}"
            if own > LINES and "# long: " not in head:
                yield where, f"{own} lines"
            if count > PARAMETERS and "# many: " not in head:
                yield where, f"{count} parameters"


def test_functions_are_short_and_take_few_arguments():
    found = dict(large(ROOT))
    wrong = [f"{where} has {what}" for where, what in found.items() if where not in ALLOWED]
    assert not wrong, f"at most {LINES} lines and {PARAMETERS} parameters, or `# long: reason`: {'; '.join(wrong)}"
    assert ALLOWED.keys() <= found.keys(), "mended: remove it from ALLOWED"


def test_the_rule_sees_lines_parameters_and_reasons(tmp_path):
    folder = tmp_path / "jobs"
    folder.mkdir()
    body = "".join(f"    x{n} = {n}\n" for n in range(LINES))
    docstring = '    """Text.\n' + "\n" * 90 + '    """\n'
    names = ", ".join("abcdefghi")
    (folder / "a.py").write_text(
        f"def long():\n{body}\n\ndef said():  # long: a table\n{body}\n\ndef documented():\n{docstring}    pass\n"
        f"\n\ndef many({names}):\n    pass\n\n\ndef told({names}):  # many: the formula's\n    pass\n"
    )
    assert list(large(tmp_path)) == [("jobs/a.py:long", "61 lines"), ("jobs/a.py:many", "9 parameters")]
