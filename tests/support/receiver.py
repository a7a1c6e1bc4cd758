"""A real HTTP receiver for tests: in the test's own loop with answers by script, or as a process with a log.

As a process: ``python -m tests.support.receiver --port 0 --log FILE`` prints its URL and ends on SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

from streamer.adapters.demo.exchange import OK, Answer, Arrival
from streamer.adapters.demo.server import Server
from tests.support.answers import PathAnswers
from tests.support.arrival_log import ArrivalLog


class Receiver:
    """Answers by path, 200 without a script, and keeps every arrival.

    Of a list of answers each is given once, the last one for ever.
    """

    def __init__(self) -> None:
        """Prepare a receiver with no script."""
        self.arrivals: list[Arrival] = []
        self.server = Server(self._respond)
        self._scripts: dict[str, list[Answer]] = {}
        self._news = asyncio.Event()

    @property
    def url(self) -> str:
        """The base URL."""
        return self.server.url

    def on(self, path: str, *answers: Answer) -> str:
        """Answer calls to ``path`` by these, and return the path's whole URL."""
        self._scripts[path] = list(answers)
        return self.url + path

    async def wait_for(self, count: int, within_s: float = 10.0) -> list[Arrival]:
        """Return the arrivals once there are ``count`` of them; TimeoutError after ``within_s``."""
        async with asyncio.timeout(within_s):
            while len(self.arrivals) < count:
                self._news.clear()
                await self._news.wait()
        return self.arrivals

    def _respond(self, arrival: Arrival) -> Answer:
        self.arrivals.append(arrival)
        self._news.set()
        script = self._scripts.get(arrival.path)
        if not script:
            return OK
        return script.pop(0) if len(script) > 1 else script[0]


@asynccontextmanager
async def running_receiver() -> AsyncIterator[Receiver]:
    """Run a receiver in this loop."""
    receiver = Receiver()
    await receiver.server.start()
    try:
        yield receiver
    finally:
        await receiver.server.stop()


async def serve(ports: Sequence[int], log: Path, say: Callable[[list[str]], str], *, heads: bool = False) -> None:
    """Serve on each port, 0 for a free one, until told to stop; ``say`` makes the line for the parent of the URLs."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    answers = PathAnswers()
    with ArrivalLog(log, heads=heads) as written:

        def respond(arrival: Arrival) -> Answer:
            answer = answers(arrival)
            written.add(arrival, answer)
            return answer

        servers = [Server(respond, port) for port in ports]
        print(say([await server.start() for server in servers]), flush=True)  # noqa: T201 - the parent waits for it
        await stopped.wait()
        for server in servers:
            await server.stop()


def main() -> None:
    """Run a receiver until SIGTERM."""
    parser = argparse.ArgumentParser(description="A fast HTTP receiver that logs its arrivals.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--heads", action="store_true", help="log each request's head as it came")
    args = parser.parse_args()
    uvloop.run(serve([args.port], args.log, lambda urls: urls[0], heads=args.heads))


if __name__ == "__main__":
    main()
