"""Limits in Redis: two clients keep one rate, calls go together, and each way to connect leads there."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from streamer.adapters.memory.meter import MemoryMeter
from tests.adapters.redis.support import EACH_MINUTE, SECRET, limits_at, minutes
from tests.support.redis import running_redis
from tests.support.tls import make_certificate

pytestmark = pytest.mark.redis


async def test_two_clients_keep_the_limit_exactly(tmp_path: Path) -> None:
    """Whoever asks, each slot of a key goes to one of them, and none is left out."""
    async with running_redis(tmp_path) as server, limits_at(server.options) as one, limits_at(server.options) as other:
        slots = await asyncio.gather(*(minutes(shared) for _ in range(250) for shared in (one, other)))
    assert sorted(slot for slot in slots if slot is not None) == list(range(500))


async def test_what_asks_together_goes_together(tmp_path: Path) -> None:
    """A thousand reservations at once are a few calls of the script."""
    async with running_redis(tmp_path) as server, limits_at(server.options) as limits:
        await asyncio.gather(*(limits.reserve([EACH_MINUTE], 0, 0) for _ in range(1_000)))
        stats = await server.tell("INFO", "commandstats")
    # Four with the reservations, and two of the start, of which the first found no script.
    assert stats["cmdstat_evalsha"]["calls"] == 6


async def test_a_forgotten_script_is_sent_again(tmp_path: Path) -> None:
    """SCRIPT FLUSH is no reason to fall back."""
    meter = MemoryMeter()
    async with running_redis(tmp_path) as server, limits_at(server.options, meter=meter) as limits:
        assert await minutes(limits) == 0
        await server.tell("SCRIPT", "FLUSH")
        assert await minutes(limits) == 1
    assert meter.counted("shared_limit_fallbacks") == 0


async def test_user_password_and_database(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A user of Redis' ACLs who may run the script on keys of our prefix is enough, in the database that is named."""
    acl = f"user worker on >{SECRET} ~streamer:limit:* +evalsha +script|load +time +get +set +select"
    async with running_redis(tmp_path, "--databases", "4") as server:
        await server.tell("ACL", "SETUSER", *acl.split()[1:])
        options = replace(server.options, user="worker", password=SECRET, database=3)
        async with limits_at(options) as limits:
            assert [await minutes(limits) for _ in range(2)] == [0, 1]
            assert limits.here
        assert list(await server.tell("INFO", "keyspace")) == ["db3"]
    assert caplog.records == []


@pytest.mark.parametrize("password", [None, SECRET])
async def test_a_wrong_password_falls_back_and_is_not_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, password: str | None
) -> None:
    """The log says why Redis is of no use, and repeats no password."""
    caplog.set_level(logging.DEBUG)
    async with running_redis(tmp_path, "--requirepass", "another") as server:
        options = replace(server.options, password=password)
        async with limits_at(options) as limits:
            assert await minutes(limits) == 0
            assert not limits.here
            shown = f"{options!r} {limits!r} {vars(limits)!r}"
    assert f"Redis at 127.0.0.1:{server.port} is away (Auth" in caplog.text
    assert SECRET not in caplog.text + shown


async def test_tls_with_an_authority_of_ones_own(tmp_path: Path) -> None:
    """A server whose certificate the file vouches for is trusted, and without the file it is not."""
    made = make_certificate(tmp_path, "IP:127.0.0.1")
    files = ("--tls-cert-file", str(made.certificate), "--tls-key-file", str(made.key), "--tls-auth-clients", "no")
    async with running_redis(tmp_path, *files, tls=True) as server:
        options = replace(server.options, tls=True, cafile=made.certificate)
        async with limits_at(options) as trusting, limits_at(replace(options, cafile=None)) as strict:
            assert [await minutes(trusting) for _ in range(2)] == [0, 1]
            assert (trusting.here, strict.here) == (True, False)


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Who holds some certificate of our authority is not yet our Redis."""
    made = make_certificate(tmp_path, "DNS:elsewhere.test")
    files = ("--tls-cert-file", str(made.certificate), "--tls-key-file", str(made.key), "--tls-auth-clients", "no")
    async with running_redis(tmp_path, *files, tls=True) as server:
        options = replace(server.options, tls=True, cafile=made.certificate)
        async with limits_at(options) as limits:
            assert not limits.here
    assert "certificate" in caplog.text
