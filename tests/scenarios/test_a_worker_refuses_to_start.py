"""A worker that could lose or repeat work on what it finds does not start, and says what is wrong and what to run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streamer.wire.topics import TopicSpec
from tests.support.broker import RunningKafka, delete_topics
from tests.support.installation import Installation
from tests.support.scene import Scene

pytestmark = [pytest.mark.broker, pytest.mark.scenario]


@pytest.fixture
def no_topics(kafka: RunningKafka, topic_prefix: str, tmp_path: Path) -> Installation:
    """Write the settings of an installation whose topics nobody has made."""
    return Installation(kafka.bootstrap, topic_prefix, tmp_path).write_settings()


async def test_without_topics(no_topics: Installation) -> None:
    """Each topic that is missing is named, with the command that makes it; after that command the check is passed."""
    refused = await no_topics.run("worker")
    names = [spec.name for spec in no_topics.topics.specs()]
    assert refused.code == 1
    for name in names:
        assert f"topic {name}: the topic is missing, must be there; run: streamer topics create" in refused.err
    made = await no_topics.run("topics", "create")
    listed = await no_topics.run("topics", "ls", "--json")
    await delete_topics(no_topics.bootstrap, names)
    assert made.code == listed.code == 0, made.err + listed.err


async def test_without_a_broker(tmp_path: Path) -> None:
    """One line names the addresses and the setting, and no trace is shown."""
    place = Installation("127.0.0.1:1", "t.", tmp_path).write_settings()
    refused = await place.run("worker")
    assert refused.code == 1
    assert "Kafka at 127.0.0.1:1 does not answer: no connection (kafka.bootstrap_servers)" in refused.err
    assert "Traceback" not in refused.err


async def test_on_unequal_partition_counts(no_topics: Installation) -> None:
    """The topic that differs from those it meets is named, with both counts."""
    due = no_topics.topics.due
    refused = await refused_on(no_topics, lambda spec: replace(spec, partitions=3) if spec.name == due else spec)
    assert (
        f"topic {due}: the number of partitions is 3, must be 4 like the other topics that meet in deliver" in refused
    )
    assert "run: streamer topics create" in refused or "run that" in refused


async def test_on_a_compacted_topic(no_topics: Installation) -> None:
    """Compaction where records of one key are many tasks is named, with the command that changes it."""
    deliveries = no_topics.topics.deliveries
    compacted = {"cleanup.policy": "compact"}
    refused = await refused_on(
        no_topics, lambda spec: replace(spec, extra={**spec.extra, **compacted}) if spec.name == deliveries else spec
    )
    assert f"topic {deliveries}: cleanup.policy is compact, must be delete alone; run: kafka-configs.sh" in refused
    assert f"--entity-name {deliveries} --add-config cleanup.policy=delete" in refused


async def test_in_production_on_one_broker(no_topics: Installation) -> None:
    """Topics that would go with their broker are each named; so are settings that suit one machine alone."""
    await no_topics.run("topics", "create")
    unsafe = await no_topics.run("worker", env={"STREAMER_MODE": "production"})
    safe = {"MODE": "production", "HTTP__ALLOW_PRIVATE": "false", "TOPICS__REPLICATION": "3"}
    refused = await no_topics.run("worker", env={f"STREAMER_{name}": value for name, value in safe.items()})
    names = [spec.name for spec in no_topics.topics.specs()]
    await delete_topics(no_topics.bootstrap, names)
    assert unsafe.code == 2
    assert "http.allow_private (true) must be false in production mode" in unsafe.err
    assert "topics.replication (1) must be at least 3 in production mode" in unsafe.err
    assert refused.code == 1
    for name in names:
        assert f"topic {name}: the number of replicas is 1, must be at least 3 in production mode" in refused.err
        assert f"topic {name}: min.insync.replicas is 1, must be at least 2 in production mode" in refused.err


async def test_on_records_that_were_never_read(scene: Scene) -> None:
    """Without --from it refuses, and names topic and choice; with it, the records are delivered, and it is asked once."""
    await scene.request("/waited")
    refused = await scene.place.run("worker")
    assert refused.code == 1
    assert (
        f"{scene.place.topics.requests}: holds records, and group {scene.place.group!r} has never read it"
        in refused.err
    )
    assert "--from earliest" in refused.err
    assert "--from latest" in refused.err
    async with scene.ready_worker("0", "--from", "earliest") as worker:
        await scene.ends(1)
        worker.terminate()
        assert await worker.ended() == 0
    async with scene.ready_worker():
        await scene.request("/later")
        await scene.ends(2)
    assert [arrival.path for arrival in scene.receiver.arrivals()] == ["/waited", "/later"]


async def test_under_an_instance_id_that_is_in_use(scene: Scene) -> None:
    """Kafka does not fence two members of one name, so the second process does not start; the first goes on."""
    async with scene.ready_worker("0", "--instance-id", "worker-a"):
        refused = await scene.place.run("worker", "--name", "1", "--instance-id", "worker-a")
        await scene.request()
        (end,) = await scene.ends(1)
    assert refused.code == 1
    assert "worker.instance_id 'worker-a' is in use by another process on this machine" in refused.err
    assert "give each worker its own" in refused.err
    assert end["state"] == "succeeded"


async def refused_on(place: Installation, change: Callable[[TopicSpec], TopicSpec]) -> str:
    """Return what a worker says on topics that were made otherwise."""
    specs = [change(spec) for spec in place.topics.specs()]
    admin = AIOKafkaAdminClient(bootstrap_servers=place.bootstrap)
    await admin.start()
    try:
        await admin.create_topics(
            [NewTopic(spec.name, spec.partitions, 1, topic_configs=spec.config) for spec in specs]
        )
    finally:
        await admin.close()
    refused = await place.run("worker")
    await delete_topics(place.bootstrap, [spec.name for spec in specs])
    assert refused.code == 1
    return refused.err
