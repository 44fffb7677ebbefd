"""Checks the manifests: `python deploy/k8s/validate.py [folder …]`; without one, the base and every overlay beside this file.

Renders each, then holds it against Kubernetes' schemas (oldest and newest version we support), the restricted pod security
standard, and the program: commands, settings, ports, network edges. One line per problem; status 1 if there is one.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import agreement
import edges
import restricted
import wiring
from kubernetes_validate import SchemaNotFoundError, ValidationError, validate
from rendering import CannotRender, Object, containers_of, name_of, pod_of, rendered

HERE = Path(__file__).resolve().parent
VERSIONS = ("1.30", "1.37")
"""Of Kubernetes. The oldest is the first with `sleep` in preStop."""

_valid: set[str] = set()


def main(folders: Sequence[str]) -> int:
    """The process's status."""
    wanted = [Path(one).resolve() for one in folders] or [HERE / "base", *sorted((HERE / "overlays").iterdir())]
    found = [f"{folder.relative_to(folder.parents[1])}: {line}" for folder in wanted for line in problems(folder)]
    for line in found:
        print(line)
    return 1 if found else 0


def problems(folder: Path) -> Iterator[str]:
    """One line for each problem of one folder."""
    try:
        objects = rendered(folder)
    except CannotRender as error:
        yield str(error)
        return
    for one in objects:
        for line in _of_schema(one):
            yield f"{name_of(one)}: {line}"
    yield from wiring.problems(objects)
    for one in objects:
        pod = pod_of(one)
        if pod is not None:
            for line in _of_workload(one["kind"], pod, objects):
                yield f"{name_of(one)}: {line}"


def _of_schema(one: Object) -> Iterator[str]:
    text = json.dumps(one, sort_keys=True)
    if text in _valid:  # an overlay repeats most of the base
        return
    for version in VERSIONS:
        try:
            validate(one, version, strict=True)
        except ValidationError as error:
            where = ".".join(str(part) for part in error.absolute_path) or "object"
            yield f"{where}: {error.message} (Kubernetes {version})"
            return
        except SchemaNotFoundError as error:
            yield error.message
            return
    _valid.add(text)


def _of_workload(kind: str, pod: Object, objects: Sequence[Object]) -> Iterator[str]:
    yield from restricted.problems(pod)
    if pod["spec"].get("enableServiceLinks") is not False:
        yield "enableServiceLinks: set it to false, or services appear as settings that are refused"
    if kind != "Job":
        yield from _soft_end(pod)
    for container in containers_of(pod):
        for line in _of_container(kind, container, pod, objects):
            yield f"container {container['name']}: {line}"


def _soft_end(pod: Object) -> Iterator[str]:
    waits = [
        ((one.get("lifecycle") or {}).get("preStop") or {}).get("sleep", {}).get("seconds", 0)
        for one in containers_of(pod)
    ]
    needed, given = max(waits) + agreement.LAST_RESORT, pod["spec"].get("terminationGracePeriodSeconds", 30)
    if given < needed:
        yield f"terminationGracePeriodSeconds: {given} is less than preStop and the process take, {needed:g}"


def _of_container(kind: str, container: Object, pod: Object, objects: Sequence[Object]) -> Iterator[str]:
    image = container["image"].rpartition("/")[2]
    if image != f"onethread:{agreement.version()}":
        yield f"image {image} is not that of this version, onethread:{agreement.version()}"
    try:
        calls = list(agreement.called(container.get("command", ()), container.get("args", ())))
    except ValueError as error:
        yield str(error)
        return
    for call in calls:
        refusal = agreement.refusal(call)
        if refusal:
            yield f"onethread {' '.join(call)}: {refusal}"
    if kind != "Job":
        yield from wiring.probing(container)
    for call in calls[:1]:
        yield from _of_settings(call, container, pod, objects)


def _of_settings(call: Sequence[str], container: Object, pod: Object, objects: Sequence[Object]) -> Iterator[str]:
    text = _file(_option(call, "--config"), container, pod, objects)
    if text is None:
        yield f"--config {_option(call, '--config')}: no config map is mounted there"
        return
    secrets = agreement.secrets_of(text)
    mounted = _secrets(pod, objects)
    for name in sorted(secrets - mounted if mounted is not None else ()):
        yield f"settings refer to {agreement.SECRETS}{name}, which is not in the secret"
    environment = {one["name"]: one.get("value", "") for one in container.get("env", ())}
    port = next((one["containerPort"] for one in container.get("ports", ())), None)
    wrong = list(agreement.problems(text, environment, secrets, port))
    yield from wrong
    if not wrong:
        policies = [one for one in objects if one["kind"] == "NetworkPolicy"]
        yield from edges.problems(pod, policies, agreement.loaded(text, environment, secrets))


def _option(call: Sequence[str], name: str) -> str:
    return call[call.index(name) + 1] if name in call else ""


def _file(path: str, container: Object, pod: Object, objects: Sequence[Object]) -> str | None:
    """What a container finds at a path, if it is from a config map."""
    folder, _, name = path.rpartition("/")
    mounts = [one["name"] for one in container.get("volumeMounts", ()) if one["mountPath"] == folder]
    for volume in pod["spec"].get("volumes", ()):
        if volume["name"] in mounts and "configMap" in volume:
            found = _named("ConfigMap", volume["configMap"]["name"], objects)
            return None if found is None else found.get("data", {}).get(name)
    return None


def _secrets(pod: Object, objects: Sequence[Object]) -> set[str] | None:
    """Names in the secret that is mounted; None where somebody else makes it."""
    for volume in pod["spec"].get("volumes", ()):
        if "secret" in volume:
            found = _named("Secret", volume["secret"]["secretName"], objects)
            return None if found is None else set(found.get("data", {}))
    return set()


def _named(kind: str, name: str, objects: Sequence[Object]) -> Object | None:
    return next((one for one in objects if one["kind"] == kind and one["metadata"]["name"] == name), None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
