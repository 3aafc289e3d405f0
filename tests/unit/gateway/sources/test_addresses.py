from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.sources.addresses import refusal


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.0", "2606:4700::1111", "2a00::1"]
)
def test_public_hosts_are_fine(address: str) -> None:
    assert refusal(ip_address(address)) is None


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("10.255.255.255", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("169.254.0.1", "link-local"),
        ("169.254.169.254", "cloud metadata"),
        ("100.127.255.255", "carrier-grade NAT"),
        ("239.1.2.3", "multicast"),
        ("0.1.2.3", "reserved"),
        ("255.255.255.255", "reserved"),
        ("::1", "loopback"),
        ("fd12::1", "unique-local"),
        ("fd00:ec2::254", "cloud metadata"),
        ("fe80::1%eth0", "link-local"),
        ("2606:4700::1111%eth0", "link-local"),
        ("::ffff:8.8.8.8", "IPv4-mapped"),
        ("::8.8.8.8", "IPv4-compatible"),
        ("64:ff9b::8.8.8.8", "NAT64"),
        ("2002:808:808::1", "6to4"),
        ("2001::1", "Teredo"),
        ("ff0e::1", "multicast"),
        ("4000::1", "reserved"),
    ],
)
def test_others_are_named(address: str, kind: str) -> None:
    assert refusal(ip_address(address)) == kind


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "100.64.0.1", "fd12::1", "8.8.8.8"])
def test_internal_hosts_may_be_inside(address: str) -> None:
    assert refusal(ip_address(address), internal=True) is None


@pytest.mark.parametrize("address", ["169.254.169.254", "169.254.1.1", "fd00:ec2::254", "224.0.0.1", "0.0.0.0"])  # noqa: S104
def test_not_even_internal_hosts_may_be_anything(address: str) -> None:
    assert refusal(ip_address(address), internal=True) is not None


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_whatever_is_let_through_is_public_unicast(address: IPv4Address | IPv6Address) -> None:
    if refusal(address) is None:
        assert address.is_global
        assert not (address.is_multicast or address.is_private or address.is_reserved or address.is_link_local)


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_hides_in_an_ipv6_one(address: IPv4Address) -> None:
    hidden = int(address)
    assert refusal(IPv6Address(0xFFFF << 32 | hidden)) is not None
    assert refusal(IPv6Address(0x64FF9B << 96 | hidden)) is not None
    assert refusal(IPv6Address(0x2002 << 112 | hidden << 80)) is not None
    assert refusal(IPv6Address(0x20010000 << 96 | hidden ^ 0xFFFFFFFF)) is not None
