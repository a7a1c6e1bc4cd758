"""What a call costs by each HTTP library: the sender's whole way on loopback, CPU of this process per call.

``python -m bench.clients`` calls a receiver in a process of its own, and prints one line per library.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time

import uvloop

from bench.machine import Others, cpu
from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.libraries import LIBRARIES, library_of
from streamer.adapters.http.sender import HttpSender
from streamer.adapters.system import SystemClock
from streamer.core.delivery import Delivery, Origin
from streamer.core.outcome import Response
from streamer.core.request import Request

_BODY = b"x" * 300


async def _run(count: int, concurrency: int, rounds: int) -> None:
    receiver = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.receiver"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert receiver.stdout is not None
    port = json.loads(await receiver.stdout.readline())[0]
    others = Others()
    try:
        for name in LIBRARIES:
            # The best of the rounds: what others do on the machine only adds.
            us, per_s = min([await _round(name, port, count, concurrency) for _ in range(rounds)])
            print(f"{name:10} {us:7.0f} µs of CPU per call {per_s:8.0f} calls/s", flush=True)
        print(f"{concurrency} calls at once, {count} each, best of {rounds}; others used {others.cores()} cores")
    finally:
        receiver.terminate()
        await receiver.communicate()


async def _round(name: str, port: int, count: int, concurrency: int) -> tuple[float, float]:
    sender = HttpSender(SystemClock(), AddressPolicy(allow_private=True), library_of(name))
    origin = Origin("requests", 0, 0, 0)
    request = Request(f"http://127.0.0.1:{port}/hook", body=_BODY)
    delivery = Delivery("tsk_00112233445566778899aabbccddeeff", "acme", None, "lane", request, origin, 0, 0, attempt=1)

    async def calls(number: int) -> None:
        for _ in range(number):
            end = (await sender.send(delivery)).end
            if not isinstance(end, Response):
                raise SystemExit(f"{name}: {end.message}")

    # Once for each connection, which is then there.
    await asyncio.gather(*(calls(1) for _ in range(concurrency)))
    before, began_s = cpu(os.getpid()), time.monotonic()
    await asyncio.gather(*(calls(count // concurrency) for _ in range(concurrency)))
    us = cpu(os.getpid()).since(before).ms * 1000 / count
    per_s = count / (time.monotonic() - began_s)
    await sender.close()
    return us, per_s


def main() -> None:
    """Measure each library."""
    parser = argparse.ArgumentParser(description="What a call costs by each HTTP library.")
    parser.add_argument("--count", type=int, default=10_000, help="calls per round")
    parser.add_argument("--concurrency", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    uvloop.run(_run(args.count, args.concurrency, args.rounds))


if __name__ == "__main__":
    main()
