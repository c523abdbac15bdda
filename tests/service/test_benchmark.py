"""The benchmark of the service on a few requests: every answer is what the engine gives directly."""

from benchmarks import service as benchmark


def test_the_service_gives_what_the_engine_gives(service, databases, monkeypatch):
    monkeypatch.setattr(benchmark, "DIRECTLY", 2)  # the third is extrapolated
    rows = benchmark.compare(service[0], *databases, assessments=3, reads=5, rounds=1)
    assert [row["requests"] for row in rows] == [3, 5, 5]
    assert all(row["ratio"] > 0 for row in rows)
