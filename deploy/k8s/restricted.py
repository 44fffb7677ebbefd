"""Kubernetes' pod security standard "restricted", and what we ask beyond it. It knows no service.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/, profile Restricted, which includes Baseline.
"""

from collections.abc import Iterator

from rendering import Object, containers_of

VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
PROFILES = ("RuntimeDefault", "Localhost")


def problems(pod: Object) -> Iterator[str]:
    """One line for each rule that a pod template breaks."""
    spec = pod.get("spec", {})
    yield from _pod(spec)
    for container in containers_of(pod):
        for line in _container(container, spec.get("securityContext") or {}):
            yield f"container {container.get('name')}: {line}"


def _pod(spec: Object) -> Iterator[str]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield f"{key} shares a namespace of the node: take it out"
    for volume in spec.get("volumes", ()):
        for kind in volume.keys() - {"name"} - VOLUMES:
            yield f"volume {volume['name']}: {kind} is not allowed"
    if (spec.get("securityContext") or {}).get("sysctls"):
        yield "securityContext.sysctls: take them out"
    if spec.get("automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken: set it to false"
    if spec.get("serviceAccountName", "default") == "default":
        yield "serviceAccountName: name an account of its own"


def _container(container: Object, of_pod: Object) -> Iterator[str]:
    own = container.get("securityContext") or {}
    both = {**of_pod, **own}
    if both.get("runAsNonRoot") is not True:
        yield "runAsNonRoot: set it to true"
    if both.get("runAsUser") == 0:
        yield "runAsUser: 0 is root"
    if (both.get("seccompProfile") or {}).get("type") not in PROFILES:
        yield "seccompProfile: set type RuntimeDefault"
    yield from _rights(own)
    if own.get("readOnlyRootFilesystem") is not True:
        yield "readOnlyRootFilesystem: set it to true"
    yield from _shares(container)


def _rights(own: Object) -> Iterator[str]:
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation: set it to false"
    if own.get("privileged"):
        yield "privileged: take it out"
    if own.get("procMount", "Default") != "Default":
        yield "procMount: take it out"
    capabilities = own.get("capabilities") or {}
    if "ALL" not in capabilities.get("drop", ()):
        yield "capabilities: drop ALL"
    if set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}:
        yield f"capabilities: {', '.join(capabilities['add'])} may not be added"


def _shares(container: Object) -> Iterator[str]:
    if any(port.get("hostPort") for port in container.get("ports", ())):
        yield "hostPort: take it out"
    resources = container.get("resources") or {}
    if not {"cpu", "memory"} <= (resources.get("requests") or {}).keys():
        yield "resources.requests: say cpu and memory"
    if "memory" not in (resources.get("limits") or {}):
        yield "resources.limits: say memory"
