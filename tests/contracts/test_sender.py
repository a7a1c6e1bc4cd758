"""The Sender port: one suite over the sender by each HTTP library with a real receiver, and over its twin in memory."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Protocol

import pytest

from streamer.adapters.demo.exchange import OK, SILENCE, After, Answer
from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.libraries import LIBRARIES, library_of
from streamer.adapters.http.sender import HttpSender
from streamer.adapters.memory.sender import MemorySender, Reply
from streamer.core.outcome import ErrorType, Exchange, Failure, Response
from streamer.core.request import METHODS, Request
from streamer.ports import Sender
from tests.support.receiver import Receiver, running_receiver
from tests.support.sending import TASK_ID, WallClock, closed_port, delivery_of

KEEP_BYTES = 1000
CUT = Answer(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", after=After.CLOSE)


class Stage(Protocol):
    """A sender, and a world for it in which targets behave as a test wishes."""

    sender: Sender

    def answers(self, *answers: Answer) -> str:
        """Return the URL of a target that gives these answers."""

    def refuses(self) -> str:
        """Return the URL of a target that refuses connections."""

    def blocked(self) -> str:
        """Return a URL that policy does not allow."""

    async def arrived(self, count: int) -> list[tuple[str, dict[str, str], bytes]]:
        """Return method, headers (names in lower case) and body of the first ``count`` calls."""


class RealStage:
    """An HTTP library and real sockets."""

    def __init__(self, library: str, receiver: Receiver, refusing_port: int) -> None:
        policy = AddressPolicy(allow_private=True)
        self.sender: Sender = HttpSender(WallClock(), policy, library_of(library), keep_bytes=KEEP_BYTES)
        self._receiver = receiver
        self._refusing_port = refusing_port

    def answers(self, *answers: Answer) -> str:
        return self._receiver.on("/target", *answers)

    def refuses(self) -> str:
        return f"http://127.0.0.1:{self._refusing_port}/"

    def blocked(self) -> str:
        return "http://169.254.169.254/latest/meta-data/"

    async def arrived(self, count: int) -> list[tuple[str, dict[str, str], bytes]]:
        arrivals = await self._receiver.wait_for(count)
        return [(a.method, {n.lower(): v for n, v in a.headers}, a.body) for a in arrivals]


class MemoryStage:
    """The twin and its script."""

    URL = "https://target.example/hook"

    def __init__(self) -> None:
        self.twin = MemorySender(WallClock(), keep_bytes=KEEP_BYTES)
        self.sender: Sender = self.twin

    def answers(self, *answers: Answer) -> str:
        self.twin.script(self.URL, *(_reply(answer) for answer in answers))
        return self.URL

    def refuses(self) -> str:
        self.twin.script("refusing.example:81", Reply(Failure(ErrorType.CONNECT, "refused", begun=False)))
        return "http://refusing.example:81/"

    def blocked(self) -> str:
        self.twin.script("inside.example", Reply(Failure(ErrorType.BLOCKED, "inside", begun=False)))
        return "http://inside.example/"

    async def arrived(self, count: int) -> list[tuple[str, dict[str, str], bytes]]:
        # A call reaches the twin in the first step of its task.
        await asyncio.sleep(0)
        sent = self.twin.sent
        assert len(sent) >= count
        return [
            (s.delivery.request.method, {n.lower(): v for n, v in s.headers}, s.delivery.request.body) for s in sent
        ]


def _reply(answer: Answer) -> Reply:
    """Return the twin's reply that means what a real answer does."""
    if answer is CUT:
        return Reply(Failure(ErrorType.UNKNOWN, "cut"))
    if answer is SILENCE:
        return Reply(delay_ms=1e9)
    return Reply(Response(answer.status, answer.headers, answer.body), answer.delay_s * 1000)


@pytest.fixture(params=[*LIBRARIES, "memory"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Each implementation in its world."""
    made: Stage
    if request.param == "memory":
        made = MemoryStage()
        yield made
        await made.sender.close()
        return
    with closed_port() as port:
        async with running_receiver() as receiver:
            made = RealStage(request.param, receiver, port)
            yield made
            await made.sender.close()


async def send(stage: Stage, request: Request) -> Exchange:
    """Send one request as its task's first attempt."""
    return await stage.sender.send(delivery_of(request))


def answer_of(exchange: Exchange) -> Response:
    """Return the answer of an exchange that has one."""
    assert isinstance(exchange.end, Response), exchange.end
    return exchange.end


def failure_of(exchange: Exchange) -> Failure:
    """Return the failure of an exchange that has one."""
    assert isinstance(exchange.end, Failure), exchange.end
    return exchange.end


@pytest.mark.parametrize("status", [200, 201, 301, 400, 404, 429, 500, 503])
async def test_every_status_is_an_answer(stage: Stage, status: int) -> None:
    """Whatever the status, the answer comes back whole and nothing is raised."""
    answer = Answer(status, headers=(("x-one", "1"), ("location", "http://192.0.2.9/")), body=b"\x00body\xff")
    got = answer_of(await send(stage, Request(stage.answers(answer))))
    assert (got.status, got.body, got.truncated, got.body_bytes) == (status, b"\x00body\xff", False, 6)
    assert ("x-one", "1") in got.headers
    assert got.http_version == "HTTP/1.1"
    assert len(await stage.arrived(1)) == 1


@pytest.mark.parametrize("method", METHODS)
async def test_every_method_sends_the_exact_bytes(stage: Stage, method: str) -> None:
    """Each method arrives with the caller's bytes, whatever they are."""
    body = bytes(range(256))
    answer_of(await send(stage, Request(stage.answers(OK), method=method, body=body)))
    assert [(m, b) for m, _, b in await stage.arrived(1)] == [(method, body)]


async def test_large_body_arrives_whole(stage: Stage) -> None:
    """A body of a mebibyte is sent as it is."""
    body = b"0123456789abcdef" * 65_536
    answer_of(await send(stage, Request(stage.answers(OK), body=body)))
    assert (await stage.arrived(1))[0][2] == body


async def test_callers_headers_and_ours_arrive(stage: Stage) -> None:
    """The caller's headers come as given, and ours tell the task, the attempt and the key."""
    request = Request(
        stage.answers(OK), headers=(("Content-Type", "text/x"), ("X-A", "b c")), traceparent="00-ab-cd-01"
    )
    exchange = await stage.sender.send(delivery_of(request, attempt=3))
    headers = (await stage.arrived(1))[0][1]
    assert headers["content-type"] == "text/x"
    assert headers["x-a"] == "b c"
    assert headers["webhook-id"] == headers["idempotency-key"] == headers["x-streamer-task"] == TASK_ID
    assert headers["x-streamer-attempt"] == "3"
    assert headers["traceparent"] == "00-ab-cd-01"
    assert headers["user-agent"].startswith("streamer/")
    assert int(headers["webhook-timestamp"]) == exchange.started_at_ms // 1000
    assert {name.lower(): value for name, value in exchange.sent_headers}.items() <= headers.items()


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("POST", 204), ("GET", 304)])
async def test_answers_without_a_body_end(stage: Stage, method: str, status: int) -> None:
    """HEAD, 204 and 304 have no body, and nobody waits for one."""
    got = answer_of(await send(stage, Request(stage.answers(Answer(status, body=b"none")), method=method)))
    assert (got.status, got.body, got.body_bytes, got.truncated) == (status, b"", 0, False)


@pytest.mark.parametrize("extra", [0, 1, 500_000])
async def test_long_answer_is_cut_to_its_head(stage: Stage, extra: int) -> None:
    """Of a body only the first bytes are kept, and it is said whether there was more."""
    body = bytes(i % 251 for i in range(KEEP_BYTES)) + b"x" * extra
    got = answer_of(await send(stage, Request(stage.answers(Answer(body=body)))))
    assert got.body == body[:KEEP_BYTES]
    assert got.truncated is (extra > 0)
    assert KEEP_BYTES + min(extra, 1) <= got.body_bytes <= len(body)


@pytest.mark.parametrize(("coding", "unpacked"), [("gzip", True), ("gzip, gzip", False), ("br", False)])
async def test_packed_answer_is_unpacked_where_that_is_known(stage: Stage, coding: str, unpacked: bool) -> None:
    """One gzip is undone, up to what is kept; anything else stays as it came."""
    packed = gzip.compress(b"x" * 2 * KEEP_BYTES)
    answer = Answer(headers=(("content-encoding", coding),), body=packed)
    got = answer_of(await send(stage, Request(stage.answers(answer))))
    assert got.body == (b"x" * KEEP_BYTES if unpacked else packed)
    assert (got.unpacked, got.truncated, got.body_bytes) == (unpacked, unpacked, len(packed))


async def test_silence_is_a_first_byte_timeout(stage: Stage) -> None:
    """A target that takes the request and says nothing ends in a timeout that counts as begun."""
    exchange = await send(stage, Request(stage.answers(SILENCE), timeout_ms=200))
    failure = failure_of(exchange)
    assert (failure.error, failure.begun) == (ErrorType.FIRST_BYTE_TIMEOUT, True)
    assert 190 <= exchange.duration_ms < 1_000
    assert len(await stage.arrived(1)) == 1


async def test_slow_answer_within_the_timeout_counts(stage: Stage) -> None:
    """A late answer is an answer, and its time is told."""
    exchange = await send(stage, Request(stage.answers(Answer(202, delay_s=0.1)), timeout_ms=5_000))
    assert answer_of(exchange).status == 202
    assert exchange.duration_ms >= 95


async def test_refused_connection_is_a_connect_failure(stage: Stage) -> None:
    """A port that refuses is the network's failure, before anything was sent."""
    failure = failure_of(await send(stage, Request(stage.refuses())))
    assert (failure.error, failure.begun) == (ErrorType.CONNECT, False)
    assert failure.message


async def test_answer_cut_off_is_no_answer(stage: Stage) -> None:
    """A connection that ends in the middle of an answer is a failure of an attempt that was begun."""
    failure = failure_of(await send(stage, Request(stage.answers(CUT))))
    assert (failure.error, failure.begun) == (ErrorType.UNKNOWN, True)


async def test_blocked_target_is_not_called(stage: Stage) -> None:
    """What policy forbids is a value too, nothing is sent, and no address is told."""
    exchange = await send(stage, Request(stage.blocked()))
    failure = failure_of(exchange)
    assert (failure.error, failure.begun) == (ErrorType.BLOCKED, False)
    assert exchange.address is None
    assert await stage.arrived(0) == []


async def test_cancellation_passes_through(stage: Stage) -> None:
    """Who cancels a call gets the cancellation, soon, and the next call works."""
    url = stage.answers(SILENCE, OK)
    task = asyncio.create_task(send(stage, Request(url)))
    await stage.arrived(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 30)
    assert answer_of(await send(stage, Request(url))).status == 200


async def test_calls_run_side_by_side(stage: Stage) -> None:
    """Many calls at once take the time of one."""
    url = stage.answers(Answer(delay_s=0.2))
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    exchanges = await asyncio.gather(*(send(stage, Request(url)) for _ in range(30)))
    assert {answer_of(exchange).status for exchange in exchanges} == {200}
    assert loop.time() - began_s < 3
