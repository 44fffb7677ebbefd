"""Who may talk to whom: what network policies let through, against what the settings and the services need. Exactly that.

An edge out is (where, port): a namespace, "internet" (without private addresses), or an address block. An edge in is
(namespace, port).
"""

from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from urllib.parse import urlsplit

from rendering import Object, matches

from onethread.settings import Settings

Edge = tuple[str, str]

NAMES = {("kube-system", "UDP 53"), ("kube-system", "TCP 53")}
BY_COMPONENT: dict[str, set[Edge]] = {
    "email-ingest": {("internet", "TCP 443"), ("internet", "TCP 993"), ("internet", "TCP 143")},
    "im-ingest": {("internet", "TCP 443")},
    "social-ingest": {("internet", "TCP 443")},
    "unifier": {("internet", "TCP 443")},  # the bucket of attachments
    "setup": set(),
}
CALLERS = {("ingress", "TCP http"), ("monitoring", "TCP http")}
COMPONENT = "app.kubernetes.io/component"
_PRIVATE = [
    ip_network(one)
    for one in ("10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10")
]


def problems(pod: Object, policies: list[Object], settings: Settings) -> Iterator[str]:
    """One line for each edge that is missing or too many, for the pods of one workload."""
    labels = pod["metadata"]["labels"]
    component = labels.get(COMPONENT, "")
    mine = [one for one in policies if matches(one["spec"].get("podSelector") or {}, labels)]
    for way in ("Ingress", "Egress"):
        if not any(way in one["spec"].get("policyTypes", ()) for one in mine):
            yield f"no network policy closes its {way.lower()}: everything is let through"
    out = NAMES | backends(settings) | BY_COMPONENT.get(component, set())
    yield from _compared("out to", out, _edges(mine, "egress", "to"))
    yield from _compared("in from", CALLERS if component != "setup" else set(), _edges(mine, "ingress", "from"))


def _compared(way: str, needed: set[Edge], allowed: set[Edge]) -> Iterator[str]:
    for where, port in sorted(needed - allowed):
        yield f"network: {way} {where}, {port} is needed, and no policy allows it"
    for where, port in sorted(allowed - needed):
        yield f"network: {way} {where}, {port} is allowed, and nothing needs it"


def backends(settings: Settings) -> set[Edge]:
    """Where the log and the store are, if inside the cluster: `kafka.kafka.svc:9092` is ("kafka", "TCP 9092")."""
    log = settings.log.url.removeprefix("kafka://").rstrip("/").split(",")
    store = urlsplit(settings.store.url.get_secret_value()).netloc.rpartition("@")[2].split(",")
    return {edge for host, port in ((log, "9092"), (store, "27017")) for one in host for edge in _edge(one, port)}


def _edge(address: str, default: str) -> Iterator[Edge]:
    host, _, port = address.partition(":")
    parts = host.split(".")
    if "svc" in parts[1:]:
        yield parts[parts.index("svc") - 1], f"TCP {port or default}"
    elif host:
        yield host, f"TCP {port or default}"


def _edges(policies: Iterable[Object], way: str, peers: str) -> set[Edge]:
    rules = [rule for one in policies for rule in one["spec"].get(way) or ()]
    return {
        (_where(peer), f"{port.get('protocol', 'TCP')} {port.get('port', 'any')}")
        for rule in rules
        for peer in rule.get(peers) or [{}]
        for port in rule.get("ports") or [{}]
    }


def _where(peer: Object) -> str:
    block = peer.get("ipBlock")
    if block:
        return _block(block["cidr"], block.get("except", ()))
    labels = (peer.get("namespaceSelector") or {}).get("matchLabels") or {}
    return str(labels.get("kubernetes.io/metadata.name") or ("any namespace" if peer else "anywhere"))


def _block(cidr: str, without: Iterable[str]) -> str:
    network, left_out = ip_network(cidr), {ip_network(one) for one in without}
    inside = [one for one in _PRIVATE if one.version == network.version]
    return "internet" if network.prefixlen == 0 and left_out.issuperset(inside) else cidr
