"""A tenth risk as docs/add-a-risk.md adds it, in a copy of the engine: a module, its line in the names, its figures."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

import engine
from engine.risks import load_edition
from tests.warehouses import fill

ROOT = Path(engine.__file__).parents[1]
PAGE = (ROOT / "docs" / "add-a-risk.md").read_text("utf-8")
MODULE, EDITION, TESTS = re.findall(r"^```(?:python|toml)\n(.*?)^```$", PAGE, re.S | re.M)
STEPS = """
import json, sys
from fastapi.testclient import TestClient
from engine.risks import load_edition
from jobs import schema, yearly
from jobs.serve import create_app

warehouse, results, edition = sys.argv[1:]
run = ["--source", warehouse, "--sink", results, "--risks", "landslide,drought"]
told = {"published": load_edition("2025-11").checksum, "tests": 0}
exec(compile(open("test_landslide.py").read(), "docs/add-a-risk.md", "exec"), space := {})
for name in [name for name in space if name.startswith("test_")]:
    space[name]()
    told["tests"] += 1
told["not held"] = yearly.main(run)
told["not in the schema"] = yearly.main([*run, "--edition", edition])
told["schema"] = schema.main(["--application", results])
told["run"] = yearly.main([*run, "--edition", edition])
with TestClient(create_app()) as client:
    told["map"] = client.get("/api/v1/map").json()
    place = {"lat": 35.1, "lon": 127.2, "risk_type": "landslide"}
    told["http"] = client.get("/api/v1/probability", params=place).json()
    site = {"latitude": 35.1, "longitude": 127.2, "risk_types": ["landslide"]}
    told["site"] = client.post("/api/v1/risk-assessment/calculate", json=site).status_code
    told["page"] = client.get("/").status_code
print(json.dumps(told))
"""


@pytest.fixture
def extended(tmp_path):
    """A folder with the engine and the risk `landslide` in it."""
    house = tmp_path / "house"
    for folder in ("core", "risks"):
        (house / "engine" / folder).mkdir(parents=True)
    for folder, changed in (("", ("core", "risks")), ("core", ("names.py",)), ("risks", ())):
        for path in (ROOT / "engine" / folder).iterdir():
            if path.name not in (*changed, "__pycache__"):
                (house / "engine" / folder / path.name).symlink_to(path)
    for folder in ("jobs", "tests"):
        (house / folder).symlink_to(ROOT / folder)
    names = (ROOT / "engine" / "core" / "names.py").read_text("utf-8")
    line = '    "water_stress",\n)'
    assert line in names
    (house / "engine" / "core" / "names.py").write_text(names.replace(line, '    "water_stress",\n    "landslide",\n)'))
    (house / "engine" / "risks" / "landslide.py").write_text(MODULE)
    (house / "house.toml").write_text(EDITION)
    (house / "test_landslide.py").write_text(TESTS)
    return house


def test_a_tenth_risk_is_a_module_a_line_and_figures_and_runs_from_source_to_page(extended, warehouse, results):
    fill(warehouse)
    environment = os.environ | {
        "PYTHONPATH": str(extended), "DW_URL": warehouse, "APP_URL": results, "ENGINE_HOME": str(extended / "home"),
    }  # fmt: skip
    child = subprocess.run(
        [sys.executable, "-c", STEPS, warehouse, results, str(extended / "house.toml")],
        cwd=extended, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    told = json.loads(child.stdout.splitlines()[-1])
    # a risk that an edition does not hold moves nothing of it
    assert told["published"] == load_edition("2025-11").checksum
    assert told["tests"] == 2
    assert (told["not held"], told["not in the schema"], told["schema"]) == (2, 1, 0), child.stderr
    assert "the edition has no figures for landslide" in child.stderr
    assert "an edition of your own adds [landslide]" in child.stderr
    assert "no partition hazard_results_landslide" in child.stderr
    assert "add it with python -m jobs.schema" in child.stderr
    assert "results schema in" in child.stderr
    assert "risk landslide" in child.stderr
    assert "landslide" in told["map"]["risks"]
    assert told["http"]["risk_type"] == "landslide"
    assert len(told["http"]["bin_data"]) == 5
    with psycopg.connect(results) as connection:
        assert connection.execute("SELECT ordinal FROM risk_types WHERE risk_type = 'landslide'").fetchone() == (10,)
        kept = connection.execute(
            "SELECT DISTINCT risk_type FROM probability_results WHERE aal IS NOT NULL ORDER BY 1"
        ).fetchall()
        assert kept == [("drought",), ("landslide",)]
        # runs that were refused have begun nothing
        assert connection.execute("SELECT count(*) FROM result_runs").fetchone() == (1,)
