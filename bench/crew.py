"""The workers of a test with faults: started together, killed and started again, and gone at its end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType

from tests.support.installation import Installation
from tests.support.worker import WorkerProcess

#: On a machine that is busy with faults a start takes several times as long.
READY_S = 90.0


def no_flags(_: str) -> tuple[str, ...]:
    """Return no flags for a worker of any name."""
    return ()


@asynccontextmanager
async def crew(
    place: Installation,
    count: int,
    flags: Callable[[str], tuple[str, ...]] = no_flags,
    env: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[list[WorkerProcess]]:
    """Run workers, all of them ready; whoever is in the list when the context ends has ended."""
    workers: list[WorkerProcess] = []
    try:
        workers += [WorkerProcess(place, name, flags(name), env) for name in (f"w{number}" for number in range(count))]
        for worker in workers:
            await worker.ready(READY_S)
        yield workers
    finally:
        for worker in workers:
            await worker.clear_away()


async def add(place: Installation, workers: list[WorkerProcess]) -> None:
    """Start one more, and return when it is ready."""
    workers.append(WorkerProcess(place, f"w{len(workers)}", (), {}))
    await workers[-1].ready(READY_S)


async def kill_and_start(place: Installation, workers: list[WorkerProcess], slot: int) -> None:
    """End one without a word, start it again at once, and return when it is ready."""
    workers[slot].kill()
    workers[slot] = WorkerProcess(place, workers[slot].name, (), {})
    await workers[slot].ready(READY_S)


async def end(workers: Sequence[WorkerProcess]) -> list[int]:
    """Ask all to drain and end; return their exit codes."""
    for worker in workers:
        worker.terminate()
    return [await worker.ended() for worker in workers]
