"""Putting a worker together: what follows from which settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamer.adapters.http.httpx_client.library import HttpxLibrary
from streamer.adapters.http.proxy import Proxy
from streamer.adapters.http.pyreqwest_client.library import PyreqwestLibrary
from streamer.adapters.memory.shared_limits import MemorySharedLimits
from streamer.adapters.prometheus.meter import PrometheusMeter
from streamer.adapters.redis.shared_limits import RedisSharedLimits
from streamer.adapters.system import SystemClock
from streamer.bootstrap.plan import Plan
from streamer.bootstrap.sending import address_policy, egress_proxy, make_sender, make_shared_limits
from streamer.cli.setup import limits_of, topics_of
from streamer.core.policy import SharedLimit
from streamer.core.policy_book import PolicyBook
from streamer.core.rate import parse_rate
from streamer.settings.load import load
from tests.core.samples import NOW_MS

LIMIT = SharedLimit("business:a", parse_rate("10/s"), 1)


def shared_limits(name: str = "0", **flags: Any) -> MemorySharedLimits | RedisSharedLimits:
    """Return what a worker of that name would use."""
    settings = load(environ={}, flags={key.replace("__", "."): value for key, value in flags.items()}).settings
    plan = Plan(settings, topics_of(settings), limits_of(settings), {}, "cluster", name)
    return make_shared_limits(plan, PrometheusMeter())


@pytest.mark.parametrize(
    ("name", "flags", "warned"),
    [
        ("0", {}, False),
        ("1", {}, True),
        ("0", {"worker__instance_id": "w-0"}, True),
        ("0", {"worker__processes": 2}, True),
    ],
)
async def test_a_worker_that_may_not_be_alone_says_so(
    name: str, flags: dict[str, Any], warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Without Redis each worker allows the whole rate; who has several, and such limits, is told."""
    limits = shared_limits(name, **flags)
    assert await limits.reserve([LIMIT], NOW_MS, 0) == NOW_MS
    assert [record.levelname for record in caplog.records] == ["WARNING"] * warned
    assert all("Set redis.url" in message for message in caplog.messages)


@pytest.mark.parametrize(("flags", "library"), [({}, PyreqwestLibrary), ({"http.client": "httpx"}, HttpxLibrary)])
def test_the_setting_chooses_the_http_library(flags: dict[str, str], library: type) -> None:
    """``http.client`` says who sends; without a word it is pyreqwest."""
    sender = make_sender(load(environ={}, flags=flags).settings, SystemClock(), PolicyBook)
    assert isinstance(sender._exchanger._library, library)


async def test_a_redis_that_is_away_keeps_no_worker_from_starting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Settings reach the client, the start gives up soon, and reservations are made in memory."""
    limits = shared_limits(
        redis__url="sentinels://bob@127.0.0.1:1/mymaster/2",
        redis__password="correct-horse",
        redis__sentinel_password="battery-staple",
        redis__cafile=str(tmp_path / "absent.pem"),
        redis__fallback_share=0.5,
    )
    assert isinstance(limits, RedisSharedLimits)
    await limits.start()
    assert [await limits.reserve([LIMIT], NOW_MS, 1_000) for _ in range(2)] == [NOW_MS, NOW_MS + 200]
    await limits.close()
    assert "Redis at 127.0.0.1:1 (Sentinels of mymaster) is away" in caplog.text
    assert "at 0.5 of each rate" in caplog.text
    assert "correct-horse" not in caplog.text
    assert "battery-staple" not in caplog.text


def test_the_guard_knows_where_kafka_and_redis_listen() -> None:
    """Their ports, of every server that the settings name, are none that tasks may call."""
    flags = {"kafka.bootstrap_servers": "a:9092,[::1]:9093", "redis.url": "sentinel://h:26379,i:26380/mine"}
    assert address_policy(load(environ={}, flags=flags).settings).own_ports == {9092, 9093, 26379, 26380}


def test_the_proxy_is_that_of_the_settings() -> None:
    """Where it is, and as whom we come; none where none is set."""
    flags = {"http.proxy": "http://me@proxy:4750", "http.proxy_password": "open-sesame"}
    assert egress_proxy(load(environ={}, flags=flags).settings) == Proxy("proxy", 4750, "me", "open-sesame")
    assert egress_proxy(load(environ={}, flags={}).settings) is None
