"""Fixtures of the sender's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.libraries import PYREQWEST, library_of
from streamer.adapters.http.library import HttpLibrary
from streamer.adapters.http.sender import HttpSender
from tests.support.receiver import Receiver, running_receiver
from tests.support.sending import WallClock

MakeSender = Callable[..., HttpSender]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver in this loop."""
    async with running_receiver() as running:
        yield running


@pytest.fixture
def library(request: pytest.FixtureRequest) -> HttpLibrary:
    """The HTTP library that a test is about: pyreqwest, unless it is marked for both."""
    return library_of(getattr(request, "param", PYREQWEST))


@pytest.fixture
async def make_sender(library: HttpLibrary) -> AsyncIterator[MakeSender]:
    """Makes senders that may call this machine, and closes them."""
    made: list[HttpSender] = []

    def make(policy: AddressPolicy | None = None, **options: Any) -> HttpSender:
        made.append(HttpSender(WallClock(), policy or AddressPolicy(allow_private=True), library, **options))
        return made[-1]

    yield make
    for sender in made:
        await sender.close()


@pytest.fixture
def receiver_url(receiver: Receiver) -> str:
    """The base URL of a receiver that answers 200."""
    return receiver.url
