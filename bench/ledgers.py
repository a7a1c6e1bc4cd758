"""The ledgers of a run with faults, as the oracle reads them: what was accepted, what was told, what still waits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import RecordMetadata

from bench.oracle import Call, Told
from bench.oracle_values import Asked
from streamer.core.identity import derived_task_id
from streamer.core.partitioning import partition_of
from streamer.wire.header_names import TASK
from streamer.wire.instants import parse_instant
from streamer.wire.result_record import decode_result
from tests.support.arrival_log import LoggedArrival
from tests.support.installation import Installation
from tests.support.progress import unfinished
from tests.support.topic_log import TopicLog


@dataclass(slots=True)
class Accepted:
    """The tasks that the broker acknowledged, by the coordinates of their requests."""

    cluster_id: str
    by_place: dict[tuple[int, int], str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    #: Writes each down as well.
    keep: Callable[[Asked, RecordMetadata], None] | None = None

    def add(
        self,
        metadata: RecordMetadata,
        own_id: str | None,
        *,
        send_at_ms: int | None = None,
        delay_ms: int | None = None,
        business: str = "",
    ) -> None:
        """Note an acknowledged request; without an id of its own its task has a derived one.

        The others are as the request has them; a delay counts from when its record was appended.
        """
        task_id = own_id or derived_task_id(
            self.cluster_id, metadata.topic, metadata.partition, metadata.offset, metadata.timestamp
        )
        self.by_place[metadata.partition, metadata.offset] = task_id
        due_at_ms = metadata.timestamp + delay_ms if delay_ms is not None else send_at_ms
        asked = Asked(task_id, due_at_ms, business)
        self.asked.append(asked)
        if self.keep is not None:
            self.keep(asked, metadata)


@dataclass(slots=True)
class Results:
    """What the results topic says."""

    partitions: int
    told: list[Told] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    #: Partition of deliver → when each of its calls had its answer, and who had made it.
    caller_of: dict[int, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    #: When each call that was told of began, by its worker's clock, in ms since 1970.
    started_ms: list[int] = field(default_factory=list)
    #: Writes each record down as well.
    keep: Callable[[Any], None] | None = None

    def take(self, record: Any) -> None:
        """Read one record of the topic."""
        result = decode_result(record.value)
        if self.keep is not None:
            self.keep(record)
        told = told_of(result)
        self.told.append(told)
        if told.state is not None:
            self.ended.add(told.task_id)
        if told.attempted:
            self.started_ms.append(parse_instant(result["started_at"]))
            caller = next(value for name, value in result["request"]["headers"] if name == "User-Agent")
            partition = partition_of(result["lane"], self.partitions)
            self.caller_of[partition].append((parse_instant(result["at"]), caller))

    async def until_ended(self, log: TopicLog[None], accepted: Accepted, within_s: float) -> None:
        """Read on until every accepted task has an end, or for a while: the verdict names those that have none."""
        wanted = set(accepted.by_place.values())
        with suppress(AssertionError):
            await log.until(lambda _: len(self.ended) >= len(wanted) and self.ended >= wanted, within_s)

    def recovery_s(self, victim: str, killed_at_ms: int) -> float | None:
        """Return how long the slowest of a killed worker's partitions stood still; None when all its work was done.

        A partition is the victim's when it made the last call there before it was killed. What is told after the kill
        was decided by another process, since a dead one tells nothing.
        """
        gaps = []
        for decided in self.caller_of.values():
            before = [each for each in decided if each[0] <= killed_at_ms]
            after = [at_ms for at_ms, _ in decided if at_ms > killed_at_ms]
            if before and after and max(before)[1] == victim:
                gaps.append(min(after) - killed_at_ms)
        return max(gaps) / 1000 if gaps else None


def told_of(result: Mapping[str, Any]) -> Told:
    """Return a result as the oracle's."""
    why, started, due = result["why"], result.get("started_at"), result["why"].get("due_at")
    return Told(
        task_id=result["task_id"],
        event_id=result["event_id"],
        generation=result["generation"],
        attempted=started is not None,
        state=result["state"] if result["final"] else None,
        attempt=result["attempt"],
        at_ms=parse_instant(result["at"]),
        started_ms=parse_instant(started) if started is not None else None,
        due_at_ms=parse_instant(due) if due is not None else None,
        reason=why.get("reason"),
        business=result["business"],
    )


def calls_of(arrivals: Sequence[LoggedArrival]) -> list[Call]:
    """Return the receivers' log as the oracle's calls."""
    return [
        Call(
            arrival.task or arrival.id,
            arrival.status,
            arrival.at_ms,
            arrival.attempt,
            arrival.generation,
            arrival.host,
            arrival.business,
            arrival.head,
        )
        for arrival in arrivals
    ]


def stages(place: Installation) -> Mapping[str, Sequence[str]]:
    """Return the topics that each group of an installation reads."""
    topics = place.topics
    return {
        f"{place.group}-intake": [topics.requests],
        f"{place.group}-deliver": [topics.deliveries, topics.due, topics.control, topics.claims],
        f"{place.group}-hold": list(topics.retries.values()),
    }


async def waiting_tasks(place: Installation, accepted: Accepted) -> set[str]:
    """Return the tasks of which a record stands on a topic beyond what its group has committed."""
    left = await unfinished(place.bootstrap, place.partitions, stages(place))
    waiting: set[str] = set()
    for tp, offsets in left.items():
        if tp.topic == place.topics.requests:
            waiting |= {accepted.by_place.get((tp.partition, offset), "") for offset in offsets}
        else:
            waiting |= await _tasks_on(place.bootstrap, tp, offsets)
    return waiting


async def _tasks_on(bootstrap: str, tp: TopicPartition, offsets: range) -> set[str]:
    found: set[str] = set()
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        consumer.assign([tp])
        consumer.seek(tp, offsets.start)
        while await consumer.position(tp) < offsets.stop:
            for record in (await consumer.getmany(tp, timeout_ms=500)).get(tp, ()):
                found.add((dict(record.headers).get(TASK) or b"").decode())
        return found
    finally:
        await consumer.stop()
