"""The exchanger reads a URL once while tasks go there, and keeps none that holds a secret."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.adapters.http.client_options import ClientOptions
from streamer.adapters.http.exchanger import Exchanger
from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.library import HttpClient, HttpLibrary
from streamer.adapters.http.outgoing import Outgoing
from streamer.adapters.http.routes import Routes
from streamer.adapters.http.target import Target
from streamer.adapters.http.transport import Transport, Transports
from streamer.core.outcome import ErrorType, Failure, Response
from streamer.core.send_policy import SendPolicy
from tests.support.libraries import both_libraries
from tests.support.sending import WallClock


class NotingLibrary:
    """A library that notes what it reads."""

    def __init__(self, library: HttpLibrary) -> None:
        """Wrap the one that does the work."""
        self._library = library
        self.urls: list[str] = []

    def read(self, url: str) -> tuple[Target, Any]:
        """Read and note a URL."""
        self.urls.append(url)
        return self._library.read(url)

    def build(self, options: ClientOptions, target: Target, address: str, transport: Transport) -> HttpClient:
        """Build a client."""
        return self._library.build(options, target, address, transport)


async def read_of(library: HttpLibrary, url: str, *, filled: bool) -> tuple[int, Response | Failure]:
    """Return how often a URL was read for two calls, and how the second one ended."""
    noting = NotingLibrary(library)
    routes = Routes(WallClock(), AddressPolicy(allow_private=True), noting, ClientOptions())
    exchanger = Exchanger(noting, routes, Transports(None), None)
    call = Outgoing("GET", url, [], b"", 5_000, 100, "lane", SendPolicy())
    try:
        await exchanger.exchange(call, filled=filled)
        end, _ = await exchanger.exchange(call, filled=filled)
    finally:
        await exchanger.close()
    return noting.urls.count(url), end


@both_libraries
@pytest.mark.parametrize(
    ("path", "filled", "times"),
    [("/hook", False, 1), ("/hook", True, 2), ("/" + "a" * 2_000, False, 2)],
    ids=["plain", "filled", "long"],
)
async def test_plain_url_is_read_once(
    library: HttpLibrary, receiver_url: str, path: str, filled: bool, times: int
) -> None:
    """A URL as its task wrote it is remembered; one with a secret put in, or a long one, is forgotten with its call."""
    read, end = await read_of(library, receiver_url + path, filled=filled)
    assert isinstance(end, Response), end
    assert read == times


@both_libraries
async def test_url_that_cannot_be_read_is_refused_each_time(library: HttpLibrary) -> None:
    """A refusal is not remembered, and says the same again."""
    read, end = await read_of(library, "ftp://127.0.0.1/", filled=False)
    assert isinstance(end, Failure)
    assert (read, end.error, end.begun) == (2, ErrorType.BLOCKED, False)
