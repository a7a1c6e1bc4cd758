"""The sender's twin: scripts by URL and host, on a clock that a test turns."""

from __future__ import annotations

import pytest

from streamer.adapters.memory.sender import MemorySender, Reply
from streamer.core.delivery import Delivery
from streamer.core.outcome import ErrorType, Failure, Response
from streamer.core.request import Request
from tests.support.sending import delivery_of

URL = "https://a.test:8443/x?y=1"


class JumpClock:
    """Time that passes only by sleeping, and then at once."""

    def __init__(self) -> None:
        self.ms = 1_000.0

    def now_ms(self) -> int:
        return int(self.ms)

    def monotonic_ms(self) -> float:
        return self.ms

    async def sleep_ms(self, delay_ms: float) -> None:
        self.ms += delay_ms


async def status_of(sender: MemorySender, url: str) -> int:
    """Send to a URL and return the status."""
    end = (await sender.send(delivery_of(Request(url)))).end
    assert isinstance(end, Response)
    return end.status


async def test_replies_come_in_order_and_the_last_one_stays() -> None:
    """A script is played once, then its last reply for ever."""
    sender = MemorySender(JumpClock())
    sender.script(URL, Reply(Response(500)), Reply(Response(503)), Reply(Response(200)))
    assert [await status_of(sender, URL) for _ in range(5)] == [500, 503, 200, 200, 200]


async def test_url_comes_before_host_before_everything_else() -> None:
    """The most exact script answers; what no script names is answered by ``respond``."""

    def respond(delivery: Delivery) -> Reply:
        return Reply(Response(299))

    sender = MemorySender(JumpClock(), respond)
    assert await status_of(sender, URL) == 299
    sender.script("a.test:8443", Reply(Response(201)))
    sender.script(URL, Reply(Response(202)))
    assert await status_of(sender, URL) == 202
    assert await status_of(sender, "https://A.test:8443/else") == 201
    assert await status_of(sender, "https://a.test/") == 299


async def test_time_passes_on_the_clock_that_was_given() -> None:
    """A delay takes virtual time only, and a timeout no more than the request's."""
    clock = JumpClock()
    sender = MemorySender(clock)
    sender.script(URL, Reply(delay_ms=700), Reply(delay_ms=1e9))
    request = Request(URL, timeout_ms=5_000)
    first = await sender.send(delivery_of(request))
    assert (first.started_at_ms, first.duration_ms, clock.ms) == (1_000, 700, 1_700)
    second = await sender.send(delivery_of(request))
    assert second.duration_ms == 5_000
    assert isinstance(second.end, Failure)
    assert second.end.error is ErrorType.FIRST_BYTE_TIMEOUT
    assert [sent.at_ms for sent in sender.sent] == [1_000, 1_700]


async def test_what_was_not_begun_was_not_sent() -> None:
    """A refused connection leaves no trace at the target."""
    sender = MemorySender(JumpClock())
    sender.script(URL, Reply(Failure(ErrorType.CONNECT, "refused", begun=False)))
    exchange = await sender.send(delivery_of(Request(URL)))
    assert exchange.address is None
    assert sender.sent == []
    assert sender.in_flight == 0


def test_script_without_replies_is_refused() -> None:
    """An empty script is a mistake, and the message says whose."""
    with pytest.raises(ValueError, match=r"a\.test"):
        MemorySender(JumpClock()).script(URL)
