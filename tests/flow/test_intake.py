"""Intake: what a request record becomes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from streamer.core.emit import Claim, FirstPass, ResultOf, UnreadableOf
from streamer.core.identity import business_task_id, claim_key
from streamer.core.lifecycle import State
from streamer.core.outcome import Outcome
from streamer.core.partitioning import shard_of
from streamer.core.policy import Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.reading import Accepted, Refused
from streamer.flow.intake import RawRequest, admit, refuse
from streamer.flow.owned import content_of
from tests.core.samples import NOW_MS, a_request

RAW = RawRequest("cluster-1", "requests", 2, 41, NOW_MS - 500, b"key", b"{}", [("traceparent", b"00-")])
GOOD = Accepted(None, "acme", None, a_request(), None, None, "receiver.example")


def test_record_without_an_id_goes_straight_to_its_lane() -> None:
    """A record that names no id needs no claim: its coordinates are its id."""
    [emit] = admit(RAW, GOOD, NOW_MS)
    assert isinstance(emit, FirstPass)
    delivery = emit.delivery
    assert delivery.task_id == RAW.derived_id
    assert (delivery.origin, delivery.lane, delivery.business) == (RAW.origin, "receiver.example", "acme")
    assert (delivery.seen, delivery.attempt, delivery.generation) == (False, 1, 1)
    assert (delivery.accepted_at_ms, delivery.due_at_ms) == (NOW_MS, NOW_MS)


def test_record_read_twice_is_the_same_task_and_a_created_again_topic_is_not() -> None:
    """RULES 31: the derived id is a digest of cluster, topic, partition, offset and timestamp."""
    again = replace(RAW, value=b"anything")
    assert again.derived_id == RAW.derived_id
    others = [
        replace(RAW, cluster_id="cluster-2"), replace(RAW, topic="other"), replace(RAW, partition=3),
        replace(RAW, offset=42), replace(RAW, timestamp_ms=NOW_MS),
    ]  # fmt: skip
    assert len({RAW.derived_id, *[other.derived_id for other in others]}) == 6


def test_own_id_is_claimed_first() -> None:
    """RULES 12: a record with an id of its own goes to claims, with the digest of its content."""
    [emit] = admit(RAW, replace(GOOD, id="my-task"), NOW_MS)
    assert isinstance(emit, Claim)
    assert emit.delivery.task_id == "my-task"
    assert (emit.key, emit.content) == (claim_key("acme", None, "my-task"), content_of(emit.delivery))


def test_business_id_is_claimed_and_makes_the_id() -> None:
    """A business's own id makes the task's id, so that its producer's retry is the same task."""
    [emit] = admit(RAW, replace(GOOD, business_id="order-1"), NOW_MS)
    assert isinstance(emit, Claim)
    assert emit.delivery.task_id == business_task_id("acme", "order-1")
    assert emit.key == claim_key("acme", "order-1", emit.delivery.task_id)


@pytest.mark.parametrize(
    ("send_at_ms", "delay_ms", "due_at_ms"),
    [(None, None, NOW_MS), (NOW_MS + 9, None, NOW_MS + 9), (NOW_MS - 9, None, NOW_MS - 9), (None, 700, NOW_MS + 200)],
)
def test_due_time(send_at_ms: int | None, delay_ms: int | None, due_at_ms: int) -> None:
    """A delay counts from the record's own time, so that a record read twice is due at one moment."""
    [emit] = admit(RAW, replace(GOOD, send_at_ms=send_at_ms, delay_ms=delay_ms), NOW_MS)
    assert isinstance(emit, FirstPass)
    assert emit.delivery.due_at_ms == due_at_ms


def test_refused_record_is_kept_whole_and_answered() -> None:
    """A record that no task can be made of: its bytes as a dead letter, and a rejected result that names the field."""
    letter, result = admit(RAW, Refused("retry.intervals", "must be durations"), NOW_MS)
    assert isinstance(letter, UnreadableOf)
    assert (letter.topic, letter.partition, letter.offset, letter.value) == ("requests", 2, 41, b"{}")
    assert (letter.key, letter.headers, letter.field) == (b"key", (("traceparent", b"00-"),), "retry.intervals")
    assert isinstance(result, ResultOf)
    assert (result.task_id, result.outcome, result.state) == (RAW.derived_id, Outcome.REJECTED, State.REJECTED)
    assert (result.final, result.origin) == (True, RAW.origin)
    assert result.because.detail == "retry.intervals: must be durations"


def test_refusal_of_a_whole_record_names_no_field() -> None:
    """What is wrong with a record as a whole is said without a field."""
    _, result = refuse(RAW, Refused(None, "not JSON"), NOW_MS)
    assert isinstance(result, ResultOf)
    assert result.because.detail == "not JSON"


def test_the_shard_is_fixed_from_the_tasks_id() -> None:
    """RULES 23: the lane's shards at intake give the task its shard, and without shards it is the first."""
    book = PolicyBook(domains={"receiver.example": Policy(concurrency=4, shards=4)})
    ids = [f"task-{number}" for number in range(40)]
    shards = {}
    for task_id in ids:
        [emit] = admit(RAW, replace(GOOD, id=task_id), NOW_MS, book)
        assert isinstance(emit, Claim)
        shards[task_id] = emit.delivery.shard
    assert shards == {task_id: shard_of(task_id, 4) for task_id in ids}
    assert set(shards.values()) == {0, 1, 2, 3}
    [emit] = admit(RAW, replace(GOOD, id=ids[0], lane="other.example"), NOW_MS, book)
    assert isinstance(emit, Claim)
    assert emit.delivery.shard == 0
