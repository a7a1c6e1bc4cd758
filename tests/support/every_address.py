"""Tries the corpus of URLs where every address on earth is this machine: a network namespace whose routes say so.

``python -m tests.support.every_address`` in such a namespace prints, as JSON, how many ways inside were tried and how
often somebody was called for them, and how many legal URLs were called of how many: that these arrive is what proves that
the others would have.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import AsyncExitStack
from typing import Any

import orjson

from streamer.adapters.http.guard import judge_address
from streamer.adapters.http.libraries import LIBRARIES, library_of
from streamer.adapters.http.library import HttpLibrary
from streamer.core.reading import Accepted
from streamer.wire.limits import DEFAULT_LIMITS
from streamer.wire.request_reader import read_request
from tests.support.raw_server import raw_server
from tests.support.ssrf import CASES, LEGAL, REFUSED, UrlCase

#: What makes a namespace one in which every address is local.
ROUTES = "ip link set lo up && ip route add local 0.0.0.0/0 dev lo && ip -6 route add local ::/0 dev lo"

_PORT = re.compile(r":(\d{1,5})(?:[/?#]|$)")


class Everywhere:
    """Listens at every address; keeps those at which it was called, and hangs up."""

    def __init__(self) -> None:
        """Begin with none."""
        self.called: list[str] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Note one connection."""
        self.called.append(writer.get_extra_info("sockname")[0])

    async def reached_by(self, case: UrlCase, library: HttpLibrary) -> list[str]:
        """Call a URL, and return the addresses that were connected to."""
        self.called.clear()
        await case.call(case.url, library)
        # A connection that was made and not used is accepted in the loop's next rounds.
        for _ in range(3):
            await asyncio.sleep(0)
        return list(self.called)


def ports() -> set[int]:
    """Return every port that a URL of the corpus may mean, by its number or by its scheme."""
    named = {int(port) for case in CASES for port in _PORT.findall(case.url)}
    return {80, 443, 21, 70} | {port for port in named if 0 < port < 65_536}


def is_a_hit(case: UrlCase, address: str) -> bool:
    """Tell whether nobody may be called there for this URL.

    What the record's reader refuses is tried too. The client reads some of it as a public address in an odd notation, and
    may call that; what the reader accepts must not be called at all.
    """
    reading = read_request(orjson.dumps({"url": case.url}), (), DEFAULT_LIMITS, 0)
    return isinstance(reading, Accepted) or judge_address(address) is not None


async def main() -> None:
    """Listen everywhere, and try all."""
    everywhere = Everywhere()
    async with AsyncExitStack() as stack:
        for port in ports():
            for host in ("0.0.0.0", "::"):
                await stack.enter_async_context(raw_server(everywhere.handle, hosts=(host,), port=port))
        found: dict[str, Any] = {"refused": 0, "hits": [], "legal": 0, "reached": 0}
        for library in map(library_of, LIBRARIES):
            for case in REFUSED:
                found["hits"] += [case.url for at in await everywhere.reached_by(case, library) if is_a_hit(case, at)]
            found["reached"] += len([case for case in LEGAL if await everywhere.reached_by(case, library)])
            found["refused"] += len(REFUSED)
            found["legal"] += len(LEGAL)
    print(json.dumps(found))  # noqa: T201 - the parent reads it


if __name__ == "__main__":
    asyncio.run(main())
