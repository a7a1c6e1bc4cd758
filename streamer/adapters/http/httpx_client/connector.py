"""How a connection to a target is opened: to the judged address or through the proxy, with TLS and its agreement."""

from __future__ import annotations

import asyncio
import base64
import ssl
from dataclasses import dataclass

import httpcore

from streamer.adapters.http.httpx_client.failures import not_reached, not_shaken
from streamer.adapters.http.httpx_client.link import Connection, Link
from streamer.adapters.http.pace import NO_CONNECTION
from streamer.adapters.http.proxy import TUNNEL, Proxy, word_in
from streamer.adapters.http.target import Target
from streamer.core.outcome import ErrorType, Failure, Response
from streamer.core.send_policy import Http2

HTTP2 = "h2"
#: What is read at once is parsed at once, while every other call waits: 64 KiB of interim answers would take 60 ms.
_READ_BYTES = 16 * 1024
_NOT_AGREED = Failure(ErrorType.TLS, "the target does not agree to HTTP/2, and http2 is prior_knowledge", begun=False)


@dataclass(frozen=True, slots=True)
class Connector:
    """Opens connections to one target, at one address or behind one proxy; ``context`` is None without TLS."""

    target: Target
    address: str
    context: ssl.SSLContext | None
    http2: Http2
    proxy: Proxy | None
    within_s: float

    async def connect(self) -> Link | Failure:
        """Open a connection, with handshake and all, or return why there is none."""
        try:
            async with asyncio.timeout(self.within_s):
                return await self._connected()
        except TimeoutError:
            return NO_CONNECTION

    async def _connected(self) -> Link | Failure:
        host, port = self.address, self.target.port
        if self.proxy is not None:
            host, port = self.proxy.host, self.proxy.port
        try:
            stream = await httpcore.AnyIOBackend().connect_tcp(host.strip("[]"), port)
        except httpcore.ConnectTimeout:
            return NO_CONNECTION
        except httpcore.ConnectError as error:
            return not_reached(error)
        try:
            found = await self._spoken(stream)
        except BaseException:
            await stream.aclose()
            raise
        if isinstance(found, Failure):
            await stream.aclose()
        return found

    async def _spoken(self, stream: httpcore.AsyncNetworkStream) -> Link | Failure:
        if self.context is None:
            return Link(self._connection(stream, http2=self.http2 is Http2.PRIOR_KNOWLEDGE and self.proxy is None))
        if self.proxy is not None:
            tunnel = await self._tunnel(self.proxy, stream)
            if isinstance(tunnel, Failure):
                return tunnel
            stream = tunnel
        # The address is ours to choose; the name that the certificate must have is the URL's.
        name = self.target.host.strip("[]").removesuffix(".")
        try:
            stream = await stream.start_tls(self.context, name)
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            return not_shaken(error)
        agreed = stream.get_extra_info("ssl_object").selected_alpn_protocol()
        if agreed != HTTP2 and self.http2 is Http2.PRIOR_KNOWLEDGE:
            return _NOT_AGREED
        return Link(self._connection(stream, http2=agreed == HTTP2))

    def _connection(self, stream: httpcore.AsyncNetworkStream, *, http2: bool) -> Connection:
        origin = httpcore.Origin(self.target.scheme.encode(), self.target.host.encode(), self.target.port)
        if not http2:
            connection = httpcore.AsyncHTTP11Connection(origin, stream)
            connection.READ_NUM_BYTES = _READ_BYTES
            return connection
        from streamer.adapters.http.httpx_client.http2 import Http2Connection

        return Http2Connection(origin, stream)

    async def _tunnel(self, proxy: Proxy, stream: httpcore.AsyncNetworkStream) -> httpcore.AsyncNetworkStream | Failure:
        """Ask the proxy for a way to the target, and return it, or what the proxy said instead."""
        where = f"{self.target.host}:{self.target.port}".encode()
        origin = httpcore.Origin(b"http", proxy.host.encode(), proxy.port)
        url = httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=where)
        request = httpcore.Request(b"CONNECT", url, headers=[(b"Host", where), *proxy_headers(proxy)])
        try:
            answer = await httpcore.AsyncHTTP11Connection(origin, stream).handle_async_request(request)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
            return Failure(ErrorType.CONNECT, f"{TUNNEL}: http.proxy gave no answer that can be read", begun=False)
        if 200 <= answer.status <= 299:
            way: httpcore.AsyncNetworkStream = answer.extensions["network_stream"]
            return way
        pairs = tuple((name.decode("ascii").lower(), value.decode("latin-1")) for name, value in answer.headers)
        said = word_in(Response(answer.status, pairs), tunnel=True)
        return said or Failure(ErrorType.CONNECT, f"{TUNNEL}: http.proxy answers {answer.status}", begun=False)


def proxy_headers(proxy: Proxy) -> list[tuple[bytes, bytes]]:
    """Return the header that says who we are to a proxy, where it wants to know."""
    if not proxy.user:
        return []
    credentials = base64.b64encode(f"{proxy.user}:{proxy.password}".encode())
    return [(b"Proxy-Authorization", b"Basic " + credentials)]
