"""The docs hold what they promise: links, commands, fields, code to copy, the Korean pages, and the words."""

import ast
import importlib
import re
import shlex
import sys
import unicodedata
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
import yaml

import jobs.__main__ as command
from engine.assess.rules.column_names import COMPLETED, NAME
from engine.assess.rules.fields import BUILDING, FIELDS
from engine.io import etl
from engine.io.etl import loaders
from jobs import _derive, _download, _stores

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*DOCS.rglob("*.md"), *ROOT.glob("*.md"), ROOT / "benchmarks/README.md")
)
#: pages that mkdocs makes of files outside docs/ (docs/site.py)
GENERATED = {"docs/benchmarks.md": "benchmarks/README.md", "docs/changelog.md": "CHANGELOG.md"}
COMMANDS = {job: importlib.import_module(f"jobs.{job}").parser for job in command.JOBS}
COMMANDS |= {"etl derive": _derive.parser, "etl download": _download.parser, "etl stores": _stores.parser}
#: first words of a docstring that a reader cannot search for
CLAUSES = {
    "what",
    "where",
    "who",
    "whom",
    "whose",
    "whoever",
    "whatever",
    "until",
    "how",
    "when",
    "why",
    "which",
    "that",
}


def text_of(page):
    return (ROOT / page).read_text("utf-8")


def without_code(text):
    return re.sub(r"```.*?```|`[^`\n]*`|^ {4}.*$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text):
    """The anchors that Python-Markdown gives to the headings."""
    plain = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for heading in re.findall(r"^#+ (.+)$", plain, re.MULTILINE):
        words = unicodedata.normalize("NFKD", heading.replace("`", "")).encode("ascii", "ignore").decode()
        yield re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", words).strip().lower())


def blocks(page):
    """Lines of the indented and fenced blocks, without comments and blank lines."""
    found, fenced = [], False
    for line in text_of(page).splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            found.append(re.sub(r"\s+#\s.*$", "", line).strip())
    return [line for line in found if line]


def commands(page):
    """Every `python -m jobs...` of the blocks of a page, lines that go on in the next one joined."""
    text = re.sub(r"\\\n\s*", "", text_of(page))
    lines = (part for line in re.findall(r"^ {4}(.*)$", text, re.MULTILINE) for part in line.split("; "))
    for line in lines:
        if found := re.match(r"(?:\.venv/bin/)?python -m jobs[. ](\w.*)", line):
            yield shlex.split(found[1], comments=True)


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_and_anchor_of_a_page_exists(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(text_of(page))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        known = path.resolve().relative_to(ROOT).as_posix()
        path = ROOT / GENERATED.get(known, known)
        assert path.exists(), target
        if anchor:
            assert anchor in set(anchors(path.read_text("utf-8"))), target


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_is_one_that_its_job_takes(page):
    for words in commands(page):
        job, *rest = words
        if rest and f"{job} {rest[0]}" in COMMANDS:
            job, rest = f"{job} {rest[0]}", rest[1:]
        if "..." not in rest and "--help" not in rest:
            COMMANDS[job]().parse_args(rest)


@pytest.mark.parametrize(
    ("korean", "english"), [("README.ko.md", "README.md"), ("docs/ko/getting-started.md", "docs/getting-started.md")]
)
def test_the_korean_pages_have_the_commands_of_the_english_ones_in_the_same_order(korean, english):
    told = blocks(english)
    assert len(told) > 4
    assert blocks(korean)[: len(told)] == told


def test_the_five_groups_lead_to_every_page_and_the_pictures_are_small():
    menu = yaml.safe_load(re.sub(r"!!python\S+", "", text_of("mkdocs.yml")))["nav"]
    groups = {name: entries for group in menu for name, entries in group.items()}
    assert list(groups) == ["Home", "Getting started", "Tutorials", "How-to", "Reference", "Explanation"]
    named = {path for group in list(groups.values())[1:] for entry in group for path in entry.values()
             if isinstance(path, str)}  # fmt: skip
    pages = {page.removeprefix("docs/") for page in [*PAGES, *GENERATED] if page.startswith("docs/")}
    assert {page for page in pages if not page.startswith("decisions/")} == {*named, "index.md"}
    assert sum(path.stat().st_size for path in (DOCS / "images").iterdir()) < 1_500_000


def test_the_index_of_the_decisions_lists_every_note_in_order():
    notes = sorted(path.name for path in (DOCS / "decisions").glob("[0-9]*.md"))
    assert re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", text_of("docs/decisions/index.md")) == notes
    assert [int(note[:4]) for note in notes] == list(range(1, len(notes) + 1))
    for number, note in enumerate(notes, 1):
        text = text_of(f"docs/decisions/{note}")
        assert text.startswith(f"# {number}. ")
        assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == [
            "Context",
            "Measured",
            "Decision",
            "Consequences",
        ]


def values_of(field):
    """The range of a field as the page writes it, for those that have one."""
    if field.choices:
        return ", ".join(field.choices)
    if field.longest:
        return f"up to {field.longest} characters"
    if field.kind not in ("integer", "number") or field.low is None:
        return None
    limits = f"above {field.low:g}" if field.above else f"from {field.low:g}"
    whole = "whole number, " if field.kind == "integer" else ""
    return whole + limits + ("" if field.high is None else f" to {field.high:g}")


def test_the_page_of_the_fields_lists_each_with_its_range_and_its_default():
    lines = [line for line in text_of("docs/site-fields.md").splitlines() if line.startswith("| `")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    told = {row[0].strip("`"): row for row in rows if len(row) == 6}
    assert set(told) == {field.name for field in FIELDS} | {NAME, COMPLETED}
    for field in FIELDS:
        expected = values_of(field)
        assert expected is None or told[field.name][3] == expected, field.name
    for field in BUILDING:
        assert (
            told[field.name][4]
            == f"register, else {str(field.default).replace('True', 'true').replace('False', 'false')}"
        )


def python_blocks(page):
    return re.findall(r"^```python\n(.*?)^```$", text_of(page), re.DOTALL | re.MULTILINE)


def test_the_loader_of_the_page_loads_and_passes_the_tests_of_the_page(new_database, tmp_path, monkeypatch):
    module, line, tests = python_blocks("docs/add-a-loader.md")
    (tmp_path / "loaders").mkdir()
    (tmp_path / "loaders" / "density.py").write_text(module, "utf-8")
    monkeypatch.setattr(loaders, "__path__", [*loaders.__path__, str(tmp_path / "loaders")])
    monkeypatch.setattr(etl, "LOADERS", etl.LOADERS | ast.literal_eval("{" + line + "}"))
    monkeypatch.delitem(sys.modules, "engine.io.etl.loaders.density", raising=False)
    assert etl.loader("density").name == "density"
    space = {}
    exec(compile(tests, "docs/add-a-loader.md", "exec"), space)
    ran = 0
    for name, test in space.items():
        if name.startswith("test_"):
            marks = getattr(test, "pytestmark", [])
            names, cases = marks[0].args if marks else ((), [()])
            for case in cases:
                data = tmp_path / f"case{ran}"
                data.mkdir()
                test(new_database("warehouse"), data, **dict(zip(names, case, strict=True)))
                ran += 1
    assert ran == 3
    sys.modules.pop("engine.io.etl.loaders.density", None)


def test_the_glossary_has_thirty_terms_each_once_and_the_pages_avoid_doubled_rows():
    rows = [line.strip("| ").split(" | ") for line in text_of("docs/glossary.md").splitlines() if line.startswith("| ")]
    terms = [term for term, _, _, _ in rows[1:]]
    assert len(terms) == 30
    assert terms == sorted(set(terms), key=str.lower)
    assert all(avoided for _, _, _, avoided in rows)
    assert all(re.search("[가-힣]", korean) for _, _, korean, _ in rows)
    for page in PAGES:
        if page not in ("docs/glossary.md", "CHANGELOG.md"):
            assert not re.search(r"\bdoubled rows?\b", text_of(page)), page


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_no_heading_and_no_first_sentence_of_a_page_is_a_clause(page):
    plain = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", plain, re.MULTILINE)
    first = next((line for line in plain.splitlines() if re.match(r"\w", line)), "")
    for sentence in (*headings, first):
        assert sentence.split()[0].lower() not in CLAUSES if sentence else True, sentence


def test_hooks_run_what_ci_runs_and_download_nothing():
    [repository] = yaml.safe_load(text_of(".pre-commit-config.yaml"))["repos"]
    assert repository["repo"] == "local"
    lint = text_of(".ci/lint")
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].removeprefix("env NO_MKDOCS_2_WARNING=1 ").removesuffix(" --site-dir .venv/site") in lint


@pytest.mark.parametrize("folder", ["engine", "jobs", "benchmarks"])
def test_the_first_line_of_a_module_starts_with_a_verb_or_a_noun(folder):
    clauses = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        words = (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split()
        if words and words[0].lower() in CLAUSES:
            clauses[path.relative_to(ROOT).as_posix()] = " ".join(words[:8])
    assert clauses == {}


@pytest.mark.parametrize("page", ["README.md", "README.ko.md"])
def test_the_first_example_of_a_notebook_runs_as_it_is_written(page):
    names: dict[str, Any] = {}
    first, second = re.findall(r"```python\n(.*?)```", text_of(page), re.DOTALL)[:2]
    with mpl.rc_context():
        mpl.use("agg", force=True)
        exec(first, names)
        plt.close("all")
    assert names["result"].risks == ("wildfire",)
    exec(second, names)
    assert 0 < names["one"].aal_low < names["one"].aal < names["one"].aal_high
