"""D5 in HTTP/2: whatever a peer does with frames, a call to it ends in time, as a value, and costs little memory."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.sender import HttpSender
from streamer.core.judge import judge
from streamer.core.outcome import Failure, Response
from streamer.core.policy import Policy
from streamer.core.request import Request
from streamer.core.send_policy import Http2
from streamer.wire.result_record import encode_result
from tests.adapters.http.conftest import MakeSender
from tests.adapters.http.test_misbehaving import KEEP_BYTES, LATER_MS, MIB, came_to, memory
from tests.support.http2_frames import go_away, reset
from tests.support.libraries import PYREQWEST
from tests.support.misbehaving_http2 import PEERS, Says, plays
from tests.support.policies import Sayings, delivery_to
from tests.support.raw_server import raw_server
from tests.support.sending import WallClock
from tests.wire.samples import result

TIMEOUT_MS = 300
#: Of the call and of the server in this very process, which writes as fast as it is read.
MOST_GROWTH = 5 * MIB


def speaking_http2(url: str) -> Sayings:
    """Return a book by which a domain is spoken to in HTTP/2 at once."""
    sayings = Sayings()
    sayings.say(url, Policy(http2=Http2.PRIOR_KNOWLEDGE))
    return sayings


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    """Let the client's own threads and tables be there before a call's memory is taken."""

    async def call() -> None:
        sender = HttpSender(WallClock(), AddressPolicy(allow_private=True), PYREQWEST)
        async with raw_server(PEERS["trailers"].handle) as port:
            await sender.send(delivery_to(Request(f"http://127.0.0.1:{port}/", timeout_ms=TIMEOUT_MS)))
        await sender.close()

    asyncio.run(call())


@pytest.mark.parametrize("name", PEERS)
async def test_a_call_over_http2_ends_in_time_as_a_value(make_sender: MakeSender, name: str) -> None:
    """An answer, a failure or a timeout; judged, written as a result, and not much memory the dearer."""
    peer = PEERS[name]
    async with raw_server(peer.handle) as port:
        url = f"http://127.0.0.1:{port}/"
        request = Request(url, body=b"{}", timeout_ms=TIMEOUT_MS)
        before = memory("VmRSS", forget_peak=True)
        sender = make_sender(keep_bytes=KEEP_BYTES, policies=speaking_http2(url))
        exchange = await sender.send(delivery_to(request))
        grown = memory("VmHWM") - before
    end = exchange.end
    assert came_to(end) is peer.comes, end
    assert exchange.duration_ms <= TIMEOUT_MS + LATER_MS
    assert {name: getattr(end, name) for name in peer.facts} == peer.facts
    assert grown <= MOST_GROWTH, f"{grown / MIB:.1f} MiB"
    if isinstance(end, Response):
        assert len(end.body) <= KEEP_BYTES
    judge(request, end)
    assert orjson.loads(encode_result(result(exchange=exchange)))["attempt"] == 2


@pytest.mark.parametrize(
    ("says", "stays", "times"),
    [
        (lambda stream: reset(stream, 7), True, 3),
        (lambda stream: go_away(0), False, 3),
        (lambda stream: go_away(stream), False, 1),
        (lambda stream: go_away(0, 11), False, 1),
        (lambda stream: reset(stream, 0), True, 1),
    ],
    ids=["refused", "gone, untouched", "gone, taken", "gone in calm", "reset"],
)
async def test_only_what_a_peer_says_it_left_untouched_is_asked_again(
    make_sender: MakeSender, says: Says, stays: bool, times: int
) -> None:
    """The client by itself asks twice more where RFC 9113 §8.7 lets it; what may have been done is asked for once."""
    asked: list[int] = []

    def answer(stream: int) -> bytes:
        asked.append(stream)
        return says(stream)

    async with raw_server(plays(answer, stays=stays)) as port:
        url = f"http://127.0.0.1:{port}/"
        exchange = await make_sender(policies=speaking_http2(url)).send(delivery_to(Request(url, body=b"{}")))
    assert isinstance(exchange.end, Failure)
    assert len(asked) == times
