"""Domains as policies name them: a lane's key, or ``*.example.com`` for every host below.

Must not know what is said about a domain.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address

from streamer.core.lane_key import lane_key

_ALLOWED = 'write a host such as "example.com", a host and port such as "example.com:8080", or "*.example.com"'


def parse_domain(written: str) -> str:
    """Return a domain's name in its one form; ValueError says what is allowed.

    A port that is not 443 is part of the name. A URL names its lane. A wildcard covers every host below at any depth, but
    not the host itself; without a port it covers every port.
    """
    if "://" in written:
        return lane_key(written)
    wild = written.startswith("*.")
    rest = written[2:] if wild else written
    if not rest or any(mark in rest for mark in "/?#*"):
        raise ValueError(f"{written[:80]!r} is no domain: {_ALLOWED}")
    try:
        name = lane_key(f"https://{rest}")
    except ValueError as error:
        raise ValueError(f"{written[:80]!r} is no domain: it {error}") from None
    if wild and _is_address(name):
        raise ValueError(f"{written[:80]!r} is no domain: nothing is below an address")
    return f"*.{name}" if wild else name


def wildcards_of(lane: str) -> Iterator[str]:
    """Yield the wildcards that cover a lane, the most specific first: the longer, and of these the one with its port."""
    host, colon, port = lane.partition(":") if lane[:1] != "[" else (lane, "", "")
    at = host.find(".")
    while at >= 0:
        wildcard = "*" + host[at:]
        if colon:
            yield f"{wildcard}:{port}"
        yield wildcard
        at = host.find(".", at + 1)


def pattern_covers(pattern: str, lane: str) -> bool:
    """Tell whether a domain as policies name it is this lane or covers it."""
    return pattern == lane or (pattern[0] == "*" and pattern in wildcards_of(lane))


def _is_address(name: str) -> bool:
    if name[0] == "[":
        return True
    try:
        IPv4Address(name.partition(":")[0])
    except AddressValueError:
        return False
    return True
