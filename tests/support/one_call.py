"""Makes calls in a process of its own, for tests of what the environment must not change.

``python -m tests.support.one_call LIBRARY CERTIFICATE URL...`` calls each URL at 127.0.0.1 and prints the status of each
answer.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from streamer.adapters.http.client_options import ClientOptions
from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.libraries import library_of
from streamer.adapters.http.sender import HttpSender
from streamer.core.outcome import Response
from streamer.core.request import Request
from tests.support.sending import WallClock, delivery_of


async def here(host: str) -> tuple[str, ...]:
    """Lead every name to this machine."""
    return ("127.0.0.1",)


async def main(library: str, certificate: bytes, urls: list[str]) -> None:
    """Call each URL once."""
    options = ClientOptions(root_certificates=(certificate,))
    policy = AddressPolicy(allow_private=True)
    sender = HttpSender(WallClock(), policy, library_of(library), options=options, look_up=here)
    for url in urls:
        end = (await sender.send(delivery_of(Request(url)))).end
        print(end.status if isinstance(end, Response) else end)  # noqa: T201 - the parent reads it
    await sender.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]).read_bytes(), sys.argv[3:]))
