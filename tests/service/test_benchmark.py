"""The benchmark of the service on a few requests: every answer is what the engine gives directly."""

import numpy as np

from benchmarks import layers
from benchmarks import service as benchmark


def test_the_service_gives_what_the_engine_gives(service, databases, monkeypatch):
    monkeypatch.setattr(benchmark, "DIRECTLY", 2)  # the third is extrapolated
    rows = benchmark.compare(service[0], *databases, assessments=3, reads=5, rounds=1)
    assert [row["requests"] for row in rows] == [3, 5, 5]
    assert all(row["ratio"] > 0 for row in rows)


def test_the_benchmark_of_layers_asks_for_what_the_map_shows(service):
    rows = layers.over_http(service[0], rounds=1, scenarios=(4,))
    assert [row["what"].split(",")[0] for row in rows] == [*layers.QUANTITIES, *layers.QUANTITIES]
    assert all(row["cold, s"] > 0 and row["kB sent"] > 0 for row in rows)
    part = layers.block(np.arange(1, 8, dtype=np.int32), seed=1)
    assert part.height == 7 * 4 * 3
    assert part.equals(layers.block(np.arange(1, 8, dtype=np.int32), seed=1))
    assert (part["aal_low"] <= part["aal"]).all()
