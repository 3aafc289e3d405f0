"""Which addresses may be connected to: public unicast only, and nothing that leads elsewhere.

References
----------
IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, RFC 8190). Ranges that carry an IPv4 address inside
an IPv6 one are refused whole, so that nothing can hide in them: a network that reaches IPv4 only through NAT64 has to
name its hosts as internal ones.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

# Where clouds hand out credentials. Refused even to hosts the operator vouches for, as are the kinds in _NEVER.
_METADATA: Final = frozenset(
    ip_address(address)
    for address in (
        "169.254.169.254",  # most clouds
        "169.254.170.2",  # ECS task roles
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure's host, a public address
        "192.0.0.192",  # Oracle
        "fd00:ec2::254",  # EC2
        "fd00:ec2::23",  # EKS pod identity
        "fd20:ce::254",  # Google
    )
)
_KINDS: Final = tuple(
    (ip_network(network), kind)
    for kind, networks in {
        "loopback": ("127.0.0.0/8", "::1/128"),
        "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        "link-local": ("169.254.0.0/16", "fe80::/10"),
        "unique-local": ("fc00::/7",),
        "carrier-grade NAT": ("100.64.0.0/10",),
        "multicast": ("224.0.0.0/4", "ff00::/8"),
        "IPv4-mapped": ("::ffff:0:0/96",),
        "IPv4-translated": ("::ffff:0:0:0/96",),
        "IPv4-compatible": ("::/96",),
        "NAT64": ("64:ff9b::/96", "64:ff9b:1::/48"),
        "6to4": ("2002::/16", "192.88.99.0/24"),
        "Teredo": ("2001::/32",),
        "reserved": (
            "0.0.0.0/8",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "240.0.0.0/4",
            "100::/64",
            "2001::/23",
            "2001:db8::/32",
            "3fff::/20",
            "fec0::/10",
        ),
    }.items()
    for network in networks
)
_INTERNAL: Final = frozenset({"loopback", "private", "unique-local", "carrier-grade NAT"})
_UNICAST_V6: Final = ip_network("2000::/3")


def refusal(address: IPv4Address | IPv6Address, *, internal: bool = False) -> str | None:
    """Why an address may not be connected to, e.g. "private"; None when it may.

    Args:
        internal: The operator vouches for the host: loopback, private, unique-local and carrier-grade NAT are fine.
    """
    if address in _METADATA:
        return "cloud metadata"
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "link-local"
    for network, kind in _KINDS:
        if address in network:
            return None if internal and kind in _INTERNAL else kind
    # What registries add later, as far as this Python knows it.
    if not address.is_global or (isinstance(address, IPv6Address) and address not in _UNICAST_V6):
        return "reserved"
    return None
