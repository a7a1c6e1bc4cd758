"""Intake: any producer's record becomes a task on its way, or a dead letter that says why. Stateless."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from streamer.core.delivery import Delivery, Origin
from streamer.core.emit import Because, Claim, Emit, FirstPass, ResultOf, UnreadableOf
from streamer.core.identity import business_task_id, claim_key, derived_task_id
from streamer.core.lifecycle import State
from streamer.core.outcome import Outcome
from streamer.core.partitioning import shard_of
from streamer.core.policy_book import PolicyBook
from streamer.core.reading import Accepted, Refused
from streamer.flow.owned import content_of

_DECIDED_BY = "intake"
_NO_POLICIES = PolicyBook()


class RawRequest(Struct, frozen=True, gc=False):
    """A request record as it came; ``cluster_id`` tells a re-created topic from the one before (RULES 31)."""

    cluster_id: str
    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]

    @property
    def derived_id(self) -> str:
        """The id of a record that names none."""
        return derived_task_id(self.cluster_id, self.topic, self.partition, self.offset, self.timestamp_ms)

    @property
    def origin(self) -> Origin:
        """The record's coordinates."""
        return Origin(self.topic, self.partition, self.offset, self.timestamp_ms)


def admit(
    raw: RawRequest, reading: Accepted | Refused, now_ms: int, book: PolicyBook = _NO_POLICIES
) -> tuple[Emit, ...]:
    """Return what a record becomes; its lane's shard is fixed here, for good."""
    if isinstance(reading, Refused):
        return refuse(raw, reading, now_ms)
    task_id = _task_id(raw, reading)
    delivery = Delivery(
        task_id=task_id,
        business=reading.business,
        business_id=reading.business_id,
        lane=reading.lane,
        request=reading.request,
        origin=raw.origin,
        accepted_at_ms=now_ms,
        due_at_ms=_due_at_ms(raw, reading, now_ms),
        shard=shard_of(task_id, book.lane(reading.lane).shards),
    )
    if reading.id is None and reading.business_id is None:
        return (FirstPass(delivery),)
    key = claim_key(delivery.business, delivery.business_id, delivery.task_id)
    return (Claim(key, content_of(delivery), delivery),)


def refuse(raw: RawRequest, refused: Refused, now_ms: int) -> tuple[Emit, ...]:
    """Return the dead letter of a record that no task can be made of, and the result that tells so.

    The task's id is the derived one, whatever id the record names: a bad record must not end another's task.
    """
    detail = f"{refused.field}: {refused.reason}" if refused.field else refused.reason
    letter = UnreadableOf(
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        timestamp_ms=raw.timestamp_ms,
        key=raw.key,
        value=raw.value,
        headers=tuple(raw.headers),
        field=refused.field,
        reason=refused.reason,
        at_ms=now_ms,
    )
    result = ResultOf(
        task_id=raw.derived_id,
        business="",
        business_id=None,
        generation=1,
        attempt=0,
        outcome=Outcome.REJECTED,
        error_type=None,
        state=State.REJECTED,
        because=Because("invalid", _DECIDED_BY, reason="invalid", detail=detail),
        at_ms=now_ms,
        origin=raw.origin,
    )
    return letter, result


def _task_id(raw: RawRequest, accepted: Accepted) -> str:
    if accepted.id is not None:
        return accepted.id
    if accepted.business_id is not None:
        return business_task_id(accepted.business, accepted.business_id)
    return raw.derived_id


def _due_at_ms(raw: RawRequest, accepted: Accepted, now_ms: int) -> int:
    # A delay counts from when the record was appended, so that a record read twice is due at one and the same moment.
    if accepted.send_at_ms is not None:
        return accepted.send_at_ms
    return raw.timestamp_ms + accepted.delay_ms if accepted.delay_ms is not None else now_ms
