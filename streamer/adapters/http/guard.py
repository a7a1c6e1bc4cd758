"""Which hosts, ports and IP addresses may be called: what is public, and what the operator opens and closes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from streamer.adapters.http.guard_table import IPV4_DENIED, IPV6_DENIED, IPV6_GLOBAL, METADATA_NAMES, Denied

_MAPPED = IPv6Network("::ffff:0:0/96")
#: Where HTTP is spoken; a URL may not be made to talk to somebody's mail server or database.
USUAL_PORTS = frozenset({80, 443, 8080, 8443})


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What the operator opens beyond public addresses, and what he closes; what is closed is never opened.

    ``allow_private`` opens loopback, RFC 1918, carrier-grade NAT and unique local addresses, but never
    link-local ones, where clouds keep their credentials. Hosts are names in lower case, or ``*.example.com`` for every
    name below one; addresses of an allowed host are not judged, but by ``deny_cidrs``. ``ports`` bounds public addresses
    only: what is opened by name or network is open on every port, but for ``own_ports``, where servers listen that this
    installation itself rests on.
    """

    allow_private: bool = False
    allow_hosts: frozenset[str] = frozenset()
    allow_cidrs: tuple[str, ...] = ()
    deny_hosts: frozenset[str] = frozenset()
    deny_cidrs: tuple[str, ...] = ()
    ports: frozenset[int] = USUAL_PORTS
    own_ports: frozenset[int] = frozenset()

    def judge_host(self, host: str) -> str | None:
        """Return why a host may not be called whatever its address, or None when it may."""
        name = plain_name(host)
        if (pattern := _named(name, self.deny_hosts)) is not None:
            return f"{name} is among http.deny_hosts ({pattern})"
        if name in METADATA_NAMES and not self.opens_host(host):
            return f"{name} is a cloud's metadata service; http.allow_hosts would have to name it"
        return None

    def judge(self, host: str, address: str) -> str | None:
        """Return why ``address``, to which ``host`` led, may not be called, or None when it may."""
        if (cidr := _network_of(address, self.deny_cidrs)) is not None:
            return f"{address} is among http.deny_cidrs ({cidr})"
        if self.opens_host(host):
            return None
        return judge_address(address, allow_private=self.allow_private, allow_cidrs=self.allow_cidrs)

    def opens_host(self, host: str) -> bool:
        """Tell whether the operator has opened a host by its name."""
        return _named(plain_name(host), self.allow_hosts) is not None

    def opens(self, host: str, address: str) -> bool:
        """Tell whether an address that may be called is open by the operator's word, and not for being public."""
        return (
            self.opens_host(host)
            or _network_of(address, self.allow_cidrs) is not None
            or judge_address(address) is not None
        )

    def judge_port(self, port: int, *, public: bool = True) -> str | None:
        """Return why a port may not be called, of a public address or of one that the operator has opened."""
        if port in self.ports:
            return None
        if public:
            return f"port {port} of a public address is not among http.ports"
        if port in self.own_ports:
            return f"port {port} is that of our own Kafka or Redis; http.ports would have to name it"
        return None


def plain_name(host: str) -> str:
    """Return a host as patterns name it: in lower case, without the dot at its end."""
    return host.lower().removesuffix(".")


def _named(name: str, patterns: frozenset[str]) -> str | None:
    """Return the pattern that names a host: itself, or ``*.`` and a name above it."""
    if not patterns:
        return None
    if name in patterns:
        return name
    above = name
    while above := above.partition(".")[2]:
        if (pattern := f"*.{above}") in patterns:
            return pattern
    return None


def _network_of(address: str, cidrs: tuple[str, ...]) -> str | None:
    if not cidrs:
        return None
    ip = as_reached(address)
    return next((cidr for cidr in cidrs if ip is not None and ip in read_network(cidr)), None)


def as_reached(address: str) -> IPv4Address | IPv6Address | None:
    """Return where a packet to an address goes: without its zone, and IPv4 inside IPv6 as IPv4."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return ip.ipv4_mapped or ip if isinstance(ip, IPv6Address) else ip


@lru_cache(maxsize=1024)
def read_network(cidr: str) -> IPv4Network | IPv6Network:
    """Return a network as ``as_reached`` sees its addresses: IPv4 inside IPv6 as IPv4."""
    network = ip_network(cidr)
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network


@lru_cache(maxsize=4096)
def judge_address(address: str, *, allow_private: bool = False, allow_cidrs: tuple[str, ...] = ()) -> str | None:
    """Return why an address may not be called, or None when it may; one that cannot be read may not."""
    ip = as_reached(address)
    if ip is None:
        return f"{address[:60]!a} is no IP address"
    if any(ip in read_network(cidr) for cidr in allow_cidrs):
        return None
    row = _denied(ip)
    if row is not None:
        opened = row.private and allow_private
        return None if opened else f"{address} is not public: {row.network}, {row.what}"
    if isinstance(ip, IPv6Address) and ip not in IPV6_GLOBAL:
        return f"{address} is not public: outside {IPV6_GLOBAL}"
    return None


def _denied(ip: IPv4Address | IPv6Address) -> Denied | None:
    table = IPV4_DENIED if isinstance(ip, IPv4Address) else IPV6_DENIED
    return next((row for row in table if ip in row.network), None)
