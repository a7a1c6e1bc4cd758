"""The egress proxy: the one door through which calls go where the operator has set one."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field

from streamer.adapters.http.target import Target
from streamer.core.outcome import ErrorType, Failure, Response

#: How a client says that a tunnel was not opened where it does not tell what the proxy answered.
TUNNEL = "tunnel error"
#: RFC 9110 §15.5.8: no target may answer so, only a proxy. Smokescreen refuses with it, others with 403.
_PROXY_STATUS = 407
_FORBIDDEN = 403
#: Smokescreen's header on everything that it answers itself, with the reason.
_REASON = "x-smokescreen-error"
_LONGEST = 300
_HEAD_LIMIT_BYTES = 16 * 1024
_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where the proxy is, and who we are to it; the password is never shown. An IPv6 host has brackets."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)


async def told_apart(proxy: Proxy, target: Target, end: Response | Failure) -> Response | Failure:
    """Return an exchange's end with what the proxy said itself told from what the target did."""
    if isinstance(end, Response):
        return end if target.scheme == "https" else word_in(end, tunnel=False) or end
    if not end.message.startswith(TUNNEL):
        return end
    try:
        async with asyncio.timeout(_WITHIN_S):
            answer = await _asked_again(proxy, target)
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
        return end
    # A tunnel that stands now was refused for a reason that has gone.
    return end if 200 <= answer.status <= 299 else word_in(answer, tunnel=True) or end


def word_in(answer: Response, *, tunnel: bool) -> Failure | None:
    """Return what the proxy says by an answer, where that is its own: to CONNECT it always is."""
    headers = {name.lower(): value for name, value in answer.headers}
    reason = headers.get(_REASON)
    words = f"{answer.status} {reason or ''}"[:_LONGEST].strip()
    if answer.status == _PROXY_STATUS and reason is None and "proxy-authenticate" in headers:
        # A wrong password is ours to mend while the tasks wait.
        return _failure(ErrorType.CREDENTIALS, f"does not take its user with http.proxy_password: {words}")
    if answer.status == _PROXY_STATUS or (tunnel and answer.status == _FORBIDDEN):
        return _failure(ErrorType.BLOCKED, f"refuses the call: {words}")
    if tunnel or reason is not None:
        return _failure(ErrorType.CONNECT, f"could not reach the target: {words}")
    return None


def _failure(error: ErrorType, words: str) -> Failure:
    return Failure(error, f"http.proxy {words}", begun=False)


async def _asked_again(proxy: Proxy, target: Target) -> Response:
    """Ask for the tunnel once more, and return the answer, of which the client tells nothing."""
    where = f"{target.host}:{target.port}"
    head = f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n"
    if proxy.user:
        credentials = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
        head += f"Proxy-Authorization: Basic {credentials}\r\n"
    reader, writer = await asyncio.open_connection(proxy.host.strip("[]"), proxy.port, limit=_HEAD_LIMIT_BYTES)
    try:
        writer.write(f"{head}\r\n".encode())
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip("\r\n").split("\r\n")
    finally:
        writer.transport.abort()
    pairs = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return Response(int(first.partition(" ")[2][:3]), tuple(pairs))
