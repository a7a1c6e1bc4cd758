"""Secrets in memory: asked for once, read again when old, and never kept from others by who gave up."""

from __future__ import annotations

import asyncio
import threading

import pytest

from streamer.adapters.http.secrets import SecretMissing
from streamer.adapters.secrets.kept import FRESH_MS, KeptSecrets
from streamer.adapters.secrets.source import Hidden
from tests.support.sending import WallClock
from tests.support.waiting import until


class CountingSource:
    """Has one secret, counts how often it is asked, and waits while a gate is closed."""

    title = "counting"

    def __init__(self, value: bytes | None = b"first") -> None:
        self.value = value
        self.asked = 0
        self.gate = threading.Event()
        self.gate.set()

    def read(self, name: str) -> Hidden | None:
        self.asked += 1
        assert self.gate.wait(10)
        return None if self.value is None else Hidden(self.value)

    def names(self) -> list[str]:
        return []


async def test_a_value_is_in_memory_until_it_is_old() -> None:
    """The first call waits for it, the next ones do not; after five seconds it is read again."""
    source, clock = CountingSource(), WallClock()
    secrets = KeptSecrets([source], clock)
    assert secrets.peek("a") is None
    assert await secrets.get("a") == b"first"
    assert (secrets.peek("a"), await secrets.get("a"), source.asked) == (b"first", b"first", 1)
    source.value = b"rotated"
    clock.ahead_ms += FRESH_MS
    assert secrets.peek("a") is None
    assert (await secrets.get("a"), source.asked) == (b"rotated", 2)
    assert "rotated" not in repr(secrets)
    assert "rotated" not in repr(vars(secrets))


async def test_many_who_ask_at_once_read_once() -> None:
    """A thousand calls that find a value old open its file once."""
    source = CountingSource()
    secrets = KeptSecrets([source], WallClock())
    assert await asyncio.gather(*(secrets.get("a") for _ in range(1_000))) == [b"first"] * 1_000
    assert source.asked == 1


async def test_who_gives_up_takes_nothing_from_the_others() -> None:
    """A call that is cancelled while it waits leaves the reading to the others."""
    source = CountingSource()
    source.gate.clear()
    secrets = KeptSecrets([source], WallClock())
    gone, stays = asyncio.create_task(secrets.get("a")), asyncio.create_task(secrets.get("a"))
    await until(lambda: source.asked == 1)
    gone.cancel()
    source.gate.set()
    assert await stays == b"first"
    assert source.asked == 1


async def test_a_missing_secret_is_asked_for_again() -> None:
    """What was missing may be there a moment later."""
    source = CountingSource(None)
    secrets = KeptSecrets([source], WallClock())
    with pytest.raises(SecretMissing, match="secret a: is not set; looked in counting"):
        await secrets.get("a")
    source.value = b"brought"
    assert await secrets.get("a") == b"brought"
