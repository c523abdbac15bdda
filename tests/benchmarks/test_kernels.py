from __future__ import annotations

import json

from benchmarks.__main__ import main


def test_the_benchmark_runs_agrees_with_its_rivals_and_writes_its_rows(tmp_path, capsys):
    assert main(["kernels", "--cells", "6", "--rounds", "1", "--out", str(tmp_path)]) == 0
    rows = [json.loads(line) for line in (tmp_path / "kernels.jsonl").read_text().splitlines()]
    assert {row["rival"] for row in rows} == {"scipy ndtr", "scipy gaussian_kde", "quadrature"}
    assert all(row["largest difference"] <= 1e-9 for row in rows)
    table = (tmp_path / "kernels.md").read_text()
    assert table in capsys.readouterr().out
