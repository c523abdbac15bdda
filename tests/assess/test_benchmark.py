import json

from benchmarks.__main__ import main


def test_the_benchmark_runs_agrees_with_its_rivals_and_writes_its_rows(tmp_path, capsys):
    assert main(["assess", "--sites", "4", "--rounds", "1", "--out", str(tmp_path)]) == 0
    rows = [json.loads(line) for line in (tmp_path / "assess.jsonl").read_text().splitlines()]
    assert [row["rival"] for row in rows] == ["plain Python, a site at a time", "assess_sites, a call a site"]
    assert all(row["largest difference"] <= 1e-9 for row in rows)
    assert (tmp_path / "assess.md").read_text() in capsys.readouterr().out
