"""Where a URL leads: scheme, host and port, read by the very parser that sends."""

from __future__ import annotations

from typing import NamedTuple

from pyreqwest.http import Url

_SCHEMES = ("http", "https")


class Target(NamedTuple):
    """The origin of a URL as the client sees it; ``host`` has IPv6 addresses in brackets.

    A tuple, because it is made and hashed for every call.
    """

    scheme: str
    host: str
    port: int


def read_target(url: Url) -> Target:
    """Return where a URL leads; ValueError says why it may not be called whatever its address is."""
    scheme = url.scheme
    host = url.host_str
    port = url.port_or_known_default
    if scheme not in _SCHEMES:
        raise ValueError(f"url has the scheme {scheme[:20]!a}; allowed are http and https")
    if not host or not port:
        raise ValueError("url has no host or port that could be called")
    if url.username or url.password is not None:
        raise ValueError("url has a user or password before the host; use an Authorization header")
    return Target(scheme, host, port)


def literal_address(host: str) -> str | None:
    """Return the address when a host is one: the parser has already made ``0x7f.1`` into ``127.0.0.1``."""
    if host.startswith("["):
        return host[1:-1]
    return host if host.replace(".", "").isdigit() else None
