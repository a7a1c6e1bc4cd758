"""The deny table: addresses that are not public, each with its source, and names that are as bad.

It is the union of what the IANA special-purpose registries, the clouds' documents and other senders' filters name.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network


@dataclass(frozen=True, slots=True)
class Denied:
    """One row of the table; ``private`` rows are the ones that ``allow_private`` opens."""

    network: IPv4Network | IPv6Network
    what: str
    private: bool = False


def _row(network: str, what: str, *, private: bool = False) -> Denied:
    return Denied(ip_network(network), what, private)


#: IPv4 that is not public, by the IANA special-purpose registries and the clouds' own documents.
IPV4_DENIED = (
    _row("0.0.0.0/8", "this network, RFC 791"),
    _row("10.0.0.0/8", "private, RFC 1918", private=True),
    _row("100.64.0.0/10", "carrier-grade NAT, RFC 6598", private=True),
    _row("127.0.0.0/8", "loopback, RFC 1122", private=True),
    _row("168.63.129.16/32", "a cloud's metadata service"),
    _row("169.254.0.0/16", "link-local and cloud metadata, RFC 3927"),
    _row("172.16.0.0/12", "private, RFC 1918", private=True),
    _row("192.0.0.0/24", "protocol assignments, RFC 6890"),
    _row("192.0.2.0/24", "documentation, RFC 5737"),
    _row("192.31.196.0/24", "AS112, RFC 7535"),
    _row("192.52.193.0/24", "AMT, RFC 7450"),
    _row("192.88.99.0/24", "6to4 relay, RFC 7526"),
    _row("192.168.0.0/16", "private, RFC 1918", private=True),
    _row("192.175.48.0/24", "AS112, RFC 7534"),
    _row("198.18.0.0/15", "benchmarks, RFC 2544"),
    _row("198.51.100.0/24", "documentation, RFC 5737"),
    _row("203.0.113.0/24", "documentation, RFC 5737"),
    _row("224.0.0.0/4", "multicast, RFC 5771"),
    _row("240.0.0.0/4", "reserved and broadcast, RFC 1112"),
)

#: IPv6 that is refused; whatever is outside 2000::/3 is refused too, named here or not.
IPV6_DENIED = (
    _row("::1/128", "loopback, RFC 4291", private=True),
    _row("fc00::/7", "unique local, RFC 4193", private=True),
    _row("2001::/23", "protocol assignments with Teredo and ORCHID, RFC 2928"),
    _row("2001:db8::/32", "documentation, RFC 3849"),
    _row("2002::/16", "6to4, RFC 3056"),
    _row("3fff::/20", "documentation, RFC 9637"),
    _row("2620:4f:8000::/48", "AS112, RFC 7534"),
)
IPV6_GLOBAL = IPv6Network("2000::/3")

#: Names under which clouds hand out credentials, from their own documents. Their addresses are denied as well; a name that is
#: refused tells no name server that somebody tried, and holds where an egress proxy resolves the names.
METADATA_NAMES = frozenset(
    {
        "instance-data",
        "instance-data.ec2.internal",
        "metadata",
        "metadata.azure.internal",
        "metadata.goog",
        "metadata.google.internal",
        "metadata.packet.net",
        "metadata.platformequinix.com",
        "metadata.tencentyun.com",
        "rancher-metadata",
    }
)
