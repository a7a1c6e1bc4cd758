"""Who writes tasks: all at once, at a steady rate, or a little ahead of what has arrived."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count, islice
from typing import Any

from aiokafka import AIOKafkaProducer

from bench.receiver import SENT_AT

#: Records that are on their way to the broker at once.
_AT_ONCE = 5_000


def spread_over(urls: Sequence[str], seed: int) -> Iterator[str]:
    """Yield URLs without end: each once in an order by chance, then each once in another."""
    chance = random.Random(seed)
    while True:
        yield from chance.sample(urls, len(urls))


def requests(urls: Sequence[str], number: int, body_bytes: int, seed: int = 1) -> list[bytes]:
    """Return this many request records, evenly over all domains."""
    body = json.dumps(_body(body_bytes))
    return [f'{{"url": "{url}/hook", "body": {body}}}'.encode() for url in islice(spread_over(urls, seed), number)]


def stamped(url: str, body_bytes: int) -> bytes:
    """Return a request record that carries the instant of now, for the receiver to tell how long it took."""
    headers = {SENT_AT: str(time.monotonic_ns())}
    return json.dumps({"url": f"{url}/hook", "body": _body(body_bytes), "headers": headers}).encode()


async def publish(producer: AIOKafkaProducer, topic: str, records: Sequence[bytes]) -> None:
    """Write records, and return when the broker has acknowledged all."""
    for first in range(0, len(records), _AT_ONCE):
        some = records[first : first + _AT_ONCE]
        await asyncio.gather(*[await producer.send(topic, record) for record in some])


@asynccontextmanager
async def hidden_backlog(producer: AIOKafkaProducer, topic: str, records: Sequence[bytes]) -> AsyncIterator[None]:
    """Write records that appear all at one moment, when the context ends: intake reads what is committed only."""
    async with producer.transaction():
        await publish(producer, topic, records)
        yield


async def open_loop(send: Callable[[int], Coroutine[Any, Any, None]], per_s: float, seconds: float) -> int:
    """Call ``send`` with 0, 1, 2 and so on at a steady rate whatever comes of it; return how many, once all have returned."""
    loop = asyncio.get_running_loop()
    begun_s, tasks = loop.time(), set()
    for number in count():
        due_s = begun_s + number / per_s
        if due_s - begun_s >= seconds:
            break
        await asyncio.sleep(max(0.0, due_s - loop.time()))
        tasks.add(asyncio.create_task(send(number)))
    await asyncio.gather(*tasks)
    return len(tasks)


def _body(size: int) -> str:
    return ("streamer " * (size // 9 + 1))[:size]
