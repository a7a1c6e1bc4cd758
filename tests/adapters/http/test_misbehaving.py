"""Whatever a peer does, a call to it ends in time, as a value that can be written, and costs little memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from streamer.adapters.http.httpx_client.library import HttpxLibrary
from streamer.adapters.http.library import HttpLibrary
from streamer.core.judge import judge
from streamer.core.outcome import ErrorType, Exchange, Failure, Response
from streamer.core.request import Request
from streamer.wire.result_record import encode_result
from tests.adapters.http.conftest import MakeSender
from tests.support.libraries import both_libraries
from tests.support.misbehaving import BOMBS, PEERS, Comes, bomb, packed_bomb
from tests.support.raw_server import raw_server
from tests.support.sending import delivery_of
from tests.wire.samples import result

TIMEOUT_MS = 400
#: httpx reads these on the event loop, head by head, which a busy machine does not do in the time that the others have.
SLOW_TO_READ = "ten thousand interim answers"
SLOW_MS = 10 * TIMEOUT_MS
#: How much longer a call may take: the client's accuracy, and the grace before it is cut off.
LATER_MS = 500 + 1_000
KEEP_BYTES = 64 * 1024
TIMEOUTS = {ErrorType.FIRST_BYTE_TIMEOUT, ErrorType.READ_TIMEOUT, ErrorType.TOTAL_TIMEOUT}
MIB = 1024 * 1024


def came_to(end: Response | Failure) -> Comes:
    """Say in a word how a call ended."""
    if isinstance(end, Response):
        return Comes.ANSWER
    return Comes.LATE if end.error in TIMEOUTS else Comes.BROKEN


@pytest.fixture(scope="module", autouse=True)
def _bombs() -> None:
    """Pack the bombs before a call's time is taken."""
    for window in BOMBS:
        packed_bomb(window)


@both_libraries
@pytest.mark.parametrize("name", PEERS)
async def test_a_call_ends_in_time_as_a_value(make_sender: MakeSender, library: HttpLibrary, name: str) -> None:
    """An answer, a failure or a timeout, soon after the call's time at the latest; judged, and written as a result."""
    peer = PEERS[name]
    slow = isinstance(library, HttpxLibrary) and name == SLOW_TO_READ
    timeout_ms = SLOW_MS if slow else TIMEOUT_MS
    async with raw_server(peer.handle) as port:
        request = Request(f"http://127.0.0.1:{port}/", body=b"{}", timeout_ms=timeout_ms)
        exchange = await make_sender(keep_bytes=KEEP_BYTES).send(delivery_of(request))
    end = exchange.end
    # h11, which is under httpx, makes one line of a folded header, as RFC 9112 §5.2 lets it.
    unfolded = isinstance(library, HttpxLibrary) and name == "a folded header"
    assert came_to(end) is (Comes.ANSWER if unfolded else peer.comes), end
    assert exchange.duration_ms <= timeout_ms + LATER_MS
    assert {name: getattr(end, name) for name in peer.facts} == peer.facts
    if isinstance(end, Response):
        assert len(end.body) <= KEEP_BYTES
    judge(request, end)
    assert orjson.loads(encode_result(result(exchange=exchange)))["attempt"] == 2


@both_libraries
async def test_a_peer_that_goes_on_leaves_the_next_call_alone(make_sender: MakeSender) -> None:
    """What a peer says behind its answer is not taken for the answer to the next call."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbodyHTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"
            )
            await writer.drain()

    async with raw_server(handle) as port:
        sender = make_sender()
        request = Request(f"http://127.0.0.1:{port}/", timeout_ms=TIMEOUT_MS)
        ends = [(await sender.send(delivery_of(request))).end for _ in range(3)]
    assert [end.status if isinstance(end, Response) else end.error for end in ends] == [200, 200, 200]


@both_libraries
async def test_bombs_cost_little_memory(make_sender: MakeSender) -> None:
    """Forty bombs of 400 MiB at once, of three kinds, cost less than 1 MiB each."""
    sender = make_sender(keep_bytes=KEEP_BYTES)

    async def call(port: int) -> Exchange:
        return await sender.send(delivery_of(Request(f"http://127.0.0.1:{port}/", timeout_ms=20_000)))

    for window, coding in BOMBS.items():
        async with raw_server(bomb(window, coding)) as port:
            await call(port)
            before = memory("VmRSS", forget_peak=True)
            exchanges = await asyncio.gather(*(call(port) for _ in range(40)))
            grown = memory("VmHWM") - before
        bodies = {end.body for exchange in exchanges if isinstance(end := exchange.end, Response)}
        assert bodies == {bytes(KEEP_BYTES)}
        assert len(exchanges) == 40
        # The server's own buffers are in it: each holds what its client does not read.
        assert grown < 40 * MIB


def memory(field: str, *, forget_peak: bool = False) -> int:
    """Return what the system says of this process's memory, in bytes; the peak may be counted anew from here on."""
    if forget_peak:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024
