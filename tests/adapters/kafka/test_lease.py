"""The lease: a recent good heartbeat, by the monotonic clock alone, is the right to send and to write (RULES 4)."""

from __future__ import annotations

import time

import pytest
from aiokafka import AIOKafkaConsumer

from streamer.adapters.kafka.lease import SLACK_S, HeartbeatLease, listen
from streamer.wire.topics import Topics
from tests.support.broker import RunningKafka
from tests.support.waiting import until

SESSION_S = 10.0


class Hands:
    """A monotonic clock whose hands a test moves."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


def test_a_new_lease_is_not_held() -> None:
    """Before the first good heartbeat nobody may send, even if the machine has just booted."""
    assert not HeartbeatLease(SESSION_S, lambda: 0.0).held()


def test_it_ends_before_the_session_does() -> None:
    """The broker may give the partitions away at the session's end; the lease is lost some time before."""
    clock = Hands()
    lease = HeartbeatLease(SESSION_S, clock)
    lease.renew(clock.at)
    clock.at += SESSION_S - SLACK_S - 0.001
    assert lease.held()
    clock.at += 0.001
    assert not lease.held()


def test_it_counts_from_when_the_heartbeat_was_sent() -> None:
    """An answer that was long on its way renews from its question, and a late one takes nothing back."""
    clock = Hands()
    lease = HeartbeatLease(SESSION_S, clock)
    lease.renew(clock.at)
    lease.renew(clock.at - 5)
    clock.at += SESSION_S - SLACK_S - 1
    assert lease.held()


def test_a_lapse_lasts_until_the_next_assignment() -> None:
    """A heartbeat that comes after a lapse restores nothing: what was dropped meanwhile is read again only if it is assigned."""
    clock = Hands()
    lease = HeartbeatLease(SESSION_S, clock)
    lease.begin()
    clock.at += SESSION_S - SLACK_S + 0.1
    lease.renew(clock.at)
    assert not lease.held()
    lease.begin()
    assert lease.held()


def test_an_ended_lease_is_not_renewed() -> None:
    """Who has been replaced has no right to anything, whenever its last heartbeat was."""
    clock = Hands()
    lease = HeartbeatLease(SESSION_S, clock)
    lease.begin()
    lease.end()
    lease.renew(clock.at)
    assert not lease.held()


async def test_a_bad_heartbeat_renews_nothing() -> None:
    """What the coordinator refused is no right to anything."""

    class Coordinator:
        good = False

        async def _do_heartbeat(self) -> bool:
            return self.good

    coordinator, lease = Coordinator(), HeartbeatLease(SESSION_S)
    listen(coordinator, lease)
    assert await coordinator._do_heartbeat() is False
    assert not lease.held()
    coordinator.good = True
    assert await coordinator._do_heartbeat() is True
    assert lease.held()


@pytest.mark.broker
async def test_a_members_heartbeats_renew(kafka: RunningKafka, topics: Topics) -> None:
    """A real consumer's heartbeats hold the lease; once it has left the group, time alone ends it."""
    lease = HeartbeatLease(SLACK_S + 0.5)
    consumer = AIOKafkaConsumer(
        topics.requests, bootstrap_servers=kafka.bootstrap, group_id=topics.prefix, heartbeat_interval_ms=100
    )
    await consumer.start()
    try:
        listen(consumer._coordinator, lease)
        await until(lease.held)
        renewed_at = lease._renewed_at
        await until(lambda: lease._renewed_at > renewed_at + 0.5)
        assert lease.held()
    finally:
        await consumer.stop()
    stopped_at = time.monotonic()
    await until(lambda: not lease.held())
    assert time.monotonic() - stopped_at < 1.0
