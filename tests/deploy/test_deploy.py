"""What deploy/ and .github/ say is valid, names only what exists, and keeps to the rules of a hardened container.

The image itself is built and tried by deploy/prove_image.py, which takes minutes.
"""

from __future__ import annotations

import http.server
import importlib
import json
import re
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from dockerfile_parse import DockerfileParser

from engine.core import settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
FOLDERS = [DEPLOY / "kubernetes" / name for name in ("base", "dask")]
#: read by libraries, not by engine.core.settings
LIBRARIES = {"NUMBA_NUM_THREADS", "POLARS_MAX_THREADS"}
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY$|_DSN$|_URL$")
BIN = Path(sys.executable).parent


def documents(path):
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def resources():
    for folder in FOLDERS:
        for path in sorted(folder.glob("*.yaml")):
            if path.name != "kustomization.yaml":
                yield from documents(path)


def pods():
    """(name, pod template) of everything that runs."""
    for made in resources():
        spec = made.get("spec", {})
        if "jobTemplate" in spec:
            spec = spec["jobTemplate"]["spec"]
        if "template" in spec:
            yield made["metadata"]["name"], spec["template"]["spec"]


def services():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]


def commands():
    """Every command line that the files start the engine with."""
    for name, service in services().items():
        if service["image"].startswith("climate-risk-engine"):
            yield f"compose {name}", service["command"]
    for name, pod in pods():
        for container in pod["containers"]:
            yield f"kubernetes {name}", [*container.get("command", []), *container["args"]]
    patches = yaml.safe_load((FOLDERS[1] / "kustomization.yaml").read_text())["patches"]
    for patch in patches:
        for step in yaml.safe_load(patch["patch"]):
            yield "kubernetes dask patch", step["value"]


def check_schema(kind, *paths):
    done = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", kind, *map(str, paths)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_compose_and_workflows_fit_their_schemas():
    check_schema("vendor.compose-spec", DEPLOY / "compose.yaml")
    check_schema("vendor.github-workflows", *sorted((ROOT / ".github/workflows").glob("*.yaml")))


def test_a_change_and_a_release_pass_what_the_own_command_asks_for():
    workflows = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / ".github/workflows").glob("*.yaml")}
    run = {step["run"] for job in workflows["ci"]["jobs"].values() for step in job["steps"] if "run" in step}
    asked = [line for line in (ROOT / ".ci/run").read_text().splitlines() if line.startswith(("./", "."))]
    assert len(asked) == 2
    assert set(asked) <= run
    publishing = {name: job for name, job in workflows["release"]["jobs"].items() if "steps" in job}
    assert publishing
    for name, job in publishing.items():
        assert job["needs"] == "ci", name


@pytest.mark.parametrize("version", ["1.31", kubernetes_validate.latest_version()])
def test_manifests_fit_the_schemas_of_kubernetes(version):
    found = 0
    for made in resources():
        kubernetes_validate.validate(made, version, strict=True)
        found += 1
    assert found > 15


def test_the_policy_for_webhooks_is_one_and_chooses_pods_that_exist():
    [text] = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/webhooks.md").read_text(), re.S)
    policy = yaml.safe_load(text)
    kubernetes_validate.validate(policy, kubernetes_validate.latest_version(), strict=True)
    [chosen] = policy["spec"]["podSelector"]["matchExpressions"]
    assert set(chosen["values"]) <= {name for name, _ in pods()}


def test_kustomizations_list_every_file_and_the_version_of_the_project():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for folder in FOLDERS:
        made = yaml.safe_load((folder / "kustomization.yaml").read_text())
        files = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
        assert {name for name in made["resources"] if name.endswith(".yaml")} == files
        assert [image["newTag"] for image in made["images"]] == [version]


def test_the_dockerfile_is_linted_and_takes_nothing_unchecked():
    done = subprocess.run([BIN / "hadolint", DEPLOY / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    with (DEPLOY / "Dockerfile").open("rb") as file:
        steps = [(step["instruction"], step["value"]) for step in DockerfileParser(fileobj=file).structure]
    names = [name for name, _ in steps]
    assert "ADD" not in names
    assert "HEALTHCHECK" in names
    assert [value for name, value in steps if name == "USER"] == ["10001"]
    for name, value in steps:
        if name in ("ARG", "ENV"):
            assert not any(SECRET.search(word.partition("=")[0]) for word in value.split()), value
        for install in re.findall(r"pip [^&]*?install [^&]*", value):
            assert "--require-hashes" in install or "--no-index" in install, install
    # an allow list: a secret beside the sources cannot be sent to the builder
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert not any(".env" in rule or "secrets" in rule for rule in rules)


@pytest.mark.parametrize(("listens_on", "healthy"), [("0.0.0.0", True), ("127.0.0.1", False)])
def test_a_container_is_healthy_only_where_its_service_can_be_reached_from_outside(listens_on, healthy):
    with (DEPLOY / "Dockerfile").open("rb") as file:
        [check] = [
            step["value"] for step in DockerfileParser(fileobj=file).structure if step["instruction"] == "HEALTHCHECK"
        ]
    _, *words = json.loads(check.partition(" CMD ")[2])
    with http.server.HTTPServer((listens_on, 0), _Healthy) as service:
        thread = threading.Thread(target=service.serve_forever, args=(0.01,))
        thread.start()
        done = subprocess.run([sys.executable, *words], env={"API_PORT": str(service.server_port)}, capture_output=True)
        service.shutdown()
        thread.join()
    assert (done.returncode == 0) is healthy


class _Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_every_setting_in_the_files_exists():
    known = {name.upper() for name in settings.Settings.model_fields} | LIBRARIES
    named = set()
    for service in services().values():
        if service["image"].startswith("climate-risk-engine"):
            named |= set(service["environment"])
            targets = [s["target"] if isinstance(s, dict) else s for s in service.get("secrets", [])]
            named |= {target.upper() for target in targets}
    for made in resources():
        if made["kind"] == "ConfigMap":
            named |= set(made["data"])
    for _, pod in pods():
        named |= {entry["name"] for container in pod["containers"] for entry in container.get("env", [])}
    assert named - known == set()
    assert "EMBEDDED" in services()["yearly"]["environment"]  # no run of the sample in the place of the year
    shared = next(made for made in resources() if made["kind"] == "ConfigMap")
    assert shared["data"]["EMBEDDED"] == "false"
    assert {"DW_PASSWORD", "APP_PASSWORD", "API_KEY", "SCHEDULED_RUNS"} <= named


def options_of(words, capsys):
    """The options that the program of a command line has."""
    if words[0] == "dask":
        program = importlib.import_module(f"distributed.cli.dask_{words[1]}").main
        return {option for parameter in program.params for option in (*parameter.opts, *parameter.secondary_opts)}
    with pytest.raises(SystemExit):
        importlib.import_module(words[0]).main(["--help"])
    return set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out))


def test_every_command_in_the_files_has_the_options_it_is_given(capsys):
    for where, words in commands():
        given = {word for word in words if word.startswith("--")}
        assert given <= options_of(words, capsys), f"{where}: {words}"


def test_pods_are_as_confined_as_they_can_be_and_say_what_they_need():
    for name, pod in pods():
        assert pod["automountServiceAccountToken"] is False, name
        outer = pod["securityContext"]
        assert (outer["runAsNonRoot"], outer["seccompProfile"]["type"]) == (True, "RuntimeDefault"), name
        for container in pod["containers"]:
            inner = container["securityContext"]
            assert inner == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
            assert "memory" in container["resources"]["limits"], name
            assert "/tmp" in [mount["mountPath"] for mount in container["volumeMounts"]], name
            for entry in container.get("env", []):
                if SECRET.search(entry["name"]):
                    assert "secretKeyRef" in entry["valueFrom"], f"{name}: {entry['name']}"
        claimed = {volume["name"] for volume in pod["volumes"]}
        mounted = {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}
        assert claimed == mounted, name


def test_no_container_of_compose_is_given_a_secret_in_words_or_a_way_around_its_fences():
    for name, service in services().items():
        assert not any(SECRET.search(key) for key in service["environment"] if not key.endswith("_FILE")), name
        if service["image"].startswith("climate-risk-engine"):
            assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
            assert service["security_opt"] == ["no-new-privileges:true"], name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name} listens to the world"


def test_the_year_of_the_cluster_is_the_year_of_the_listener():
    config = settings.Settings(_env_file=None)
    year = next(made for made in resources() if made["kind"] == "CronJob" and made["metadata"]["name"] == "yearly")
    cron = (
        f"{config.probability_schedule_minute} {config.probability_schedule_hour}"
        f" {config.probability_schedule_day} {config.probability_schedule_month} *"
    )
    assert (year["spec"]["schedule"], year["spec"]["timeZone"]) == (cron, config.zone)
    assert year["spec"]["concurrencyPolicy"] == "Forbid"
    assert year["spec"]["startingDeadlineSeconds"] == config.misfire_grace_hours * 3600
    shared = next(made for made in resources() if made["kind"] == "ConfigMap")
    assert json.loads(shared["data"]["SCHEDULED_RUNS"]) is False  # two schedules would compute the year twice
