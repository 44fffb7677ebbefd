"""What is deployed fits the program: manifests, compose file and image, each held against the command and the settings."""

import importlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from onethread.host.lifecycle import GRACE
from onethread.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("email_ingest", "im_ingest", "social_ingest", "unifier")
EXAMPLE = ROOT / "deploy" / "onethread.example.yaml"


@pytest.fixture(scope="module", autouse=True)
def checks() -> Iterator[None]:
    sys.path.insert(0, str(ROOT / "deploy" / "k8s"))
    yield
    sys.path.remove(str(ROOT / "deploy" / "k8s"))


@pytest.fixture
def agreement() -> ModuleType:
    return importlib.import_module("agreement")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return document


def found(folder: Path, which: str) -> list[str]:
    return list(importlib.import_module("validate").problems(folder / which))


# --- Kubernetes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["base", "overlays/example"])
def test_the_manifests_have_no_problem(which: str) -> None:
    assert found(ROOT / "deploy" / "k8s", which) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("base/pod.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "readOnlyRootFilesystem"),
        ("base/pod.yaml", "drop: [ALL]", "drop: [NET_RAW]", "capabilities: drop ALL"),
        ("base/pod.yaml", "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"),
        ("base/pod.yaml", "type: RuntimeDefault", "type: Unconfined", "seccompProfile"),
        ("base/pod.yaml", "enableServiceLinks: false", "enableServiceLinks: true", "enableServiceLinks"),
        ("base/pod.yaml", "emptyDir:\n            sizeLimit: 1280Mi", "hostPath: {path: /tmp}", "hostPath is not"),
        ("base/email-ingest.yaml", "run, email_ingest]", "run, mail_ingest]", "'mail_ingest' is not one of"),
        ("base/setup.yaml", "indexes apply", "indices apply", "No such command 'indices'"),
        ("base/setup.yaml", "onethread --config", "curl --config", "calls something else"),
        ("base/serving.yaml", "path: /readyz", "path: /ready", "readinessProbe: asks /ready"),
        ("base/serving.yaml", "containerPort: 8080", "containerPort: 8081", "http.port is 8080"),
        ("base/serving.yaml", "Seconds: 40", "Seconds: 30", "terminationGracePeriodSeconds: 30"),
        ("base/onethread.yaml", "replication: 3", "replicas: 3", "log.replicas: there is no such setting"),
        ("base/onethread.yaml", "keys:", "other_keys:", "other_keys: there is no such setting"),
        ("base/onethread.yaml", "kafka.kafka.svc", "kafka.streams.svc", "out to streams, TCP 9092 is needed"),
        ("base/network.yaml", "port: 993", "port: 25", "out to internet, TCP 25 is allowed, and nothing needs it"),
        ("base/network.yaml", "10.0.0.0/8, ", "", "out to 0.0.0.0/0, TCP 443 is allowed"),
        ("base/unifier.yaml", "replicas: 2", "replica: 2", "replica"),
        ("base/unifier.yaml", "targetPort: http", "targetPort: web", "targetPort web"),
        ("base/unifier.yaml", "serviceName: unifier-pods", "serviceName: pods", "there is no service pods"),
        ("base/kustomization.yaml", "newTag: 0.1.0", "newTag: latest", "onethread:latest is not that of this version"),
        ("base/kustomization.yaml", "  - setup.yaml", "  - set-up.yaml", "set-up.yaml"),
    ],
)
def test_a_broken_manifest_is_found(tmp_path: Path, file: str, old: str, new: str, said: str) -> None:
    folder = changed(tmp_path, file, old, new)
    assert any(said in line for line in found(folder, "base"))


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("kustomization.yaml", "      - secrets/telegram_token\n", "", "telegram_token, which is not in the secret"),
        ("onethread.yaml", "bot_username:", "bot_name:", "channels.chn_shop_bot.settings.bot_name"),
        ("onethread.yaml", "connector: imap", "connector: pop3", "there is no connector 'pop3'"),
        ("public-urls.yaml", "ONETHREAD_HTTP__PUBLIC_URL", "ONETHREAD_PUBLIC_URL", "ONETHREAD_PUBLIC_URL"),
        ("ingress.yaml", "name: unifier", "name: api", "there is no such port of service api"),
    ],
)
def test_a_broken_overlay_is_found(tmp_path: Path, file: str, old: str, new: str, said: str) -> None:
    folder = changed(tmp_path, f"overlays/example/{file}", old, new)
    assert any(said in line for line in found(folder, "overlays/example"))


def changed(tmp_path: Path, file: str, old: str, new: str) -> Path:
    folder = tmp_path / "k8s"
    shutil.copytree(ROOT / "deploy" / "k8s", folder, ignore=shutil.ignore_patterns("secrets", "__pycache__"))
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new), encoding="utf-8")
    return folder


def test_the_command_prints_a_line_for_each_problem_and_fails(tmp_path: Path) -> None:
    folder = changed(tmp_path, "base/serving.yaml", "path: /readyz", "path: /ready")
    command = [sys.executable, ROOT / "deploy" / "k8s" / "validate.py", folder / "base"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == len(SERVICES)
    assert "k8s/base: Deployment/email-ingest: container onethread: readinessProbe" in done.stdout


# --- compose -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*SERVICES, "setup"])
def test_a_service_of_compose_calls_what_there_is(compose: dict[str, Any], agreement: ModuleType, name: str) -> None:
    service = compose["services"][name]
    calls = list(agreement.called(service.get("entrypoint", ()), service["command"]))
    assert [agreement.refusal(call) for call in calls] == [None] * len(calls)
    assert name == "setup" or calls == [["run", name]]


@pytest.mark.parametrize("name", [*SERVICES, "setup"])
def test_a_service_of_compose_loads_its_settings(compose: dict[str, Any], agreement: ModuleType, name: str) -> None:
    service = compose["services"][name]
    environment = service.get("environment", {})
    port = int(service["ports"][0].rpartition(":")[2]) if "ports" in service else None
    for text in (EXAMPLE.read_text(encoding="utf-8"), with_channels()):
        assert list(agreement.problems(text, environment, set(service["secrets"]), port)) == []


def test_the_example_names_a_channel_of_each_family(agreement: ModuleType) -> None:
    text = with_channels()
    settings = agreement.loaded(text, {}, agreement.secrets_of(text))
    assert [one.connector for one in settings.channels] == ["imap", "telegram", "mastodon"]


def with_channels() -> str:
    """The example, its channels uncommented as its reader would."""
    before, mark, channels = EXAMPLE.read_text(encoding="utf-8").partition("# channels:\n")
    assert mark
    return (
        before
        + "channels:\n"
        + "".join(line.removeprefix("# ") for line in channels.splitlines(keepends=True) if line != "#\n")
    )


@pytest.mark.parametrize("name", [*SERVICES, "setup"])
def test_a_service_of_compose_has_no_rights(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_of_compose_waits_for_what_it_needs(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["depends_on"]["setup"] == {"condition": "service_completed_successfully"}
    assert int(service["stop_grace_period"].removesuffix("s")) > GRACE + 1
    assert service["restart"] == "unless-stopped"
    assert "/readyz" in service["healthcheck"]["test"][-1]


def test_backends_of_compose_are_those_of_the_example(compose: dict[str, Any], agreement: ModuleType) -> None:
    settings = agreement.loaded(EXAMPLE.read_text(encoding="utf-8"), {}, {"onethread_key"})
    kafka, mongo = compose["services"]["kafka"], compose["services"]["mongo"]
    assert settings.log.url == "kafka://" + kafka["environment"]["KAFKA_ADVERTISED_LISTENERS"].partition("://")[2]
    assert settings.store.url.get_secret_value() == "mongodb://mongo:27017/?replicaSet=rs0"
    assert mongo["command"][:3] == ["mongod", "--replSet", "rs0"]
    assert 'host: "mongo:27017"' in mongo["healthcheck"]["test"][-1]
    blobs = [volume for volume in compose["services"]["unifier"]["volumes"] if volume.startswith("blobs:")]
    assert settings.blobs.url == "file://" + blobs[0].partition(":")[2]


def test_the_backends_of_compose_are_reachable_from_inside_only(compose: dict[str, Any]) -> None:
    assert compose["networks"]["backend"] == {"internal": True}
    for name in ("kafka", "mongo"):
        assert compose["services"][name]["networks"] == ["backend"]
        assert "ports" not in compose["services"][name]
    published = [port for one in compose["services"].values() for port in one.get("ports", ())]
    assert len(published) == len(set(published)) == len(SERVICES)
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_script_makes_every_secret_of_compose_and_changes_none(tmp_path: Path, compose: dict[str, Any]) -> None:
    folder = tmp_path / "secrets"
    script = ["sh", str(ROOT / "deploy" / "secrets.sh"), str(folder), "kafka_password"]
    subprocess.run(script, check=True, capture_output=True)
    made = {file.name: file.read_text(encoding="ascii") for file in folder.iterdir()}
    assert {Path(one["file"]).name for one in compose["secrets"].values()} | {"kafka_password"} == made.keys()
    assert len(made["onethread_key"]) == 64
    (folder / "telegram_token").write_text("700100200:example", encoding="ascii")
    subprocess.run(script, check=True, capture_output=True)
    after = {file.name: file.read_text(encoding="ascii") for file in folder.iterdir()}
    assert after == made | {"telegram_token": "700100200:example"}


# --- the image -----------------------------------------------------------------------------------------------------


def test_the_image_is_pinned_unprivileged_and_asks_for_its_health(agreement: ModuleType) -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = text.replace("\\\n", " ").splitlines()
    assert [line for line in lines if line.startswith("FROM")] == ["FROM ${PYTHON} AS build", "FROM ${PYTHON}"]
    assert any(line.startswith("ARG PYTHON=python:3.13.") for line in lines)
    assert "USER 10001:10001" in lines
    assert 'ENTRYPOINT ["onethread"]' in lines
    assert "--require-hashes" in text
    assert "/healthz" in next(line for line in lines if line.startswith("HEALTHCHECK"))
    assert agreement.image_environment() == {"ONETHREAD_DATA": "/var/lib/onethread", "ONETHREAD_HTTP__HOST": "0.0.0.0"}


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [
        name for line in lines if line.startswith("COPY") and "--from" not in line for name in shlex.split(line)[1:-1]
    ]
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"}
    assert set(copied) == kept
    assert all((ROOT / name).exists() for name in copied)


# --- the handbook --------------------------------------------------------------------------------------------------


def handbook() -> str:
    return (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_settings_in_the_handbook_are_there() -> None:
    table = handbook().partition("| setting | |\n|---|---|\n")[2].partition("\n\n")[0]
    named = [name for row in table.splitlines() for name in re.findall(r"`([a-z_.]+)`", row.split("|")[1])]
    assert len(named) > 15
    for name in named:
        model: Any = Settings
        for part in name.split("."):
            model = model.model_fields[part].annotation


def test_commands_in_the_handbook_are_there(agreement: ModuleType) -> None:
    called = re.findall(r"[`\n ]onethread ([a-z][^`\n,]*)", handbook())
    calls = [shlex.split(call) for call in called if not call.startswith(("rollout", "delete"))]
    assert len(calls) > 10
    refused = {shlex.join(call): agreement.refusal([one for one in call if one != "…"]) for call in calls}
    assert {call: why for call, why in refused.items() if why and "Missing argument" not in why} == {}
