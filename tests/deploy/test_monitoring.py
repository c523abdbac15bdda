"""Dashboard, alert rules and units of the service manager: they can be read, and name only what exists."""

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import promql_parser
import psycopg
import pytest
import yaml

from engine.core.settings import Settings
from engine.io.queue import batch_jobs, webhook_outbox
from engine.io.results.sink import RunRecord
from engine.io.results.sink_postgres import PostgresSink
from engine.service.metrics import Metrics
from jobs import listen, serve, yearly

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text())
DASHBOARD = json.loads((DEPLOY / "grafana/climate-risk-engine.json").read_text())
UNITS = sorted((DEPLOY / "systemd").rglob("*.*"))
RUNNABLE = {"serve": serve, "listen": listen, "yearly": yearly}


@pytest.fixture
def exposed(results, tmp_path):
    """Every sample of /metrics, after a bit of everything has happened: (name, labels) -> value."""
    for end, stamp in (("completed", "now()"), ("partial", "NULL")):
        sink = PostgresSink(results)
        record = RunRecord(
            job_type="yearly",
            scope="full",
            edition="2025-11",
            edition_checksum="0" * 64,
            edition_checksums={},
            source_fingerprint="0" * 64,
            baseline="1991-2020",
            total_grids=1,
        )
        with sink.guard("yearly"), psycopg.connect(results) as connection:
            run_id = sink.begin(record, "/nowhere")
            connection.execute(
                f"UPDATE result_runs SET published_at = {stamp}, summary = %s WHERE run_id = %s",
                (json.dumps({"stage_seconds": {"read": 1.5, "compute": 12}}), run_id),
            )
            sink.finish(end, processed=1, failed=0)
        sink.close()
    with psycopg.connect(results, autocommit=True) as connection:
        webhook_outbox.register(connection, ["https://hooks.example"])
        for _ in range(3):
            lost = batch_jobs.create(connection, batch_jobs.SITE, {})
        batch_jobs.start(connection, lost)
        connection.execute("UPDATE batch_jobs SET updated_at = '2020-01-01' WHERE batch_id = %s", (lost,))
        assert batch_jobs.fail_lost(connection) == [lost]
        connection.execute(
            "INSERT INTO batch_job_logs (job_type, started_at, completed_at, status)"
            " VALUES ('check', now(), now(), 'partial')"
        )
        metrics = Metrics()
        metrics.requests.labels("GET", "/health", "200").inc()
        metrics.seconds.labels("GET", "/health").observe(0.1)
        metrics.connections.labels("requests_waiting").set(0)
        metrics.read(connection)
        metrics.read_disk(tmp_path / "not" / "yet")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
    }


def value(exposed, name, **labels):
    return exposed[name, tuple(sorted(labels.items()))]


def test_metrics_say_how_runs_jobs_webhooks_and_the_disk_are(exposed):
    now = datetime.now(UTC).timestamp()
    for kind in ("probability", "hazard"):
        assert now - 60 < value(exposed, "published_run_timestamp_seconds", kind=kind) <= now
        assert value(exposed, "published_run_info", kind=kind, run_id="1", edition="2025-11", scope="full") == 1
    assert [key for key in exposed if key[0] == "last_run_status"] == [
        ("last_run_status", (("job_type", "yearly"), ("status", "partial")))
    ]
    assert 0 <= value(exposed, "last_run_seconds", job_type="yearly") < 60
    assert now - 60 < value(exposed, "schedule_check_timestamp_seconds", status="partial") <= now
    assert value(exposed, "published_run_stage_seconds", job_type="yearly", stage="compute") == 12
    assert value(exposed, "batch_jobs", job_type=batch_jobs.SITE, status="queued") == 2
    assert value(exposed, "batch_jobs_lost", job_type=batch_jobs.SITE) == 1
    assert 0 < value(exposed, "batch_jobs_oldest_queued_seconds") < 60
    assert value(exposed, "webhook_deliveries", state="waiting") == 1
    assert value(exposed, "webhook_deliveries", state="given_up") == 0
    assert 0 < value(exposed, "webhook_oldest_waiting_seconds") < 60
    assert (
        0
        < value(exposed, "disk_free_bytes", place="engine_home")
        < value(exposed, "disk_size_bytes", place="engine_home")
    )


def test_metrics_are_there_without_the_tables_of_webhooks(results):
    with psycopg.connect(results, autocommit=True) as connection:
        connection.execute("DROP TABLE webhook_targets, webhook_deliveries CASCADE")
        metrics = Metrics()
        metrics.read(connection)
    assert b"webhook_deliveries{" not in metrics.text()


def expressions():
    """(where, PromQL) of every rule, panel and annotation; Grafana's own variables as what they stand for."""
    for group in RULES["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    asked = [
        *((panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]),
        *((each["name"], each["expr"]) for each in DASHBOARD["annotations"]["list"]),
    ]
    for where, text in asked:
        yield where, text.replace("$__rate_interval", "5m").replace("$instance", ".*")


def selectors(expression):
    """Every (metric, labels that it is chosen by) of a parsed expression."""
    found = []

    def visit(part):
        if isinstance(part, promql_parser.VectorSelector):
            found.append((part.name, {each.name for each in part.matchers.matchers}))

    promql_parser.walk(expression, visit, lambda _: True)
    return found


def test_rules_and_panels_ask_for_metrics_and_labels_that_exist(exposed):
    labels = {}
    for name, pairs in exposed:
        labels.setdefault(name, set()).update(label for label, _ in pairs)
    asked = set()
    for where, text in expressions():
        for name, chosen_by in selectors(promql_parser.parse(text)):
            assert name in labels, f"{where}: no metric {name}"
            unknown = chosen_by - labels[name] - {"instance"}
            assert not unknown, f"{where}: {name} has no label {unknown}"
            asked.add(name)
    forgotten = {name.removesuffix("_created") for name in labels if not name.endswith(("_created", "_sum", "_count"))}
    assert forgotten - asked == set()  # nothing is measured that nobody looks at


def test_words_of_states_in_rules_are_those_of_the_database(results):
    with psycopg.connect(results) as connection:
        known = " ".join(
            text for (text,) in connection.execute(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c' AND"
                " conrelid IN ('batch_jobs'::regclass, 'batch_job_logs'::regclass)"
            )
        )  # fmt: skip
    for where, text in expressions():
        for words in re.findall(r'[{,]status=~?"([a-z|]+)"', text):
            for word in words.split("|"):
                assert f"'{word}'" in known, f"{where}: {word}"


def test_every_alert_says_what_it_means_and_what_to_do():
    names = [rule["alert"] for group in RULES["groups"] for rule in group["rules"]]
    assert len(set(names)) == len(names) > 10
    for group in RULES["groups"]:
        for rule in group["rules"]:
            assert set(rule["annotations"]) == {"summary", "action"}
            assert rule["labels"]["severity"] in ("page", "ticket")
            assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}


def test_the_dashboard_can_be_loaded_beside_any_prometheus():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    source = {"type": "prometheus", "uid": "${datasource}"}
    variables = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    for panel in DASHBOARD["panels"]:
        assert panel["datasource"] == source
        assert all(target["datasource"] == source for target in panel["targets"])
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    for _, expression in (
        (panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]
    ):
        for used in re.findall(r"\$\{?(\w+)", expression):
            assert used in variables or used.startswith("__")


def units(kind):
    return [path for path in UNITS if path.suffix == kind]


def read(path):
    """Section -> [(key, value)]; keys may come again."""
    sections, here = {}, None
    for line in path.read_text().splitlines():
        if line.startswith("["):
            here = sections.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            key, found, text = line.partition("=")
            assert found, f"{path}: {line}"
            here.append((key, text))
    return sections


@pytest.mark.parametrize("path", units(".service"), ids=lambda path: path.stem)
def test_a_unit_runs_a_job_that_exists_and_refuses_the_sample(path, capsys):
    service = read(path)["Service"]
    [command] = [text for key, text in service if key == "ExecStart"]
    python, dash, job, *words = command.split()
    assert Path(python).is_absolute()
    assert (dash, words) == ("-m", ["--servers", "--env-file", "/etc/climate-risk/settings.env"])
    with pytest.raises(SystemExit):
        RUNNABLE[job.removeprefix("jobs.")].main(["--help"])
    options = set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out))
    assert {"--servers", "--env-file"} <= options
    known = {name.upper() for name in Settings.model_fields}
    for key, text in service:
        if key == "LoadCredential":
            assert text.partition(":")[0].upper() in known
        if key == "Environment":
            assert {word.partition("=")[0] for word in text.split()} <= known
            assert "PASSWORD" not in text


def test_the_timer_is_the_year_of_the_settings():
    config = Settings(_env_file=None)
    [timer] = [read(path)["Timer"] for path in units(".timer")]
    assert dict(timer)["OnCalendar"] == (
        f"*-{config.probability_schedule_month:02}-{config.probability_schedule_day:02}"
        f" {config.probability_schedule_hour:02}:{config.probability_schedule_minute:02}:00 {config.zone}"
    )
    assert ("Environment", "SCHEDULED_RUNS=false") in read(DEPLOY / "systemd/climate-risk-listen.service")["Service"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here; the units are read above")
def test_the_service_manager_understands_every_line_of_the_units(tmp_path):
    shutil.copytree(DEPLOY / "systemd", tmp_path, dirs_exist_ok=True)
    for path in tmp_path.glob("*.service"):  # it looks whether the program is there
        path.write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", path.read_text()))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *tmp_path.glob("climate-risk-*.service"), *tmp_path.glob("*.timer")],
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_documented_lines_of_cron_work_from_anywhere_and_refuse_the_sample():
    page = (DEPLOY.parent / "docs/operations.md").read_text()
    lines = re.findall(r"^    [\d*]+ [\d*]+ [\d*]+ [\d*]+ [\d*]+ (.*)$", page, re.M)
    assert [line.split()[3] for line in lines] == ["jobs.yearly", "jobs.clean"]
    for line in lines:
        python, safe, dash, _, *words = line.split()
        assert Path(python).is_absolute()
        assert (safe, dash) == ("-P", "-m")  # no module is taken from $HOME
        assert words[:2] == ["--servers", "--env-file"]
        assert Path(words[2]).is_absolute()
        assert "%" not in line  # a line break for cron
