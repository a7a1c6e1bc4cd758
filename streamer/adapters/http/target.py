"""Where a URL leads: scheme, host and port, as the library that sends has read it."""

from __future__ import annotations

from msgspec import Struct


class Target(Struct, frozen=True, gc=False):
    """The origin of a URL as the library sees it; ``host`` has IPv6 addresses in brackets.

    A Struct, because it is made and hashed for every call.
    """

    scheme: str
    host: str
    port: int


def literal_address(host: str) -> str | None:
    """Return the address when a host is one: the library's reader has made all notations of it into one, or refused them."""
    if host.startswith("["):
        return host[1:-1]
    return host if host.replace(".", "").isdigit() else None
