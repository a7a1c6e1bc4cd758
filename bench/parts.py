"""The parts alone as processes beside each other: each with its share of the partitions, started and ended like workers."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from tests.support.installation import ROOT, Installation, environment


@asynccontextmanager
async def parts(place: Installation, count: int, *, little: bool = False) -> AsyncIterator[dict[str, int]]:
    """Run so many processes; yields their ids by name once all are ready, and ends them with the context.

    They carry what a worker must, or as ``little`` as makes a call and two records.
    """
    running: dict[str, asyncio.subprocess.Process] = {}
    try:
        for number in range(count):
            running[f"parts-{number}"] = await _start(
                place, list(range(number, place.partitions, count)), little=little
            )
        for process in running.values():
            assert process.stdout is not None
            assert await process.stdout.readline(), "a process of the parts ended before it was ready; see above"
        yield {name: process.pid for name, process in running.items()}
    finally:
        for process in running.values():
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        for process in running.values():
            await process.communicate()
    # Parts that did not do their work would be no limit.
    if failed := [name for name, process in running.items() if process.returncode]:
        raise RuntimeError(f"{', '.join(failed)} failed, as is told above: the figures mean nothing")


def little_parts(place: Installation, count: int) -> AbstractAsyncContextManager[dict[str, int]]:
    """Run so many processes that carry as little as makes a call and two records."""
    return parts(place, count, little=True)


async def post_alone_us(url: str, count: int = 20_000) -> float:
    """Return the CPU of one POST by its client alone, in a process of its own."""
    words = ("-m", "bench.limit", "--post", f"{url}/hook", "--count", str(count))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, cwd=ROOT, env=environment(), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    us: float = json.loads(out)["post_us"]
    return us


async def _start(place: Installation, partitions: list[int], *, little: bool) -> asyncio.subprocess.Process:
    topics = place.topics
    words = [
        "-m",
        "bench.limit",
        "--bootstrap",
        place.bootstrap,
        "--source",
        topics.requests,
        *["--little"][: int(little)],
    ]
    words += ["--sinks", topics.results, topics.tasks_changelog]
    return await asyncio.create_subprocess_exec(
        *(sys.executable, *words, "--partitions", json.dumps(partitions)),
        cwd=ROOT,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
    )
