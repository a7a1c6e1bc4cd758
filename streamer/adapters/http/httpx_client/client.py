"""One target's client by httpcore, which is what httpx sends with: a call made, and its end as a value."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpcore

from streamer.adapters.http.deadlines import Deadlines
from streamer.adapters.http.httpx_client.answer import Read, read_answer
from streamer.adapters.http.httpx_client.connector import Connector, proxy_headers
from streamer.adapters.http.httpx_client.failures import broken, unreadable
from streamer.adapters.http.httpx_client.link import Link
from streamer.adapters.http.httpx_client.links import Links
from streamer.adapters.http.httpx_client.plain_url import PlainUrl
from streamer.adapters.http.httpx_client.waits import Waits
from streamer.adapters.http.outgoing import Outgoing
from streamer.adapters.http.pace import Pace
from streamer.core.outcome import ErrorType, Failure, Response

# RFC 9110 §5.6.2 and §5.5, ASCII alone: what h11 refuses it quotes, and a value may be a secret.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
#: A connection that was said to be closing takes no call: the call goes to another, and was not begun.
_TRIES = 3


class HttpxClient:
    """Makes calls on this event loop: one that is cancelled is gone from the wire at once, with its connection."""

    def __init__(self, connector: Connector, links: Links) -> None:
        """Prepare without a connection."""
        self._links = links
        # Without TLS a proxy is asked for whole URLs, and needs to know who asks.
        self._forward = connector.proxy if connector.context is None else None

    async def call(self, call: Outgoing, url: Any, deadlines: Deadlines, pace: Pace | None) -> Response | Failure:
        """Make the call, and return how it ended; raises ClientClosed."""
        request = self._request(call, url)
        if isinstance(request, Failure):
            return request
        waits = Waits(call.timeout_ms, pace)
        try:
            async with waits.timer:
                return await self._end(request, call.keep_bytes, waits)
        except TimeoutError:
            return waits.late

    async def close(self) -> None:
        """Close every connection."""
        await self._links.close()

    async def _end(self, request: httpcore.Request, keep_bytes: int, waits: Waits) -> Response | Failure:
        for _ in range(_TRIES):
            link = await self._links.take()
            if isinstance(link, Failure):
                return link
            waits.connected()
            read = await self._read(link, request, keep_bytes, waits)
            if read is not None:
                return read.end
        return unreadable("no connection took the call")

    async def _read(self, link: Link, request: httpcore.Request, keep_bytes: int, waits: Waits) -> Read | None:
        """Return what a call on a connection came to; None where the connection took none."""
        whole = False
        try:
            read = await read_answer(await link.connection.handle_async_request(request), keep_bytes, waits.came)
            whole = read.whole
        except httpcore.ConnectionNotAvailable:
            return None
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # Also what h2 and hpack raise, which come through as they are, and need not be installed to be named.
            return Read(broken(error), whole=False)
        else:
            return read
        finally:
            self._links.give_back(link, whole=whole)

    def _request(self, call: Outgoing, url: PlainUrl) -> httpcore.Request | Failure:
        """Return the call with its headers in bytes, or why it can never be sent."""
        headers = [(b"Host", url.authority.encode())]
        accepts = False
        for name, value in call.headers:
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                return Failure(ErrorType.BLOCKED, "headers: a name or a value cannot be sent", begun=False)
            accepts = accepts or name.lower() == "accept"
            headers.append((name.encode(), value.encode()))
        if not accepts:
            headers.append((b"Accept", b"*/*"))
        if call.body:
            headers.append((b"Content-Length", str(len(call.body)).encode()))
        resource = url.resource
        if self._forward is not None:
            headers += proxy_headers(self._forward)
            resource = str(url)
        target = url.target
        asked = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=resource)
        return httpcore.Request(call.method, asked, headers=headers, content=call.body)
