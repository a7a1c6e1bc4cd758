"""Rounds of hostile calls, all of a round in flight together, and the worker's memory meanwhile."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from bench.machine import forget_peak, peak_rss_mib, rss_mib
from bench.publish import open_loop
from bench.rig import BODY
from bench.site import Site
from streamer.wire.config_key import key_of
from streamer.wire.config_model import Kind
from streamer.wire.config_record import encode_config
from tests.support.installation import ROOT, environment

_LOOK_S = 0.05
_LATE_S = 30.0
#: Of a round's time, in which its tasks are written: the rest is for its answers.
_WRITING = 0.6


class Harm:
    """The hostile receiver's process: its base URLs, and what has come of its rounds."""

    def __init__(self, ports: Sequence[int]) -> None:
        """Wrap the ports that it has told, the last one for figures."""
        self.urls = [f"http://127.0.0.1:{port}" for port in ports[:-1]]
        self._desk = httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports[-1]}", trust_env=False)

    async def stats(self, path: str = "/stats") -> dict[str, int]:
        """Return the figures; ``/reset`` begins them anew, ``/release`` answers those that wait."""
        found: dict[str, int] = (await self._desk.get(path)).json()
        return found

    async def until(self, figure: str, wanted: int, within_s: float) -> bool:
        """Return once a figure is so large; False when it takes longer."""
        try:
            async with asyncio.timeout(within_s):
                while (await self.stats())[figure] < wanted:  # noqa: ASYNC110 - another process gives no signal
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Close the connection for figures."""
        await self._desk.aclose()


@asynccontextmanager
async def harm(domains: int, at_once: int) -> AsyncIterator[Harm]:
    """Run the receiver; it has ended when the context does."""
    words = ("-m", "bench.bomb_server", "--ports", str(domains), "--at-once", str(at_once))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, cwd=ROOT, env=environment(), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    running = Harm(json.loads(await process.stdout.readline()))
    try:
        yield running
    finally:
        await running.close()
        process.send_signal(signal.SIGTERM)
        await process.communicate()


async def allow(site: Site, domains: Sequence[str], at_once: int) -> None:
    """Let each domain have so many calls at once, by a record on ``config``."""
    for url in domains:
        key = key_of(Kind.DOMAIN, url.removeprefix("http://"))
        value = encode_config({"concurrency": at_once})
        await site.producer.send_and_wait(site.place.topics.config, value, key.encode(), partition=0)


@dataclass(frozen=True, slots=True)
class Rounds:
    """How many calls a round has, how long it lasts, and for how long rounds go on."""

    at_once: int = 200
    every_s: float = 2.0
    seconds: float = 30.0


async def hostile_rounds(site: Site, harm: Harm, path: str, rounds: Rounds) -> dict[str, int]:
    """Make rounds one after another: tasks written evenly, answered together; return what the receiver counted."""
    await harm.stats("/reset")
    loop, done = asyncio.get_running_loop(), 0
    until_s = loop.time() + rounds.seconds
    while loop.time() < until_s:
        begun_s = loop.time()
        await _write(site, harm, path, rounds, done, timeout_ms=30_000)
        done += 1
        await _answered(harm, done, rounds.at_once)
        await asyncio.sleep(max(0.0, begun_s + rounds.every_s - loop.time()))
    return await harm.stats()


async def one_round(site: Site, harm: Harm, path: str, rounds: Rounds) -> None:
    """Begin a round whose calls go on for as long as they may; return once all are in flight."""
    await harm.stats("/reset")
    # Longer than they are looked at, and no longer than needed.
    await _write(site, harm, path, rounds, 0, timeout_ms=round((rounds.seconds + 10) * 1000))
    if not await harm.until("answered", rounds.at_once, _LATE_S):
        raise TimeoutError(f"not all of {rounds.at_once} calls are in flight after {_LATE_S:g} s: {await harm.stats()}")


async def _write(site: Site, harm: Harm, path: str, rounds: Rounds, done: int, *, timeout_ms: int) -> None:
    async def write(number: int) -> None:
        url = harm.urls[number % len(harm.urls)]
        record: dict[str, Any] = {
            "url": f"{url}/{path}?{done}.{number}",
            "body": BODY,
            "timeout_ms": timeout_ms,
            "retry": {"intervals": []},
        }
        await site.producer.send_and_wait(site.place.topics.requests, json.dumps(record).encode())

    writing_s = rounds.every_s * _WRITING
    # One more by a rounding of the last instant would begin the next round.
    await open_loop(write, rounds.at_once / writing_s, writing_s - writing_s / rounds.at_once / 2)


async def _answered(harm: Harm, done: int, at_once: int) -> None:
    """Wait for the end of a round; TimeoutError tells how far it came."""
    if not await harm.until("ended", done * at_once, _LATE_S):
        raise TimeoutError(f"round {done} of {at_once} calls has not ended after {_LATE_S:g} s: {await harm.stats()}")


class Memory:
    """A process's memory while something lasts: looked at 20 times a second, and the kernel's own peak."""

    def __init__(self, pid: int) -> None:
        """Begin at nothing."""
        self._pid = pid
        self.looks_mib: list[float] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Memory:
        forget_peak(self._pid)
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.looks_mib.append(rss_mib(self._pid))
        self.peak_mib = max(peak_rss_mib(self._pid), *self.looks_mib)

    async def _look(self) -> None:
        while True:
            self.looks_mib.append(rss_mib(self._pid))
            await asyncio.sleep(_LOOK_S)
