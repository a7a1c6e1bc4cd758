"""Whom a business may call, beside what the installation allows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from streamer.adapters.http.guard import as_reached, plain_name, read_network
from streamer.core.domain_name import wildcards_of
from streamer.core.send_policy import Network


@lru_cache(maxsize=8192)
def judge_network(network: Network, business: str, host: str, port: int, addresses: tuple[str, ...]) -> str | None:
    """Return why a business's tasks may not call a host at any of these addresses, or None when they may.

    A pattern without a port names a host on every port.
    """
    name, names = plain_name(host), frozenset(_names_of(host, port))
    if network.only_hosts and names.isdisjoint(network.only_hosts):
        return f"business {business}: {name} is not among its network.only_hosts"
    for pattern in network.deny_hosts:
        if pattern in names:
            return f"business {business}: {name} is among its network.deny_hosts ({pattern})"
    for address in addresses:
        reached = as_reached(address)
        # What cannot be read was refused before; here it is in no network.
        found = next(
            (cidr for cidr in network.deny_cidrs if reached is not None and reached in read_network(cidr)), None
        )
        if found is not None:
            return f"business {business}: {address} is among its network.deny_cidrs ({found})"
    return None


def _names_of(host: str, port: int) -> Iterator[str]:
    """Yield every pattern that would name a host: itself and all wildcards above it, without the port and with it."""
    name = plain_name(host)
    yield name
    yield f"{name}:{port}"
    yield from wildcards_of(f"{name}:{port}")
