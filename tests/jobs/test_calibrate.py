import pytest

from jobs import calibrate


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--base", "2026-kr"], 2, "unknown edition '2026-kr'"),
        (["--losses", "nowhere"], 2, "--losses nowhere does not exist"),
        (["--out", "edition.json"], 2, "--out: edition.json: an edition is a .toml file"),
        (["--out", "nowhere/own.toml"], 2, "its folder does not exist"),
        (["--losses", "."], 1, "exposure.csv cannot be read"),
    ],
)
def test_what_cannot_be_calibrated_is_refused_and_nothing_is_written(words, code, said, caplog, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert calibrate.main(words) == code
    assert said in caplog.text
    assert not list(tmp_path.iterdir())
