"""Committed offsets as an admin sees them, and topics that hold records which nobody has read (RULES 11)."""

from __future__ import annotations

import pytest
from aiokafka import TopicPartition

from streamer.adapters.kafka.positions import committed, never_read
from streamer.wire.topics import Topics
from tests.adapters.kafka.support import commit_as, delete_before, produce
from tests.support.broker import RunningKafka

pytestmark = pytest.mark.broker


async def test_a_group_that_never_read_is_found_by_its_topics(kafka: RunningKafka, topics: Topics) -> None:
    """Only topics that hold records, and of which the group has no offset at all, are named."""
    options = {"bootstrap_servers": kafka.bootstrap}
    group, other = f"{topics.prefix}group", f"{topics.prefix}other"
    wanted = {group: [topics.requests, topics.deliveries, topics.due], other: [topics.control]}
    assert await never_read(options, wanted) == []
    for topic in (topics.requests, topics.deliveries):
        await produce(kafka.bootstrap, topic, [(None, b"1", 3)])
    assert await never_read(options, wanted) == [topics.requests, topics.deliveries]
    await commit_as(kafka.bootstrap, group, {(topics.requests, 0): 0})
    assert await never_read(options, wanted) == [topics.deliveries]
    await delete_before(kafka.bootstrap, topics.deliveries, 3, 1)
    assert await never_read(options, wanted) == []


async def test_what_a_group_has_committed(kafka: RunningKafka, topics: Topics) -> None:
    """Offsets come by partition; an unknown group has none."""
    options = {"bootstrap_servers": kafka.bootstrap}
    group = f"{topics.prefix}group"
    assert await committed(options, group) == {}
    await commit_as(kafka.bootstrap, group, {(topics.requests, 2): 7})
    assert await committed(options, group) == {TopicPartition(topics.requests, 2): 7}
