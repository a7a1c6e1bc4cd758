"""A receiver in a process of its own, so that its work is not measured as ours."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.arrival_log import LoggedArrival, read_arrivals

_START_S = 15.0


class ReceiverProcess:
    """A running process: its URL, and what has arrived so far."""

    def __init__(self, url: str, log: Path) -> None:
        """Wrap a process that has said its URL."""
        self.url = url
        self.log = log

    def arrivals(self) -> list[LoggedArrival]:
        """Return what is in the log; it lags the calls by at most 50 ms."""
        return read_arrivals(self.log)


@asynccontextmanager
async def receiver_process(log: Path, port: int = 0) -> AsyncIterator[ReceiverProcess]:
    """Run a receiver's process; it ends, and its log is complete, when the context does."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.receiver", "--port", str(port), "--log", str(log)),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START_S):
            url = (await process.stdout.readline()).decode().strip()
        assert url, "the receiver's process ended before it said its URL; its words are above"
        yield ReceiverProcess(url, log)
    finally:
        if process.returncode is None:
            process.terminate()
        # communicate, not wait: it also closes the pipe, whose warning would fail another test later.
        await process.communicate()
