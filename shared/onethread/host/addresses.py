"""Which network addresses the host connects to for a connector. It resolves and decides; it opens no connection.

URLs come from messages, redirects and settings: without this, a customer could make us read our own network (SSRF). The
name is resolved once and the connection goes to the very address that was checked, so that a second answer of the name
server (DNS rebinding) changes nothing.
"""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from onethread.host.faults import AddressRefused

Network = IPv4Network | IPv6Network
_NAT64 = IPv6Network("64:ff9b::/96")
"""IPv4 inside IPv6 (RFC 6052)."""


async def checked_addresses(host: str, port: int, allowed: Sequence[Network]) -> list[str]:
    """The addresses of `host` that may be connected to, best first. Raises AddressRefused for none, and OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    good = [address for address in addresses if permitted(address, allowed)]
    if not good:
        raise AddressRefused(
            f"{host} is at a private address ({', '.join(addresses[:3])}), which is not connected to; "
            "if that is meant, name its network in the channel's allow_networks"
        )
    return good


def permitted(address: str, allowed: Sequence[Network]) -> bool:
    """Whether an address is public, or in a network that a setting names."""
    ip = _embedded(ip_address(address.partition("%")[0]))
    if any(ip in network for network in allowed if network.version == ip.version):
        return True
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _embedded(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for: what is connected to in the end."""
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            return ip.ipv4_mapped
        if ip.sixtofour is not None:
            return ip.sixtofour
        if ip in _NAT64:
            return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip
