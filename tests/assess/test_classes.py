import polars as pl
import pytest

from engine.assess.rules import classes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("목조", "wood"),
        ("TIMBER frame", "wood"),
        ("벽돌구조", "masonry"),
        ("조적조", "masonry"),
        ("샌드위치 판넬", "sandwich_panel"),
        ("철근콘크리트구조", "rc"),
        ("철골철근콘크리트구조", "rc"),
        ("Reinforced Concrete", "rc"),
        ("rc", "rc"),
        ("SRC frame", "rc"),
        ("RC조", "rc"),
        ("arch", "other"),
        ("porch with source", "other"),
        ("일반철골구조", "steel"),
        ("steel and brick", "masonry"),
        ("기타구조", "other"),
        (None, "other"),
    ],
)
def test_structures_in_korean_and_english(text, expected):
    frame = pl.DataFrame({"text": [text]}, schema={"text": pl.String})
    assert frame.select(classes.structure_class(pl.col("text"))).item() == expected


@pytest.mark.parametrize(
    ("text", "expected", "dependency"),
    [
        ("공장", "industrial", "high"),
        ("동물및식물관련시설", "industrial", "high"),
        ("데이터센터", "water_process", "high"),
        ("숙박시설", "lodging", "high"),
        ("의료시설", "medical", "high"),
        ("업무시설", "office", "medium"),
        ("제2종근린생활시설", "commercial", "medium"),
        ("공동주택", "residential", "low"),
        ("교육연구시설", "public", "low"),
        ("종교시설", "other", "low"),
        ("Hotel & office", "lodging", "high"),
        (None, "other", "low"),
    ],
)
def test_purposes_and_how_much_they_depend_on_water(text, expected, dependency):
    frame = pl.DataFrame({"text": [text]}, schema={"text": pl.String})
    purpose = frame.select(purpose=classes.purpose_class(pl.col("text")))
    assert purpose.item() == expected
    assert purpose.select(classes.water_dependency(pl.col("purpose"))).item() == dependency


def test_decomposed_korean_text_means_the_same():
    import unicodedata

    from engine.assess.rules.config import AssessConfig
    from engine.assess.rules.prepare import prepare
    from tests.assess.places import site

    apart = unicodedata.normalize("NFD", "철근콘크리트")
    assert prepare(site(structure=f" {apart} "), AssessConfig()).sites["structure_class"][0] == "rc"
