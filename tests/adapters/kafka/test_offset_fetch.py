"""Committed offsets: a coordinator that cannot tell them is not one that knows of none."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, GroupLoadInProgressError, NotCoordinatorForGroupError
from aiokafka.protocol.commit import OffsetFetchResponse_v1, OffsetFetchResponse_v3

from streamer.adapters.kafka.offset_fetch import of_any_group, of_the_group, offsets_in
from streamer.wire.topics import Topics
from tests.adapters.kafka.support import commit_as
from tests.support.broker import RunningKafka, administering


def test_an_error_of_the_whole_group_is_raised() -> None:
    """KIP-88: since version 2 such an answer names no partition."""
    for code, error in ((14, GroupLoadInProgressError), (16, NotCoordinatorForGroupError)):
        with pytest.raises(error):
            offsets_in(OffsetFetchResponse_v3(throttle_time_ms=0, topics=[], error_code=code))


def test_an_error_of_one_partition_is_raised() -> None:
    """Half an answer would let the other half begin anew."""
    topics = [("t", [(0, 7, "", 0), (1, -1, "", 30)])]
    with pytest.raises(GroupAuthorizationFailedError):
        offsets_in(OffsetFetchResponse_v1(topics=topics))


def test_partitions_without_an_offset_are_left_out() -> None:
    """-1 says that none was committed."""
    topics = [("t", [(0, 7, "", 0), (1, -1, "", 0)])]
    assert offsets_in(OffsetFetchResponse_v3(0, topics, 0)) == {TopicPartition("t", 0): 7}


@pytest.mark.broker
async def test_what_was_committed_is_told_to_a_member_and_to_an_admin(kafka: RunningKafka, topics: Topics) -> None:
    """The same offsets either way, and none for a partition without."""
    group, places = f"{topics.prefix}group", [TopicPartition(topics.due, number) for number in range(3)]
    await commit_as(kafka.bootstrap, group, {(topics.due, 0): 4, (topics.due, 2): 0})
    async with administering(kafka.bootstrap) as admin:
        told = await of_any_group(admin, group, await admin.find_coordinator(group))
    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=group) as member:
        assert await of_the_group(member, places) == told == {places[0]: 4, places[2]: 0}
