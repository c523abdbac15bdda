"""Sentences in Korean: the catalogue is whole, recognises its sentences, and covers what readers meet."""

import ast
import re
from io import BytesIO
from pathlib import Path

import pytest

from engine.core import catalogue
from engine.core.language import of_environment, of_request
from engine.core.particles import agreed
from engine.core.translation import _JOINING, translate, translate_fields

ROOT = Path(__file__).parents[1]
PO = ROOT / "engine" / "core" / "texts" / "ko.po"
ENTRIES = list(catalogue.read(PO.read_text("utf-8")))
#: folders and modules whose words a reader meets
ROOMS = """engine/assess engine/service engine/report engine/io/sites engine/batch/explain.py
engine/batch/explain_parts.py engine/core/caveats.py engine/core/interval_words.py engine/core/edition_words.py
engine/core/refusals.py engine/core/period.py engine/core/variables.py engine/losses/words.py
engine/risks/recurrence.py engine/maps/picture.py
engine/io/files/csv_text.py engine/io/files/packed.py engine/io/files/workbook_in.py engine/io/files/table_text.py
jobs/_site_tables.py jobs/_report.py jobs/_paths.py jobs/_checks.py jobs/_console.py jobs/_parser.py jobs/_look.py
jobs/report.py jobs/courses/assess.py jobs/courses/status.py jobs/courses/report.py jobs/courses/portfolio_report.py
jobs/courses/ensemble.py jobs/courses/check.py jobs/_addresses.py jobs/_home.py jobs/_run.py jobs/courses/snapshot.py
jobs/courses/warm_up.py engine/core/settings_files.py engine/batch/plan.py engine/batch/pipeline.py
jobs/_what_if_tables.py jobs/courses/_what_if.py"""
#: modules of these rooms whose literals no reader meets, and why
AWAY = {
    "engine/assess/rules/column_names.py": "names of columns that files may have",
    "engine/report/committee": "has catalogues of its own, texts.en.toml and texts.ko.toml",
    "engine/service/metrics.py": "descriptions for Prometheus",
    "engine/service/children.py": "lines of the log",
    "engine/service/listener.py": "lines of the log",
    "engine/service/kinds.py": "lines of the log",
    "engine/service/schedule.py": "lines of the log",
    "engine/service/webhooks.py": "lines of the log",
    "engine/io/sites/old_portfolios.py": "lines of the log",
    "engine/assess/rules/saving_words.py": "says each sentence in both languages",
    "engine/service/map_differences.py": "kinds of dependence of two windows, by their names in the code",
    "engine/service/site_schema.py": "the document of the API, which is English",
}
#: calls and keywords whose texts are no reader's: the log, help, the API's document, SQL, faults of a programmer
UNREAD_CALLS = frozenset(
    ("add_argument", "add_argument_group", "compile", "debug", "error", "exception", "execute", "failures", "getLogger")
) | frozenset(("info", "match", "Field", "map_elements", "Query", "ValueError", "warning", "FastAPI", "make_extract"))
UNREAD_KEYWORDS = ("description", "responses", "name", "docstring")
#: what is a technical text and not a sentence
TECHNICAL = re.compile(
    r"SELECT|FROM |WHERE|unnest|::|double precision|text/csv|filename=|<meta|default-src|job=|ORDER BY|lat0|max_lon"
    r"|^offset points$|^cd \{\}|^[a-z]+ing [a-z ]+( \{\})?$|^looking for|^not ready$|^data center$|admin route"
    r"|<html|data-languages|flood gates$|Every refusal is|exit codes:"
)
SENTENCE = re.compile(r"[A-Za-z]{2,}[,;:.]? +\(?[A-Za-z]{2,}|\{\} [a-z]{2,}|[a-z]{2,} \{\}")


def template(node):
    if isinstance(node, ast.Constant):
        return node.value
    return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)


def called(node):
    return getattr(node.func, "id", None) or getattr(node.func, "attr", "")


def sentences(node):
    """(line, sentence with `{}` for what is put in) below a node of a module, but for docstrings."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.Call) and called(node) in UNREAD_CALLS:
        return
    if isinstance(node, ast.keyword) and node.arg in UNREAD_KEYWORDS:
        return
    if isinstance(node, ast.Dict) and any(
        isinstance(key, ast.Constant) and key.value == "description" for key in node.keys
    ):
        return
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        text = template(node)
        if SENTENCE.search(text) and not TECHNICAL.search(text) and not re.search("[가-힣]", text):
            yield node.lineno, text
        if isinstance(node, ast.Constant):
            return
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from sentences(part.value)
        return
    for child in ast.iter_child_nodes(node):
        yield from sentences(child)


def filled(english):
    """A sentence with something in its places, and what."""
    kinds = {"n": "7", "n1": "8", "n2": "9", "low": "1.5", "high": "2.5", "low2": "3.5", "high2": "4.5"}
    kinds |= {"limit": "7 mm", "years": "2041-2060", "attribute": "a_b"}
    names = dict.fromkeys(catalogue.places(english))
    values = {name: kinds.get(name, f"word{at}") for at, name in enumerate(names)}
    return english.format(**values), values


PIECES = [re.sub(r"\{\w+\}", "\0", each.english).lower() for each in ENTRIES]


def is_piece(text):
    """Whether a literal is a part of a sentence of the catalogue: what it holds stands there in this order."""
    parts = (part.strip(" ,;") for part in re.split(r"\{\w*\}", text.lower()))
    fixed = [re.escape(part) for part in parts if part.strip(":()")]
    wanted = re.compile(".*?".join(fixed), re.DOTALL)
    return bool(fixed) and any(wanted.search(each) for each in PIECES)


def test_the_catalogue_is_read_as_babel_reads_it():
    pofile = pytest.importorskip("babel.messages.pofile")
    told = pofile.read_po(BytesIO(PO.read_bytes()), locale="ko", abort_invalid=True)
    assert [(each.id, each.string) for each in told if each.id] == ENTRIES
    assert str(told.locale) == "ko"


def test_a_sentence_has_the_same_places_in_both_languages_and_stands_there_once():
    assert len({each.english for each in ENTRIES}) == len(ENTRIES)
    for english, korean in ENTRIES:
        assert sorted(set(catalogue.places(english))) == sorted(set(catalogue.places(korean))), english
        assert korean.strip(), english
        assert "}{" not in english, f"nothing parts two places: {english}"


def test_every_sentence_is_recognised_with_whatever_stands_in_its_places():
    for english, korean in ENTRIES:
        text, values = filled(english)
        told = translate(text, "ko")
        assert told == agreed(korean.format(**values)), english


def test_every_sentence_that_a_reader_meets_is_in_the_catalogue():
    missing = []
    for room in ROOMS.split():
        for path in sorted((ROOT / room).rglob("*.py")) if (ROOT / room).is_dir() else [ROOT / room]:
            where = path.relative_to(ROOT).as_posix()
            if where.startswith(tuple(AWAY)):
                continue
            for line, text in sentences(ast.parse(path.read_text("utf-8"))):
                plain = re.sub(r"\{\w*\}", "7", text)
                if translate(plain, "ko") == plain and not is_piece(text):
                    missing.append(f"{where}:{line}: {text}")
    assert not missing, "\n".join(missing)


def test_the_scan_sees_a_sentence_that_is_not_translated():
    raised = 'raise SettingsError(f"{path}: never heard of before")'
    tree = ast.parse(f'"""A docstring of words."""\n{raised}\nlog.info("a line of log")')
    assert list(sentences(tree)) == [(2, "{}: never heard of before")]
    assert not is_piece("{}: never heard of before")


def test_values_that_must_be_typed_stay_and_words_are_translated():
    told = translate("Unknown risk type: typhoon_; known: drought, typhoon; did you mean typhoon?", "ko")
    assert "known" not in told
    assert "drought, typhoon" in told
    assert translate("AAL of drought", "ko") == "가뭄의 AAL"
    assert translate("river flood, drought", "ko") == "하천 홍수, 가뭄"
    for stays in ("", "portfolio-7.csv", "본사", "12,000", "a name nobody knows"):
        assert translate(stays, "ko") == stays
    assert translate("Request ID not found", "en") == "Request ID not found"


@pytest.mark.parametrize(
    "sentence",
    [
        "It has failed for the second time after a pause",  # `{where} has ...` knows no such what
        "up to date and whole",
        "drought needs what nobody has thought of (docs/etl.md, basins)",
        "up to a limit, in a list of others",
    ],
)
def test_a_sentence_of_which_words_would_stay_english_stays_english_whole(sentence):
    assert translate(sentence, "ko") == sentence


def test_what_a_place_takes_may_be_a_name_and_what_follows_a_colon_a_sentence_of_its_own():
    assert translate("AAL of Bank of Korea", "ko") == "Bank of Korea의 AAL"
    assert translate("refused: it came to an end that nobody knows", "ko") == (
        "거부됨: it came to an end that nobody knows"
    )
    told = translate("no column states has_piloti, fire_access: assumed, and named in imputed_fields", "ko")
    assert told.startswith("has_piloti(필로티 구조), fire_access(소방차 진입)에 해당하는 열이 없음")


def test_a_pattern_has_a_word_of_its_own():
    """Else it catches sentences that have their own entry, or none."""
    for english, _ in ENTRIES:
        names = catalogue.places(english)
        if names and not any(name in catalogue._KINDS or f"'{{{name}}}'" in english for name in names):
            words = re.findall("[A-Za-z0-9]+", re.sub(r"\{\w+\}", " ", english))
            assert any(not _JOINING.fullmatch(word) for word in words), english


def test_brackets_that_hold_a_joint_belong_to_one_part():
    told = translate(
        "not given: wildfire needs daily rain pr (mm/day or kg m-2 s-1; CMIP6); outlines of provinces (x; y)", "ko"
    )
    assert told == "자료 없음: 산불: 필요한 자료: 일별 강수량 pr(mm/day 또는 kg m-2 s-1; CMIP6); 시도 경계(x; y)"


def test_sentences_one_after_the_other_are_translated_each():
    told = translate("refused: x.csv cannot be read: it is cut short; see jobs assess --help", "ko")
    assert told == "거부됨: x.csv을(를) 읽을 수 없습니다: 파일이 잘렸습니다; jobs assess --help 참조"
    told = translate("index loss, not calibrated on losses; synthetic input: not a statement about any place", "ko")
    assert told == "지수 손실, 손실 자료로 보정되지 않음; 합성 입력자료: 실제 장소에 관한 결과가 아닙니다"


@pytest.mark.parametrize("joint", [", ", ": ", "; ", ". A ", " + ", "(", "x' the field y, is column '"])
def test_a_hostile_text_is_left_alone(joint):
    hostile = joint.join(["is column 'x' the field y"] * 5000)
    assert translate(hostile, "ko") == hostile
    assert translate(hostile[:3900], "ko")


def test_fields_that_hold_sentences_are_translated_and_no_others():
    document = {"reason": "Request ID not found", "name": "Request ID not found", "sites": [{"reason": "not_priced"}]}
    told = translate_fields(document, {"reason"}, "ko")
    assert told == document | {"reason": "해당 요청 ID를 찾을 수 없습니다"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("항목을(를)", "항목을"),
        ("파일이(가)", "파일이"),
        ("하천 홍수은(는)", "하천 홍수는"),
        ("100(으)로 1(으)로 서울(으)로", "100으로 1로 서울로"),
        ("7 %이(가)", "7 %가"),
        ("floor_area을(를)", "floor_area을(를)"),
        ("'자산가액'과(와)", "'자산가액'과"),
    ],
)
def test_a_particle_follows_the_sound_before_it(text, told):
    assert agreed(text) == told


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "C.UTF-8", "LANGUAGE": "ko"}, "en"),
        ({"LANG": "de_DE", "LANGUAGE": "fr:ko:en"}, "ko"),
        ({"LC_MESSAGES": "ko", "LANG": "en_GB"}, "ko"),
        ({"LC_ALL": "", "LANG": "ko_KR"}, "ko"),
    ],
)
def test_the_language_of_a_job_is_that_of_its_environment(environment, language):
    assert of_environment(environment) == language


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        (None, None, "en"),
        ("ko", "en", "ko"),
        ("xx", "ko-KR,ko;q=0.9", "ko"),
        (None, "de, en;q=0.5, ko;q=0.7", "ko"),
        (None, "ko;q=0, en", "en"),
        (None, "ko;q=much", "en"),
        (None, "*", "en"),
    ],
)
def test_the_language_of_an_answer_is_that_of_the_address_then_of_the_header(asked, accepted, language):
    assert of_request(asked, accepted) == language
