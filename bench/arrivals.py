"""What a receiver's log says about the tasks of a test: each call carries its task's name and number in its URL."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from pathlib import Path

import orjson

from tests.support.arrival_log import LoggedArrival

_LOOK_S = 0.2


def tagged(url: str, name: str, number: int) -> str:
    """Return the URL of one task; receivers answer by the path alone."""
    return f"{url}?{name}.{number}"


def number_of(arrival: LoggedArrival) -> int:
    """Return the number in a call's URL."""
    return int(arrival.path.rpartition(".")[2])


class Arrivals:
    """The calls so far, by name, in the order in which they came; reading goes on where it ended."""

    def __init__(self, log: Path) -> None:
        """Follow a log that may not be there yet."""
        self._log = log
        self._at = 0
        self._by_name: dict[str, list[LoggedArrival]] = defaultdict(list)

    def of(self, name: str) -> list[LoggedArrival]:
        """Return the calls of a name, what has come just now included."""
        self._read()
        return self._by_name[name]

    def all(self) -> list[LoggedArrival]:
        """Return every call, those of one name together."""
        self._read()
        return [arrival for arrivals in self._by_name.values() for arrival in arrivals]

    async def until(self, name: str, count: int, within_s: float) -> bool:
        """Return once a name has so many calls; False when it takes longer."""
        try:
            async with asyncio.timeout(within_s):
                while len(self.of(name)) < count:  # noqa: ASYNC110 - another process's log gives no signal
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            return False
        return True

    def _read(self) -> None:
        if not self._log.exists():
            return
        with self._log.open("rb") as log:
            log.seek(self._at, os.SEEK_SET)
            # The receiver writes whole lines only.
            text = log.read()
        self._at += len(text)
        for line in text.splitlines():
            arrival = LoggedArrival(**orjson.loads(line))
            self._by_name[arrival.path.partition("?")[2].partition(".")[0]].append(arrival)
