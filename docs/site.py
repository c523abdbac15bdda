"""Hooks of the docs site: MathML of formulas; routes, editions, settings and commands listed from the code."""

import html
import importlib
import json
import os
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

from engine.core import settings, settings_shown
from engine.report.words import bin_ranges
from engine.risks import RISKS, load_edition
from engine.risks.edition import EDITIONS
from jobs import __main__ as command_line
from jobs import _derive, _download, _stores
from jobs.serve import create_app

_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
_FILLED = {
    "<!-- routes -->": lambda: _routes(),
    "<!-- editions -->": lambda: _editions(),
    "<!-- settings -->": lambda: _settings(),
    "<!-- jobs -->": lambda: _jobs(),
}
#: pages that lie outside docs/, where those who read the code expect them
_OF_THE_TOP = {"benchmarks.md": "benchmarks/README.md", "changelog.md": "CHANGELOG.md"}


def on_config(config: Any) -> Any:
    """Every note of docs/decisions is in the menu, in the order of their numbers."""
    notes = sorted(Path(config["docs_dir"], "decisions").glob("[0-9]*.md"))
    for group in config["nav"]:
        for entry in next(iter(group.values())):
            if isinstance(entry, dict) and "Decisions" in entry:
                entry["Decisions"] += [f"decisions/{note.name}" for note in notes]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Benchmarks and changes are pages, too."""
    top = Path(config["docs_dir"]).parent
    for page, source in _OF_THE_TOP.items():
        files.append(File.generated(config, page, content=(top / source).read_text("utf-8")))
    return files


def on_page_content(content: str, **_: Any) -> str:
    """Browsers draw MathML themselves: no script, no font, no other host."""

    def formula(found: re.Match[str]) -> str:
        kind, tex = found.groups()
        return convert(html.unescape(tex).strip(), display="block" if kind == "div" else "inline")

    return _FORMULA.sub(formula, content)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Tables made from the code, where a page asks for them; links into the repository lead to their pages."""
    for marker, table in _FILLED.items():
        markdown = markdown.replace(marker, table()) if marker in markdown else markdown
    for page, source in _OF_THE_TOP.items():
        markdown = markdown.replace(f"](../{source}", f"]({page}")
    return markdown


def on_post_build(config: Any, **_: Any) -> None:
    """The OpenAPI description beside the pages."""
    Path(config["site_dir"], "openapi.json").write_text(json.dumps(create_app().openapi(), indent=1), "utf-8")


def _routes() -> str:
    rows = []
    for path, methods in create_app().openapi()["paths"].items():
        for method, told in methods.items():
            what = told.get("description", told.get("summary", "")).split("\n\n")[0].replace("\n", " ")
            given = [
                f"`{each['name']}`" + ("" if each.get("required") else " (optional)")
                for each in told.get("parameters", ())
            ]
            if "requestBody" in told:
                given.append("a body of " + " or ".join(told["requestBody"]["content"]))
            takes = f" Takes {', '.join(given)}." if given else ""
            answers = ", ".join(sorted(told["responses"]))
            rows.append(f"- `{method.upper()} {path}`<br>{what}{takes} Answers {answers}.")
    return "\n".join(rows)


def _editions() -> str:
    """Bins and damage rates of the published editions."""
    rows = ["| risk | edition | intensity | bins: damage rate, % of value | source |", "|---|---|---|---|---|"]
    for risk, declared in RISKS.items():
        for name in EDITIONS:
            bins = load_edition(name).bins[risk]
            intensity = declared.intensities[bins.intensity]
            ranges = bin_ranges(bins, intensity)
            if bins.rates is None:
                cuts = "<br>".join([*ranges, "not priced"])
            else:
                cuts = "<br>".join(f"{text}: {100 * rate:.4g}" for text, rate in zip(ranges, bins.rates, strict=True))
            title = risk.replace("_", " ") if name == EDITIONS[0] else ""
            rows.append(f"| {title} | {name} | {intensity.meaning} | {cuts} | {bins.source} |")
    return "\n".join(rows)


def _settings() -> str:
    """Every setting with its default, under the headings of `.env.example`."""
    lines: list[str] = []
    for name, field in settings.Settings.model_fields.items():
        if name in settings_shown.HEADINGS:
            heading, _, more = settings_shown.HEADINGS[name].partition(". ")
            heading = re.sub(r" \(docs/.*\)", "", heading)
            lines += ["", f"### {_plain(heading)}", "", _plain(more), ""]
            lines += ["| setting | default | meaning |", "|---|---|---|"]
        default = settings_shown.as_text(field.default)
        meaning = _plain(field.description or "")
        lines.append(f"| `{name.upper()}` | {f'`{default}`' if default else 'not set'} | {meaning} |")
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Text without markup, but for code between back ticks."""
    return "`".join(
        re.sub(r"([*_|<])", r"\\\1", part) if k % 2 == 0 else part for k, part in enumerate(text.split("`"))
    )


def _jobs() -> str:
    """The help of every command, as a terminal of 80 columns shows it."""
    parsers = {job: importlib.import_module(f"jobs.{job}").parser for job in command_line.JOBS}
    parsers |= {"etl derive": _derive.parser, "etl download": _download.parser, "etl stores": _stores.parser}
    os.environ["COLUMNS"] = "80"
    return "\n\n".join(f"## {job}\n\n```text\n{parsers[job]().format_help()}```" for job in parsers)
