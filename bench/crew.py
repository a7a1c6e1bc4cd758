"""The workers of a test with faults: started together, killed and started again, and gone at its end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.support.installation import Installation
from tests.support.worker import WorkerProcess


@asynccontextmanager
async def crew(place: Installation, count: int) -> AsyncIterator[list[WorkerProcess]]:
    """Run workers, all of them ready; whoever is in the list when the context ends has ended."""
    workers: list[WorkerProcess] = []
    try:
        workers += [WorkerProcess(place, f"w{number}", (), {}) for number in range(count)]
        for worker in workers:
            await worker.ready()
        yield workers
    finally:
        for worker in workers:
            await worker.clear_away()


async def add(place: Installation, workers: list[WorkerProcess]) -> None:
    """Start one more, and return when it is ready."""
    workers.append(WorkerProcess(place, f"w{len(workers)}", (), {}))
    await workers[-1].ready()


async def kill_and_start(place: Installation, workers: list[WorkerProcess], slot: int) -> None:
    """End one without a word, start it again at once, and return when it is ready."""
    workers[slot].kill()
    workers[slot] = WorkerProcess(place, workers[slot].name, (), {})
    await workers[slot].ready()


async def end(workers: Sequence[WorkerProcess]) -> list[int]:
    """Ask all to drain and end; return their exit codes."""
    for worker in workers:
        worker.terminate()
    return [await worker.ended() for worker in workers]
