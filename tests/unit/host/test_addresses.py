from ipaddress import ip_network

import pytest

from onethread.host.addresses import checked_addresses, permitted
from onethread.host.faults import AddressRefused


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert not permitted(address, ())


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_ones_are_not(address: str) -> None:
    assert permitted(address, ())


def test_a_setting_allows_what_it_names_and_no_more() -> None:
    allowed = (ip_network("127.0.0.0/8"), ip_network("fd00::/8"))
    assert permitted("127.0.0.1", allowed)
    assert permitted("::ffff:127.0.0.1", allowed)
    assert permitted("fd00::1", allowed)
    assert not permitted("10.0.0.1", allowed)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "localhost", "0", "::ffff:7f00:1"])
async def test_however_a_private_address_is_written_it_is_refused(host: str) -> None:
    with pytest.raises(AddressRefused, match="allow_networks"):
        await checked_addresses(host, 80, ())
