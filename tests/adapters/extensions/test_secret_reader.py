"""How extensions read secrets: on the loop, and from the threads of listeners."""

from __future__ import annotations

import asyncio
import threading

import pytest

from streamer.adapters.secrets.kept import KeptSecrets
from streamer.adapters.secrets.source import Hidden
from streamer.bootstrap.extensions import secret_reader
from tests.support.sending import WallClock
from tests.support.waiting import until


class SlowSource:
    """Has the secret ``key``, and gives it once the gate is open."""

    title = "slow"

    def __init__(self) -> None:
        self.asked = 0
        self.gate = threading.Event()

    def read(self, name: str) -> Hidden | None:
        self.asked += 1
        assert self.gate.wait(10)
        return Hidden(b"value") if name == "key" else None

    def names(self) -> list[str]:
        return ["key"]


async def test_a_listener_reads_a_secret_on_its_thread_while_a_signer_reads_it() -> None:
    """One reading serves both, though each waits on a loop of its own."""
    source = SlowSource()
    read = secret_reader(KeptSecrets([source], WallClock()))
    signer = asyncio.ensure_future(read("key"))
    await until(lambda: source.asked)
    asking = threading.Event()

    async def ask() -> bytes:
        asking.set()
        return await read("key")

    listener = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(ask())))
    await until(asking.is_set)
    source.gate.set()
    assert (await signer, await listener) == (b"value", b"value")
    assert source.asked == 1


async def test_a_secret_that_is_not_there_is_a_lookup_error_on_any_thread() -> None:
    """As the contract of extensions says."""
    source = SlowSource()
    source.gate.set()
    read = secret_reader(KeptSecrets([source], WallClock()))
    with pytest.raises(LookupError, match="secret other: is not set"):
        await read("other")

    async def ask() -> bytes:
        return await read("other")

    with pytest.raises(LookupError, match="secret other: is not set"):
        await asyncio.to_thread(lambda: asyncio.run(ask()))
