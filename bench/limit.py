"""The limit of these parts: read a record, POST it, produce two; no state, no retries, no order, no commits.

``python -m bench.limit`` runs over a topic's backlog once and prints its CPU and time as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections import deque
from datetime import timedelta

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pyreqwest.client import Client, ClientBuilder

from bench.machine import cpu, peak_rss_mib

_IN_HAND = 2_000


async def _run(bootstrap: str, source: str, sink: str, count: int, concurrency: int, url: str) -> None:
    # Without a group it has every partition.
    consumer = AIOKafkaConsumer(
        source,
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=2, max_batch_size=256 * 1024
    )
    await consumer.start()
    await producer.start()
    client = ClientBuilder().http1_only().no_proxy().timeout(timedelta(seconds=30)).build()
    post_us = await _yardstick(client, url, count, concurrency)
    before, begun_s = cpu(os.getpid()), time.monotonic()
    waiting: deque[bytes] = deque()
    written: list[asyncio.Future[object]] = []
    posts = [asyncio.create_task(_post(client, producer, sink, waiting, written)) for _ in range(concurrency)]
    read = 0
    while read < count:
        for records in (await consumer.getmany(timeout_ms=100)).values():
            waiting.extend(record.value for record in records)
            read += len(records)
        while len(waiting) > _IN_HAND:  # noqa: ASYNC110 - a signal would cost what is measured here
            await asyncio.sleep(0.005)
    while len(written) < 2 * count:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    await asyncio.gather(*written)
    used, took_s = cpu(os.getpid()).since(before), time.monotonic() - begun_s
    told = {"s": took_s, "cpu_ms": used.ms, "peak_rss_mib": peak_rss_mib(os.getpid()), "post_us": post_us}
    print(json.dumps(told), flush=True)
    for post in posts:
        post.cancel()
    await asyncio.gather(*posts, return_exceptions=True)
    await producer.stop()
    await consumer.stop()
    await client.close()


async def _yardstick(client: Client, url: str, count: int, concurrency: int) -> float:
    """Return the CPU of one POST of 300 bytes by itself, in µs: what tells two machines apart."""
    left = iter(range(count))

    async def post() -> None:
        for _ in left:
            await client.post(url).body_bytes(b"x" * 300).build().send()

    before = cpu(os.getpid())
    await asyncio.gather(*[post() for _ in range(concurrency)])
    return cpu(os.getpid()).since(before).ms * 1000 / count


async def _post(
    client: Client,
    producer: AIOKafkaProducer,
    sink: str,
    waiting: deque[bytes],
    written: list[asyncio.Future[object]],
) -> None:
    while True:
        if not waiting:
            await asyncio.sleep(0.001)
            continue
        record = orjson.loads(waiting.popleft())
        response = await client.post(record["url"]).body_bytes(record["body"].encode()).build().send()
        result = orjson.dumps({"url": record["url"], "status": response.status, "state": "succeeded"})
        written.append(await producer.send(sink, result, key=b"result"))
        written.append(await producer.send(sink, result, key=b"state"))


def main() -> None:
    """Run over the backlog once."""
    parser = argparse.ArgumentParser(description="The limit of the parts, without state.")
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--sink", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--concurrency", type=int, default=50)
    parser.add_argument("--url", required=True, help="where the POST alone is measured")
    args = parser.parse_args()
    uvloop.run(_run(args.bootstrap, args.source, args.sink, args.count, args.concurrency, args.url))


if __name__ == "__main__":
    main()
