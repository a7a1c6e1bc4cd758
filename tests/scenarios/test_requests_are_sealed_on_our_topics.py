"""Headers and bodies are encrypted on every topic of ours, keys are replaced under way, and without a key nothing is lost."""

from __future__ import annotations

import base64
import os

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from streamer.adapters.demo.exchange import OK, Answer
from tests.support.installation import Installation
from tests.support.receiver import running_receiver
from tests.support.scene import Scene
from tests.support.worker import worker_process

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

BODY, HEADER = "canary-body-5f0e", "canary-header-91bc"


def key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


async def values(place: Installation) -> dict[str, bytes]:
    """Return all that stands on each topic, without the prefix in its name."""
    consumer = AIOKafkaConsumer(bootstrap_servers=place.bootstrap, fetch_max_wait_ms=50)
    await consumer.start()
    try:
        tps = [TopicPartition(spec.name, number) for spec in place.topics.specs() for number in range(spec.partitions)]
        consumer.assign(tps)
        await consumer.seek_to_beginning(*tps)
        ends, found = await consumer.end_offsets(tps), dict[str, bytes]()
        while any([await consumer.position(tp) < ends[tp] for tp in tps]):
            for tp, batch in (await consumer.getmany(timeout_ms=200)).items():
                name = tp.topic.removeprefix(place.prefix)
                found[name] = found.get(name, b"") + b"".join(record.value or b"" for record in batch)
        return found
    finally:
        await consumer.stop()


async def test_requests_are_sealed_on_our_topics(place: Installation, scene: Scene) -> None:
    """A retry, a dead letter and a replay carry the request through two keys, and only its producer's record shows it."""
    keys = {"STREAMER_SECRET_OLD": key(), "STREAMER_SECRET_NEW": key()}
    async with running_receiver() as receiver:
        url = receiver.on("/", Answer(500), Answer(500), OK)
        request = {"url": url, "body": BODY, "headers": {"X-Own": HEADER}, "retry": {"intervals": ["1s"]}}
        place.write_settings(sealing__keys="old")
        async with worker_process(place, "0", env=keys) as worker:
            await worker.ready()
            await scene.requests([request])
            (failed,) = await scene.ends(1)
        place.write_settings(sealing__keys="new old")
        async with worker_process(place, "0", env=keys) as worker:
            await worker.ready()
            replayed = await place.run("dead-letters", "replay", "--yes", "--json", env=keys)
            (*_, succeeded) = await scene.ends(2)
        calls = await receiver.wait_for(3)

    assert replayed.code == 0, replayed.err
    assert (failed["state"], succeeded["state"]) == ("failed", "succeeded")
    assert [(call.body.decode(), call.header("X-Own")) for call in calls] == [(BODY, HEADER)] * 3
    found = await values(place)
    assert found.keys() >= {"requests", "deliveries", "retry-1s", "due", "dead-letter", "control", "results"}
    assert [name for name, content in found.items() if BODY.encode() in content] == ["requests"]
    assert [name for name, content in found.items() if HEADER.encode() in content] == ["requests"]


async def test_without_its_key_a_task_waits(place: Installation, scene: Scene) -> None:
    """A worker that lacks a key ends itself with its name, gives nothing up, and the task goes on where the key is."""
    keys = {"STREAMER_SECRET_OLD": key()}
    async with running_receiver() as receiver:
        url = receiver.on("/", Answer(500), OK)
        place.write_settings(sealing__keys="old")
        async with worker_process(place, "0", env=keys) as worker:
            await worker.ready()
            await scene.requests([{"url": url, "body": BODY, "retry": {"intervals": ["3s"]}}])
            await receiver.wait_for(1)
            await scene.results.until(len)
        place.write_settings()
        async with worker_process(place, "0") as keyless:
            assert await keyless.ended(30) != 0
            assert "encrypted with key 'old'" in keyless.stderr.read_text() + keyless.stdout.read_text()
        place.write_settings(sealing__keys="old")
        async with worker_process(place, "0", env=keys) as worker:
            await worker.ready()
            (end,) = await scene.ends(1)
        calls = await receiver.wait_for(2)
    assert end["state"] == "succeeded"
    assert [call.body.decode() for call in calls] == [BODY] * 2
    assert "dead-letter" not in await values(place)
