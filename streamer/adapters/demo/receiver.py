"""The demo receiver: a few targets with well-known faults, for `streamer up` to deliver to."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from streamer.adapters.demo.exchange import DROP, OK, Answer, Arrival
from streamer.adapters.demo.server import Server

_JSON = (("content-type", "application/json"),)
_SLOW_S = 2.0


@dataclass(frozen=True, slots=True)
class Path:
    """One target of the demo: where it is and what it does."""

    path: str
    what: str


#: The targets, in the order in which people read them.
PATHS = (
    Path("/ok", "answers 200"),
    Path("/flaky", "answers 500 to some calls"),
    Path("/slow", f"answers 200 after {_SLOW_S:g} s"),
    Path("/down", "drops the connection"),
    Path("/stats", "tells how many calls each path had"),
)

OnArrival = Callable[[Arrival, int | None], None]


class DemoReceiver:
    """Runs in the process that starts it, on 127.0.0.1.

    ``on_arrival`` is told each call and the status that it gets, None when the connection is dropped. Which
    calls to /flaky fail follows from ``seed``; ``flaky_share`` of them do.
    """

    def __init__(
        self, port: int = 0, *, seed: int = 1, flaky_share: float = 0.4, on_arrival: OnArrival | None = None
    ) -> None:
        """Prepare a receiver; port 0 takes any free one."""
        self._server = Server(self._respond, port)
        self._chance = random.Random(seed)
        self._flaky_share = flaky_share
        self._on_arrival = on_arrival
        self._calls: Counter[str] = Counter()

    async def start(self) -> str:
        """Listen, and return the base URL."""
        return await self._server.start()

    async def stop(self) -> None:
        """Stop listening and cut every connection."""
        await self._server.stop()

    def stats(self) -> dict[str, int]:
        """Return how many calls each path and status had, as in ``"/flaky 500"``."""
        return dict(sorted(self._calls.items()))

    def _respond(self, arrival: Arrival) -> Answer:
        path = arrival.path.partition("?")[0]
        if path == "/stats":
            return Answer(200, _JSON, json.dumps(self.stats()).encode())
        answer = self._answer(path)
        status = None if answer is DROP else answer.status
        if status != 404:
            # Unknown paths are not counted one by one, or a peer could make the counts grow for ever.
            self._calls[f"{path} {status or 'dropped'}"] += 1
        if self._on_arrival is not None:
            self._on_arrival(arrival, status)
        return answer

    def _answer(self, path: str) -> Answer:
        match path:
            case "/ok":
                return OK
            case "/flaky":
                return Answer(500, body=b"flaky\n") if self._chance.random() < self._flaky_share else OK
            case "/slow":
                return Answer(delay_s=_SLOW_S)
            case "/down":
                return DROP
            case _:
                return Answer(404, body=b"no such target\n")
