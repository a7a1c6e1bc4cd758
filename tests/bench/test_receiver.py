"""The benchmark's receiver counts what came, and tells how long a domain's slots stood empty."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from bench.receiver import SENT_AT, Desk, Slots, Tally, Target, address_of


def head(task: str | None, *lines: str) -> bytes:
    named = [f"webhook-id: {task}"] if task else []
    return "\r\n".join(["POST /hook HTTP/1.1", "host: x", *named, *lines]).encode()


def test_tasks_are_counted_apart_from_calls() -> None:
    """A task that is called twice is one task and two calls; a call that names none is a task of its own."""
    tally = Tally()
    for task in ("a", "b", "a", None, None):
        tally.arrived(head(task))
    assert tally.told(b"/stats") | {"first_ns": 0, "last_ns": 0} == {
        "calls": 5,
        "tasks": 4,
        "connections": 0,
        "first_ns": 0,
        "last_ns": 0,
        "in_flight": 5,
        "most_in_flight": 5,
    }


def test_a_reset_forgets_all_but_what_is_open() -> None:
    """Calls in flight and connections are still there afterwards."""
    tally = Tally()
    tally.arrived(head("a", f"{SENT_AT}: 1"))
    assert len(tally.told(b"/stats?all")["latencies_ns"]) == 1
    tally.reset()
    told = tally.told(b"/stats?all")
    assert (told["calls"], told["tasks"], told["latencies_ns"], told["in_flight"]) == (0, 0, [], 1)


def test_a_latency_is_from_the_stamp_to_the_arrival() -> None:
    """Both are instants of the one monotonic clock."""
    tally, before_ns = Tally(), time.monotonic_ns()
    tally.arrived(head("a", f"X-Bench-Sent-Ns: {before_ns}"))
    assert tally.latencies_ns == [tally.first_ns - before_ns]


def test_a_slot_is_empty_from_an_answer_to_the_next_call() -> None:
    """The next call takes the slot that was left first; a call beyond those is a slot more, and no gap."""
    tally = Tally()
    slots = Slots(tally)
    for now_ns in (0, 0):
        slots.taken(now_ns)
    slots.left(100)
    slots.left(110)
    for now_ns in (103, 117, 118):
        slots.taken(now_ns)
    assert tally.gaps_ns == [3, 7]


def test_a_gap_does_not_reach_over_a_reset() -> None:
    """What was answered before it belongs to another measurement."""
    tally = Tally()
    slots = Slots(tally)
    slots.left(100)
    tally.reset()
    slots.taken(900)
    slots.left(1_000)
    slots.taken(1_001)
    assert tally.gaps_ns == [1]


def test_every_domain_has_an_address_of_the_loopback_device() -> None:
    """One port serves them all, so that ten thousand domains need one socket that listens."""
    assert [address_of(number) for number in (0, 254, 255, 9_999)] == [
        "127.0.0.1",
        "127.0.0.255",
        "127.0.1.0",
        "127.0.39.16",
    ]


@pytest.mark.parametrize("delay_s", [0.0, 0.02])
async def test_calls_are_answered_and_told(delay_s: float) -> None:
    """Over sockets: a body in two pieces is one call, answered when it is whole and the delay is over."""
    loop, tally = asyncio.get_running_loop(), Tally()
    slots = Slots(tally)
    target = await loop.create_server(lambda: Target(tally, lambda _: slots, delay_s), "127.0.0.1", 0)
    desk = await loop.create_server(lambda: Desk(tally), "127.0.0.1", 0)
    async with asyncio.timeout(30), target, desk, aclosing(_caller(target)) as calls:
        for _ in range(2):
            begun_s = loop.time()
            await anext(calls)
            assert loop.time() - begun_s >= delay_s
        told = json.loads(await _ask(desk, b"/stats?all"))
        assert (told["calls"], told["tasks"], told["connections"], told["in_flight"]) == (2, 1, 1, 0)
        assert len(told["gaps_ns"]) == (1 if delay_s else 0)


async def _caller(server: asyncio.Server) -> AsyncGenerator[bytes, None]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
    try:
        while True:
            writer.write(head("a", "Content-Length: 4") + b"\r\n\r\nbo")
            await writer.drain()
            writer.write(b"dy")
            yield await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()
        await writer.wait_closed()


async def _ask(server: asyncio.Server, path: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
    writer.write(b"GET " + path + b" HTTP/1.1\r\n\r\n")
    found = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(int(found.split(b"content-length: ")[1].split(b"\r\n")[0]))
    writer.close()
    await writer.wait_closed()
    return body
