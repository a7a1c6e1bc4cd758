"""Whether Redis is here: said once a change, and looked for less and less often."""

from __future__ import annotations

import logging

import pytest

from streamer.adapters.redis.presence import Presence
from tests.support.waiting import until


class Looks:
    """An attempt to use Redis that fails as often as told."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.made = 0

    async def __call__(self) -> None:
        self.made += 1
        if self.made <= self.failures:
            raise OSError(f"no {self.made}")


async def test_one_failure_is_logged_however_many_follow(caplog: pytest.LogCaptureFixture) -> None:
    """What fails while it is away anyway is no news; its return is."""
    looks = Looks(1)
    presence = Presence(looks, "there", "memory")
    await presence.check()
    for _ in range(5):
        presence.left(ValueError("again"))
    await until(lambda: presence.here)
    told = [(record.levelno, record.message.partition(" after")[0]) for record in caplog.records]
    assert told == [
        (logging.WARNING, "Redis at there is away (OSError: no 1): memory"),
        (logging.WARNING, "Redis at there is back"),
    ]
    await presence.close()


async def test_each_look_waits_longer_than_the_one_before() -> None:
    """A Redis that is away for long is not knocked at ten times a second."""
    looks = Looks(2)
    presence = Presence(looks, "there", "memory")
    await presence.check()
    first_s = presence._wait_s
    await until(lambda: presence.here)
    assert looks.made == 3
    assert presence._wait_s == 4 * first_s
    await presence.close()


async def test_one_that_comes_and_goes_is_trusted_less() -> None:
    """Leaving soon after coming back does not begin with short waits again."""
    presence = Presence(Looks(0), "there", "memory")
    presence.left(OSError("gone"))
    first_s = presence._wait_s
    await until(lambda: presence.here)
    presence.left(OSError("gone again"))
    assert presence._wait_s == 2 * first_s
    await presence.close()


async def test_a_long_message_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    """What a server answers may be of any length and have any lines."""
    presence = Presence(Looks(0), "there", "memory")
    presence.left(OSError("x\n" * 10_000))
    assert len(caplog.records[0].message) < 300
    assert "\n" not in caplog.records[0].message
    await presence.close()
