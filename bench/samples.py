"""Values as stages make them, for what measures one stage without the others."""

from __future__ import annotations

import time

from bench.publish import requests
from bench.rig import BODY_BYTES
from streamer.core.delivery import Delivery
from streamer.core.emit import Because, FirstPass, ResultOf
from streamer.core.entry import Entry
from streamer.core.identity import content_hash, task_digest
from streamer.core.lifecycle import State
from streamer.core.outcome import Exchange, Outcome, Response
from streamer.core.partitioning import lane_hash, partition_of
from streamer.core.reading import Accepted
from streamer.flow.intake import RawRequest, admit
from streamer.flow.results import of_attempt
from streamer.ports import Change
from streamer.wire.limits import DEFAULT_LIMITS
from streamer.wire.request_reader import read_request

_URLS = [f"http://127.0.0.1:{port}" for port in range(9_000, 9_020)]
_LANES = 1_000
_DAY_S = 86_400
_BECAUSE = Because("success", "deliver")


def deliveries(count: int) -> list[Delivery]:
    """Return tasks as intake makes them of request records."""
    now_ms, made = time.time_ns() // 1_000_000, []
    for number, value in enumerate(requests(_URLS, count, BODY_BYTES)):
        reading = read_request(value, (), DEFAULT_LIMITS, now_ms)
        assert isinstance(reading, Accepted), reading
        (emit,) = admit(RawRequest("bench", "requests", 0, number, now_ms, None, value, ()), reading, now_ms)
        assert isinstance(emit, FirstPass), emit
        made.append(emit.delivery)
    return made


def results(count: int) -> list[ResultOf]:
    """Return results of attempts that succeeded, as deliver makes them."""
    return [_result(delivery) for delivery in deliveries(count)]


def changes(count: int, partitions: int) -> list[Change]:
    """Return changes of entries for tasks that have ended, as deliver logs them."""
    return [
        (partition_of(f"domain-{number % _LANES}.example", partitions), *entry_of(number, 0, State.SUCCEEDED))
        for number in range(count)
    ]


def entry_of(number: int, partition: int, state: State) -> tuple[bytes, Entry]:
    """Return the key and the entry of a task; it is due in a day if it waits."""
    now_s = int(time.time())
    return task_digest(f"tsk_{number}"), Entry(
        generation=1,
        epoch=1,
        attempt=1,
        state=state,
        flags=0,
        updated_s=now_s,
        due_s=now_s + _DAY_S,
        content=content_hash(b"%d" % number),
        lane=lane_hash(f"domain-{number % _LANES}.example"),
        request_partition=partition,
        request_offset=number,
    )


def _result(delivery: Delivery) -> ResultOf:
    exchange = Exchange(
        Response(200, (("content-length", "0"),), http_version="HTTP/1.1"),
        delivery.accepted_at_ms,
        1.234,
        "127.0.0.1",
        _sent_headers(delivery.task_id),
    )
    now_ms = delivery.accepted_at_ms
    return of_attempt(delivery, exchange, Outcome.SUCCESS, None, State.SUCCEEDED, _BECAUSE, now_ms)


def _sent_headers(task_id: str) -> tuple[tuple[str, str], ...]:
    return (
        ("Content-Type", "text/plain; charset=utf-8"),
        ("User-Agent", "Streamer/0.1"),
        ("webhook-id", task_id),
        ("webhook-timestamp", "1732291200"),
        ("Idempotency-Key", task_id),
        ("X-Request-ID", f"{task_id}.1.1"),
        ("X-Streamer-Attempt", "1"),
        ("X-Streamer-Task", task_id),
        ("X-Streamer-Business", "default"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    )
