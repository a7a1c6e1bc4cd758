"""The receiver's process as a measurement sees it: started for it, asked for its figures, ended with it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx

from bench.even import evenly
from bench.receiver import address_of
from tests.support.installation import ROOT, environment

_LOOK_S = 0.05
_ANSWER_S = 30.0


class Receiver:
    """The receiver's process: the base URL of each domain, and its figures."""

    def __init__(self, pid: int, ports: Sequence[int], domains: int, partitions: int) -> None:
        """Wrap a process that has told its ports, for calls and for figures; the domains are spread evenly over partitions."""
        self.pid = pid
        calls, desk = ports
        lanes = evenly(lambda number: f"{address_of(number)}:{calls}", domains, partitions)
        self.urls = [f"http://{address_of(number)}:{calls}" for number in lanes]
        self._desk = httpx.AsyncClient(base_url=f"http://127.0.0.1:{desk}", trust_env=False, timeout=_ANSWER_S)

    async def stats(self, *, every: bool = False) -> dict[str, Any]:
        """Return what came since the last reset; ``every`` latency and gap with it, in ns."""
        found: dict[str, Any] = (await self._desk.get("/stats?all" if every else "/stats")).json()
        return found

    async def reset(self) -> None:
        """Begin to count again."""
        await self._desk.get("/reset")

    async def forget_gaps(self) -> None:
        """Count on, but for how long slots stood empty up to now."""
        await self._desk.get("/forget-gaps")

    async def until(self, tasks: int, within_s: float) -> None:
        """Return once so many tasks have been called; TimeoutError tells how many have."""
        found = 0
        try:
            async with asyncio.timeout(within_s):
                while (found := (await self.stats())["tasks"]) < tasks:  # noqa: ASYNC110 - another process's count
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise TimeoutError(f"{found} tasks of {tasks} have been called after {within_s:g} s") from None

    async def close(self) -> None:
        """Close the connection for figures."""
        await self._desk.aclose()


@asynccontextmanager
async def receiving(domains: int, delay_ms: float = 0.0, partitions: int = 1) -> AsyncIterator[Receiver]:
    """Run a receiver of so many domains, evenly over so many partitions; it has ended when the context does."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.receiver", "--delay-ms", str(delay_ms)),
        cwd=ROOT,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    receiver = Receiver(process.pid, json.loads(await process.stdout.readline()), domains, partitions)
    try:
        yield receiver
    finally:
        await receiver.close()
        process.send_signal(signal.SIGTERM)
        await process.communicate()
