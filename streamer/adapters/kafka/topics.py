"""The topics on a cluster: made where missing, described, and checked against what they have to be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from streamer.adapters.kafka.durability import OFFSETS_TOPIC, fragile
from streamer.adapters.kafka.topic_problems import Problem, TopicFacts, problems_of
from streamer.wire.topics import TopicSpec

READY_TIMEOUT_S = 30.0
READY_INTERVAL_S = 0.1

OK = 0
NOT_CONTROLLER = 41
TOPIC_ALREADY_EXISTS = 36
CREATE_TRIES = 5


class TopicsRefused(Exception):
    """The cluster did not make a topic, or did not let us look at one."""


@dataclass(frozen=True, slots=True)
class _Cluster:
    """What a metadata answer tells: partitions and replicas of each topic, and a broker's id."""

    topics: Mapping[str, Mapping[str, Any]]
    node_id: int


async def create_missing(
    bootstrap: str, specs: Sequence[TopicSpec], replication: int = 1, **client_options: Any
) -> list[str]:
    """Make the topics that are not there, and return their names once each partition has a leader.

    Topics that exist are left as they are: `check` tells what is wrong with them. `client_options` go to the
    Kafka client (TLS, SASL).
    """
    async with _admin(bootstrap, client_options) as admin:
        there = (await _look(admin)).topics
        missing = [spec for spec in specs if spec.name not in there]
        created = await _create(admin, missing, replication) if missing else []
        if created:
            await _await_leaders(admin, {spec.name: spec.partitions for spec in missing if spec.name in created})
    return created


async def describe(
    bootstrap: str, specs: Sequence[TopicSpec], *, with_records: bool = False, **client_options: Any
) -> list[TopicFacts]:
    """Return the facts about those topics that exist, in the order of `specs`; records counted on demand."""
    async with _admin(bootstrap, client_options) as admin:
        facts = await _facts(admin, await _look(admin), [spec.name for spec in specs])
    if not with_records:
        return facts
    counts = await _count_records(bootstrap, facts, client_options)
    return [TopicFacts(f.name, f.partitions, f.replication, f.config, counts[f.name]) for f in facts]


async def check(
    bootstrap: str, specs: Sequence[TopicSpec], *, production: bool = False, **client_options: Any
) -> list[Problem]:
    """Return all that keeps a worker from running safely on these topics; an empty list is consent.

    In ``production`` they must outlive a broker too.
    """
    async with _admin(bootstrap, client_options) as admin:
        cluster = await _look(admin)
        facts = await _facts(admin, cluster, [spec.name for spec in specs])
        offsets_kept_minutes = await _offsets_retention_minutes(admin, cluster.node_id)
    problems = problems_of(bootstrap, specs, facts, offsets_kept_minutes)
    if production:
        offsets = cluster.topics.get(OFFSETS_TOPIC)
        problems += fragile(bootstrap, facts, _replication(offsets) if offsets is not None else None)
    return problems


@asynccontextmanager
async def _admin(bootstrap: str, client_options: Mapping[str, Any]) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **client_options)
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            await admin.start()
        yield admin
    finally:
        await admin.close()


async def _look(admin: Any) -> _Cluster:
    # All topics, not ours by name: asking for a name makes that topic where auto.create.topics.enable is on.
    topics = {topic["topic"]: topic for topic in await admin.describe_topics()}
    nodes = (await admin.describe_cluster())["brokers"]
    return _Cluster(topics, nodes[0]["node_id"])


async def _create(admin: Any, specs: Sequence[TopicSpec], replication: int) -> list[str]:
    wanted = {
        spec.name: NewTopic(spec.name, spec.partitions, replication, topic_configs=spec.config_for(replication))
        for spec in specs
    }
    created: list[str] = []
    for _ in range(CREATE_TRIES):
        answer = await admin.create_topics(list(wanted.values()))
        for name, code, message in answer.topic_errors:  # the client raises none of these
            if code == NOT_CONTROLLER:
                continue
            del wanted[name]
            if code == OK:
                created.append(name)
            elif code != TOPIC_ALREADY_EXISTS:
                raise TopicsRefused(f"topic {name} was not made: {message or for_code(code).__name__}")
        if not wanted:
            return created
        await asyncio.sleep(READY_INTERVAL_S)
    raise TopicsRefused(f"no controller made these topics: {', '.join(wanted)}; try `streamer topics create` again")


async def _await_leaders(admin: Any, partitions: Mapping[str, int]) -> None:
    """Return when each partition can be written to: the controller's answer comes before that."""
    waiting = list(partitions)
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            while waiting := _leaderless(waiting, partitions, (await _look(admin)).topics):  # noqa: ASYNC110
                await asyncio.sleep(READY_INTERVAL_S)  # the cluster has no signal to wait for
    except TimeoutError:
        raise TopicsRefused(f"made, but without a leader after {READY_TIMEOUT_S:g} s: {', '.join(waiting)}") from None


def _leaderless(
    names: Collection[str], partitions: Mapping[str, int], topics: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    def led(name: str) -> int:
        there = topics[name]["partitions"] if name in topics else ()
        return sum(partition["error_code"] == OK and partition["leader"] >= 0 for partition in there)

    return [name for name in names if led(name) < partitions[name]]


async def _facts(admin: Any, cluster: _Cluster, names: Collection[str]) -> list[TopicFacts]:
    present = [name for name in names if name in cluster.topics]
    if not present:
        return []
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in present])
    configs: dict[str, dict[str, str]] = {}
    for answer in answers:
        for code, message, _type, name, entries in answer.resources:
            if code != OK:
                raise TopicsRefused(f"cannot read the settings of {name}: {message or for_code(code).__name__}")
            configs[name] = {entry[0]: entry[1] or "" for entry in entries}
    return [
        TopicFacts(
            name=name,
            partitions=len(cluster.topics[name]["partitions"]),
            replication=_replication(cluster.topics[name]),
            config=configs[name],
        )
        for name in present
    ]


def _replication(topic: Mapping[str, Any]) -> int:
    return min((len(partition["replicas"]) for partition in topic["partitions"]), default=0)


async def _offsets_retention_minutes(admin: Any, node_id: int) -> int | None:
    """Return how long the broker keeps offsets, None where we may not know (managed clusters hide it)."""
    setting = "offsets.retention.minutes"
    resource = ConfigResource(ConfigResourceType.BROKER, str(node_id), {setting: None})
    answers = await admin.describe_configs([resource])
    for answer in answers:
        for code, _message, _type, _name, entries in answer.resources:
            for entry in entries if code == OK else ():
                if entry[0] == setting and entry[1]:
                    return int(entry[1])
    return None


async def _count_records(
    bootstrap: str, facts: Sequence[TopicFacts], client_options: Mapping[str, Any]
) -> dict[str, int]:
    """Return the offsets from first to next, summed over partitions: an upper bound where compacted."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, **client_options)
    await consumer.start()
    try:
        partitions = [TopicPartition(f.name, number) for f in facts for number in range(f.partitions)]
        first = await consumer.beginning_offsets(partitions)
        end = await consumer.end_offsets(partitions)
    finally:
        await consumer.stop()
    counts = dict.fromkeys((f.name for f in facts), 0)
    for partition in partitions:
        counts[partition.topic] += end[partition] - first[partition]
    return counts
