"""The partition of a lane is the one that Kafka's own clients choose."""

from __future__ import annotations

from collections import Counter

import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as kafkas_murmur2
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.partitioning import lane_hash, murmur2, partition_of, shard_of


@given(st.binary(max_size=70))
def test_hash_is_kafkas(data: bytes) -> None:
    """The same 32 bits as in aiokafka, for every length and tail."""
    assert murmur2(data) == kafkas_murmur2(data) & 0xFFFFFFFF


@given(st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable()), st.integers(1, 64))
def test_partition_is_the_default_partitioners(lane: str, partitions: int) -> None:
    """A producer that keys by domain and leaves the choice to its client meets our lane."""
    every = list(range(partitions))
    assert partition_of(lane, partitions) == DefaultPartitioner()(lane.encode(), every, every)


@pytest.mark.parametrize(
    ("data", "signed"), [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536)]
)
def test_hash_as_in_javas_own_tests(data: bytes, signed: int) -> None:
    """Values that Apache Kafka's test suite states."""
    assert murmur2(data) == signed & 0xFFFFFFFF


def test_lane_hash_is_positive() -> None:
    """A hash with its sign bit set is made positive by dropping the bit, not by negating."""
    assert lane_hash("21") == -973932308 & 0x7FFFFFFF


def test_a_task_has_one_shard_for_good() -> None:
    """RULES 23: the shard follows from the id alone, without shards it is 0, and tasks spread over all of them evenly."""
    ids = [f"tsk_{number}" for number in range(3_000)]
    assert {shard_of(task_id, 1) for task_id in ids} == {0}
    counts = Counter(shard_of(task_id, 3) for task_id in ids)
    assert set(counts) == {0, 1, 2}
    assert min(counts.values()) > 900
    assert [shard_of(task_id, 3) for task_id in ids[:50]] == [shard_of(task_id, 3) for task_id in ids[:50]]
