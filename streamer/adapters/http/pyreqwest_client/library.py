"""pyreqwest as the library that sends: its reader of URLs, and clients built with it."""

from __future__ import annotations

from typing import Any

from pyreqwest.http import Url

from streamer.adapters.http.client_options import ClientOptions
from streamer.adapters.http.pyreqwest_client.builder import build_client
from streamer.adapters.http.pyreqwest_client.client import PyreqwestClient
from streamer.adapters.http.target import Target
from streamer.adapters.http.transport import Transport

_SCHEMES = ("http", "https")


class PyreqwestLibrary:
    """Reads URLs as the WHATWG standard says, with the very parser that sends."""

    def read(self, url: str) -> tuple[Target, Any]:
        """Return where a URL leads, and the URL as it was read; ValueError says why it may not be called."""
        read = Url(url)
        return read_target(read), read

    def build(self, options: ClientOptions, target: Target, address: str, transport: Transport) -> PyreqwestClient:
        """Return a client that calls nothing but the target, at this address; raises UnfitTransport."""
        return PyreqwestClient(build_client(options, target, address, transport), target.scheme)


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
