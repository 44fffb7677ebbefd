"""Whether objects that name each other fit: ports, probes, selectors, volumes, budgets. It knows no setting."""

from collections.abc import Iterator, Sequence
from typing import Any

from rendering import Object, containers_of, matches, name_of, pod_of

PROBES = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}


def problems(objects: Sequence[Object]) -> Iterator[str]:
    """One line for each thing that is named and not there."""
    pods = [pod for one in objects if (pod := pod_of(one))]
    for one in objects:
        for line in _selecting(one, pods):
            yield f"{name_of(one)}: {line}"
        for line in _ingress(one, objects):
            yield f"{name_of(one)}: {line}"
    for one in objects:
        if one["kind"] in {"Deployment", "StatefulSet"}:
            for line in _replicated(one, objects):
                yield f"{name_of(one)}: {line}"


def _selecting(one: Object, pods: Sequence[Object]) -> Iterator[str]:
    spec = one.get("spec", {})
    match one["kind"]:
        case "Service":
            selector = {"matchLabels": spec.get("selector")}
        case "PodDisruptionBudget":
            selector = spec["selector"]
        case "NetworkPolicy":
            selector = spec.get("podSelector") or {}
        case _:
            return
    found = [pod for pod in pods if matches(selector, pod["metadata"]["labels"])]
    if not found:
        yield "its selector takes no pod"
    elif one["kind"] == "Service":
        names = {port["name"] for pod in found for box in containers_of(pod) for port in box.get("ports", ())}
        for port in spec["ports"]:
            if port.get("targetPort") not in names:
                yield f"targetPort {port.get('targetPort')} is no named port of its pods"


def _ingress(one: Object, objects: Sequence[Object]) -> Iterator[str]:
    if one["kind"] != "Ingress":
        return
    ports = {
        (service["metadata"]["name"], port["name"])
        for service in objects
        if service["kind"] == "Service"
        for port in service["spec"]["ports"]
    }
    for rule in one["spec"]["rules"]:
        for path in rule["http"]["paths"]:
            service = path["backend"]["service"]
            if (service["name"], service["port"].get("name")) not in ports:
                yield f"{rule['host']}{path['path']}: there is no such port of service {service['name']}"


def _replicated(one: Object, objects: Sequence[Object]) -> Iterator[str]:
    pod = one["spec"]["template"]
    labels = pod["metadata"]["labels"]
    budgets = [b for b in objects if b["kind"] == "PodDisruptionBudget" and matches(b["spec"]["selector"], labels)]
    if one["spec"].get("replicas", 1) < 2:
        yield "replicas: one alone is away while it is replaced"
    if len(budgets) != 1:
        yield f"{len(budgets)} disruption budgets take its pods: one is needed"
    spread = pod["spec"].get("topologySpreadConstraints", ())
    if not any(matches(rule["labelSelector"], labels) for rule in spread):
        yield "topologySpreadConstraints: nothing spreads its pods"
    if one["kind"] == "StatefulSet" and not _has_service(one["spec"]["serviceName"], objects):
        yield f"serviceName: there is no service {one['spec']['serviceName']}"


def _has_service(name: str, objects: Sequence[Object]) -> bool:
    return any(one["kind"] == "Service" and one["metadata"]["name"] == name for one in objects)


def probing(container: Object) -> Iterator[str]:
    """Of a container that serves: each probe asks the path that is made for it, at a port that is there."""
    ports: set[Any] = {value for port in container.get("ports", ()) for value in (port["name"], port["containerPort"])}
    for kind, path in PROBES.items():
        asked = (container.get(kind) or {}).get("httpGet") or {}
        if asked.get("path") != path:
            yield f"{kind}: asks {asked.get('path')}, not {path}"
        if asked.get("port") not in ports:
            yield f"{kind}: port {asked.get('port')} is no port of the container"
