"""Fixtures of the pyreqwest sender's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.sender import PyreqwestSender
from tests.support.receiver import Receiver, running_receiver
from tests.support.sending import WallClock

MakeSender = Callable[..., PyreqwestSender]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver in this loop."""
    async with running_receiver() as running:
        yield running


@pytest.fixture
async def make_sender() -> AsyncIterator[MakeSender]:
    """Makes senders that may call this machine, and closes them."""
    made: list[PyreqwestSender] = []

    def make(policy: AddressPolicy | None = None, **options: Any) -> PyreqwestSender:
        made.append(PyreqwestSender(WallClock(), policy or AddressPolicy(allow_private=True), **options))
        return made[-1]

    yield make
    for sender in made:
        await sender.close()


@pytest.fixture
def receiver_url(receiver: Receiver) -> str:
    """The base URL of a receiver that answers 200."""
    return receiver.url
