"""The limit of these parts: read a record, POST it, produce two; no state, no retries, no order, no commits.

``python -m bench.limit`` works on a topic's partitions until SIGTERM. Its calls and records have what those of a worker must
have; with ``--little`` as little as can be. With ``--post URL`` it makes calls alone and tells what one costs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from pyreqwest.client import Client, ClientBuilder

from bench.limit_records import Write, carry_all, carry_little
from bench.machine import cpu

CONCURRENCY = 50
#: Makes the call that a record asks for, and writes what comes of it.
Carry = Callable[[Client, dict[str, Any], Write], Awaitable[None]]
_IN_HAND = 2_000
_NAP_S = 0.001


async def _run(bootstrap: str, source: str, sinks: Sequence[str], partitions: list[int], carry: Carry) -> None:
    # Its own partitions, without a group; what is hidden in a transaction is not read, as by intake.
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
        isolation_level="read_committed",
    )
    consumer.assign([TopicPartition(source, number) for number in partitions])
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=2, max_batch_size=256 * 1024
    )
    await consumer.start()
    await producer.start()
    client, waiting = _client(), deque[bytes]()
    written: set[asyncio.Future[object]] = set()

    async def write(which: int, key: bytes, value: bytes) -> None:
        future = await producer.send(sinks[which], value, key=key)
        written.add(future)
        future.add_done_callback(written.discard)

    work = [asyncio.create_task(_post(client, carry, write, waiting)) for _ in range(CONCURRENCY)]
    work.append(asyncio.create_task(_read(consumer, waiting)))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(json.dumps({"event": "parts.ready", "pid": os.getpid()}), flush=True)
    await stop.wait()
    for each in work:
        each.cancel()
    ends = await asyncio.gather(*work, return_exceptions=True)
    await asyncio.gather(*written)
    await producer.stop()
    await consumer.stop()
    await client.close()
    if faults := [end for end in ends if not isinstance(end, asyncio.CancelledError)]:
        raise SystemExit(f"the parts alone failed: {faults[0]!r}")


def _client() -> Client:
    return ClientBuilder().http1_only().no_proxy().timeout(timedelta(seconds=30)).build()


async def _read(consumer: AIOKafkaConsumer, waiting: deque[bytes]) -> None:
    while True:
        for records in (await consumer.getmany(timeout_ms=100)).values():
            waiting.extend([record.value for record in records])
        while len(waiting) > _IN_HAND:  # noqa: ASYNC110 - a signal would cost what is measured here
            await asyncio.sleep(5 * _NAP_S)


async def _post(client: Client, carry: Carry, write: Write, waiting: deque[bytes]) -> None:
    while True:
        if not waiting:
            await asyncio.sleep(_NAP_S)
            continue
        await carry(client, orjson.loads(waiting.popleft()), write)


async def _posts_alone(url: str, count: int) -> float:
    """Return the CPU of one POST of 300 bytes by itself, in µs: what tells two machines apart."""
    client, left = _client(), iter(range(count))

    async def post() -> None:
        for _ in left:
            await client.post(url).body_bytes(b"x" * 300).build().send()

    before = cpu(os.getpid())
    await asyncio.gather(*[post() for _ in range(CONCURRENCY)])
    spent_us = cpu(os.getpid()).since(before).ms * 1000
    await client.close()
    return spent_us / count


def main() -> None:
    """Work until SIGTERM, or make so many calls."""
    parser = argparse.ArgumentParser(description="The limit of the parts, without state.")
    parser.add_argument("--bootstrap")
    parser.add_argument("--source")
    parser.add_argument("--sinks", nargs=2, help="the topics of results and of states")
    parser.add_argument("--little", action="store_true", help="call and write with as little as can be")
    parser.add_argument("--partitions", type=json.loads, help="those of the source to read, as a list")
    parser.add_argument("--post", help="measure calls to this URL alone")
    parser.add_argument("--count", type=int, default=20_000)
    args = parser.parse_args()
    # Partitions that were just made have no leader yet, and are asked again.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    if args.post:
        print(json.dumps({"post_us": round(uvloop.run(_posts_alone(args.post, args.count)), 1)}))
    else:
        carry = carry_little if args.little else carry_all
        uvloop.run(_run(args.bootstrap, args.source, args.sinks, args.partitions, carry))


if __name__ == "__main__":
    main()
