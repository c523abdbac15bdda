"""Commands in Korean: no line of what they print is Korean in part and an English sentence in part."""

import re

import pytest

from engine.core.translation import translate
from jobs import assess, export, report, status, yearly
from tests import chile
from tests.assess.databases import LATITUDE, LONGITUDE, fill_results, fill_warehouse
from tests.jobs.test_what_if import MEASURE, SITES

OPTIONS = ["--lang", "ko"]
#: words that join others in an English sentence
JOINING = re.compile(
    r"\b(?:of|to|and|or|the|is|are|was|has|have|after|before|up|by|for|from|in|into|with|without|not|on|that|which|its?)\b"
)
#: what stands as it is: quotes, `name=value`, options, paths, names of files, columns and units
AS_IT_IS = re.compile(
    r"'[^']*'|\"[^\"]*\"|--?[\w-]+|\S*[/_=]\S*|\b\w+\.(?:csv|nc|md|json|parquet|toml|xlsx|html)\b|\bm-2\b"
    r"|country and province rankings"  # the name of a file
)


def mixed(text):
    """Lines that hold Korean and a word of an English sentence."""
    return [
        line
        for line in text.splitlines()
        if re.search("[가-힣]", line) and not line.startswith("job=") and JOINING.search(AS_IT_IS.sub(" ", line))
    ]


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")


def printed(capsys, caplog):
    """What a command printed, and its warnings in Korean, as `TextLines` writes them."""
    warnings = [translate(each.getMessage(), "ko") for each in caplog.records if each.levelname == "WARNING"]
    caplog.clear()
    return "\n".join([capsys.readouterr().out, *warnings])


def test_a_line_that_is_korean_in_part_is_seen():
    assert mixed("It에 paid after 0.19 years")
    assert not mixed("기준 연도 2001-2005: --out, results/of/to.csv, 'up to date', K 또는 degC")


def test_a_portfolio_its_what_if_report_export_and_status_are_korean_throughout(
    here, warehouse, results, capsys, caplog, monkeypatch
):
    monkeypatch.setenv("DW_URL", warehouse)
    monkeypatch.setenv("APP_URL", results)
    fill_warehouse(warehouse)
    fill_results(results)
    (here / "sites.csv").write_text(SITES)
    (here / "gates.toml").write_text(MEASURE)
    place = f"{LATITUDE},{LONGITUDE}"
    (here / "own.csv").write_text(f"site_id,latitude,longitude,total_asset_value,note\nA,{place},5,x\n")
    portfolio = ["--sites", "sites.csv", "--out", "out", "--name", "loans", "--what-if", "gates.toml"]
    assert assess.main([*portfolio, *OPTIONS]) in (0, 3)
    told = printed(capsys, caplog)
    assert "할인율 4.5 % 적용 시" in told
    assert "대책 전: 연간" in told
    assert "floors_below(지하 층수) = 0; 하천 홍수 손실의 50 % 방지" in told
    assert "중기 2041-2060: 연간 손실" in told
    assert "has_piloti(필로티 구조)" in told
    assert assess.main(["--sites", "own.csv", "--out", "own", *OPTIONS]) in (0, 3)
    told += printed(capsys, caplog)
    assert "입력 항목이 아니어서 그대로 전달되는 열: note" in told
    for command in (
        lambda: status.main(OPTIONS),
        lambda: report.main([*OPTIONS, "--out", "run.html"]),
        lambda: report.main([*OPTIONS, "--portfolio", "out", "--out", "committee.html"]),
        lambda: export.main([*OPTIONS, "--to", "table", "--format", "csv"]),
        lambda: export.main([*OPTIONS, "--to", "table", "--format", "csv"]),
    ):
        assert command() == 0
        told += printed(capsys, caplog)
    assert "같은 내보내기가 이미 있어 변경하지 않았습니다" in told
    assert not mixed(told)


def test_a_run_on_own_files_is_korean_throughout(here, capsys, caplog):
    chile.write(here / "cmip", ahead=("rcp45",))
    command = ["--data", "cmip", "--currency", "CLP", *OPTIONS]
    assert yearly.main(command) == 0
    told = printed(capsys, caplog)
    assert yearly.main(command) == 0
    told += printed(capsys, caplog)
    assert "변경 없음: 같은 파일과 옵션의 실행 1이 이미 게시되어 있습니다" in told
    assert "자료 없음: 태풍: 필요한 자료: 열대저기압 베스트트랙(--tracks FILE; IBTrACS CSV)" in told
    assert (
        "자료 없음: 산불: 필요한 자료: 일별 또는 월별 상대습도 hurs(%; CMIP6, E-OBS); 일별 또는 월별 10 m 풍속" in told
    )
    assert "wetness_index(지형습윤지수) 6" in told
    assert not re.search("not given|up to date|is published", told)
    assert not mixed(told)
