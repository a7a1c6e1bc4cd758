"""The sender's twin in memory: answers by script, on any clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from streamer.adapters.http.content_coding import kept_answer
from streamer.adapters.http.headers import outgoing_headers, refusal_of
from streamer.core.delivery import Delivery
from streamer.core.outcome import ErrorType, Exchange, Failure, Response
from streamer.ports import Clock

_ADDRESS = "192.0.2.1"
#: Answers to these never have a body (RFC 9110 §6.4.1).
_BODILESS = (204, 304)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a call ends in, after ``delay_ms``; beyond the request's timeout it is a read timeout."""

    end: Response | Failure = Response(200)  # noqa: RUF009 - frozen, so it may be shared
    delay_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Sent:
    """One call that reached its target, for tests and for the simulation's oracle."""

    delivery: Delivery
    headers: tuple[tuple[str, str], ...]
    at_ms: int


class MemorySender:
    """Answers by URL, else by host, else by ``respond``, and remembers what it was given to send.

    Of a list of replies each is given once, the last one for ever.
    """

    def __init__(
        self,
        clock: Clock,
        respond: Callable[[Delivery], Reply] | None = None,
        *,
        user_agent: str = "streamer/memory",
        keep_bytes: int = 64 * 1024,
    ) -> None:
        """Prepare a sender that answers 200 to everything that no script and no ``respond`` answers."""
        self.sent: list[Sent] = []
        self.in_flight = 0
        self.closed = False
        self._clock = clock
        self._respond = respond or _ok
        self._user_agent = user_agent
        self._keep_bytes = keep_bytes
        self._scripts: dict[str, tuple[Reply, ...]] = {}
        self._given: defaultdict[str, int] = defaultdict(int)

    def script(self, where: str, *replies: Reply) -> None:
        """Answer calls to ``where``, a whole URL or ``host[:port]``, by these replies from now on."""
        if not replies:
            raise ValueError(f"script {where!r} has no reply; give at least one")
        self._scripts[where] = replies
        self._given[where] = 0

    async def send(self, delivery: Delivery) -> Exchange:
        """Give the next scripted answer, after its delay on this sender's clock."""
        clock = self._clock
        started_at_ms, began_ms = clock.now_ms(), clock.monotonic_ms()
        headers = tuple(outgoing_headers(delivery, started_at_ms, self._user_agent))
        refused = refusal_of(delivery.request)
        reply = self._next(delivery) if refused is None else Reply(refused)
        begun = not isinstance(reply.end, Failure) or reply.end.begun
        if begun:
            self.sent.append(Sent(delivery, headers, started_at_ms))
        self.in_flight += 1
        try:
            end = await self._wait(reply, delivery)
        finally:
            self.in_flight -= 1
        address = _ADDRESS if begun else None
        return Exchange(end, started_at_ms, clock.monotonic_ms() - began_ms, address, headers)

    async def close(self) -> None:
        """Note that the sender was closed."""
        self.closed = True

    def _next(self, delivery: Delivery) -> Reply:
        url = delivery.request.url
        if not self._scripts:
            return self._respond(delivery)
        where = url if url in self._scripts else urlsplit(url).netloc.lower()
        replies = self._scripts.get(where)
        if replies is None:
            return self._respond(delivery)
        index = self._given[where]
        self._given[where] = index + 1
        return replies[min(index, len(replies) - 1)]

    async def _wait(self, reply: Reply, delivery: Delivery) -> Response | Failure:
        timeout_ms = delivery.request.timeout_ms
        if reply.delay_ms > timeout_ms:
            await self._clock.sleep_ms(timeout_ms)
            return Failure(ErrorType.FIRST_BYTE_TIMEOUT, "no answer began in time")
        if reply.delay_ms > 0:
            await self._clock.sleep_ms(reply.delay_ms)
        return reply.end if isinstance(reply.end, Failure) else self._kept(reply.end, delivery.request.method)

    def _kept(self, answer: Response, method: str) -> Response:
        """Return the answer as a real sender would have read it."""
        body = b"" if method == "HEAD" or answer.status in _BODILESS else answer.body
        version = answer.http_version or "HTTP/1.1"
        return kept_answer(answer.status, answer.headers, body, self._keep_bytes, version)


def _ok(delivery: Delivery) -> Reply:
    return Reply()
