"""httpx's transport as the library that sends: URLs that are read once, and clients built with httpcore."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

from streamer.adapters.http.client_options import ClientOptions
from streamer.adapters.http.httpx_client.client import HttpxClient
from streamer.adapters.http.httpx_client.connector import HTTP2, Connector
from streamer.adapters.http.httpx_client.links import Links
from streamer.adapters.http.httpx_client.plain_url import read_plain_url
from streamer.adapters.http.httpx_client.tls_context import tls_context
from streamer.adapters.http.library import UnfitTransport
from streamer.adapters.http.target import Target
from streamer.adapters.http.transport import Transport
from streamer.core.send_policy import Http2

log = logging.getLogger(__name__)

_HTTP1 = "http/1.1"


class HttpxLibrary:
    """Reads URLs as lanes are named, and gives httpcore the parts: what httpx would add on top is all to be left off."""

    def __init__(self) -> None:
        """Say aloud where HTTP/2 cannot be spoken."""
        try:
            import_module("h2")
            self._speaks_http2 = True
        except ImportError:
            self._speaks_http2 = False
            log.warning("http.client is httpx, and the package h2 is not installed: HTTP/1.1 is spoken to all targets")

    def read(self, url: str) -> tuple[Target, Any]:
        """Return where a URL leads, and the URL in parts; ValueError says why it may not be called."""
        read = read_plain_url(url)
        return read.target, read

    def build(self, options: ClientOptions, target: Target, address: str, transport: Transport) -> HttpxClient:
        """Return a client that calls nothing but the target, at this address; raises UnfitTransport."""
        known = transport.http2 is Http2.PRIOR_KNOWLEDGE
        if known and not self._speaks_http2:
            raise UnfitTransport(
                "http2 is prior_knowledge, and the package h2, with which httpx speaks it, is not installed"
            )
        context = None
        if target.scheme == "https":
            agreed = self._speaks_http2 and transport.http2 is not Http2.OFF
            protocols = [HTTP2] if known else [HTTP2, _HTTP1] if agreed else [_HTTP1]
            context = tls_context(options.root_certificates, transport, protocols)
        connector = Connector(
            target, address, context, transport.http2, options.proxy, options.connect_timeout_ms / 1000
        )
        links = Links(
            connector.connect,
            may_share=known or (context is not None and self._speaks_http2 and transport.http2 is not Http2.OFF),
            idle_most=options.idle_per_host,
            idle_s=options.idle_timeout_ms / 1000,
        )
        return HttpxClient(connector, links)
