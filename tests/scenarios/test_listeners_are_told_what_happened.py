"""Listeners of another package hear what happens to tasks, by the ids of the results; one that is broken changes nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from streamer.adapters.demo.exchange import OK, Answer
from streamer.cli.replay import control_record
from streamer.core.command import Command, Verb
from streamer.core.delivery import Delivery
from streamer.core.lane_key import lane_key
from streamer.extensions import LISTENERS
from streamer.wire.delivery_record import decode_delivery
from tests.support.packages import install
from tests.support.receiver import running_receiver
from tests.support.scene import Scene, of_task
from tests.support.topic_log import topic_log
from tests.support.waiting import until
from tests.support.worker import worker_process

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

#: Opens at the first failure; the retry after a second finds it open, and is the probe that closes it.
BREAKER = {"breaker": {"failures_in_row": 1, "open": "2500ms", "successes_to_close": 1}}

EARS = """
import dataclasses, json, os

class Writes:
    def __init__(self, tools):
        self.file = open(os.environ["EVENTS_FILE"], "a")

    def told(self, events):
        self.file.writelines(json.dumps(dataclasses.asdict(event)) + "\\n" for event in events)
        self.file.flush()

class Raises:
    def __init__(self, tools):
        pass

    def told(self, events):
        raise ValueError("I never work")
"""


class Heard:
    """What a listener has written so far."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.touch()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def kinds(self, task_id: str) -> list[str]:
        return [event["kind"] for event in self.events if event["task_id"] == task_id]

    def breakers(self) -> list[str]:
        return [event["detail"] for event in self.events if event["kind"] == "breaker_changed"]


def delivered(record: Any) -> Delivery:
    return decode_delivery(record.value)


async def ask(scene: Scene, verb: Verb, task_id: str, delivery: Delivery | None = None) -> None:
    """Write a command, as anybody may without our command line; all but cancel are of the first generation."""
    generation, at_ms = (1 if delivery else None), time.time_ns() // 1_000_000
    command = Command(f"cmd_{verb}_{task_id}", verb, task_id, scene.lane, generation, delivery, "ops", at_ms)
    topics = scene.place.topics
    record = control_record(command, topics.control, topics.partitions, 0)
    await scene.producer.send_and_wait(
        record.topic, record.value, record.key, record.partition, headers=list(record.headers)
    )


async def test_listeners_are_told_what_happened(scene: Scene) -> None:
    """Each of the closed list in one story, in the order of each task's life; beside it a listener that always raises."""
    place = scene.place
    heard = Heard(place.directory / "events.jsonl")
    site = place.directory / "site"
    install(site, "two-listeners", {LISTENERS: {"writes": "ears:Writes", "raises": "ears:Raises"}}, ears=EARS)
    env = {"PYTHONPATH": str(site), "EVENTS_FILE": str(heard.file), "STREAMER_EXTENSIONS": "raises writes"}
    topics = place.topics
    async with (
        running_receiver() as other,
        topic_log(place.bootstrap, topics.deliveries, topics.partitions, delivered) as first_passes,
        worker_process(place, env=env) as worker,
    ):
        flaky = other.on("/", Answer(500), OK)
        await scene.configure(f"domain:{lane_key(flaky)}", BREAKER)
        await worker.ready()
        await scene.requests(
            [
                {"url": scene.url("/fail/2/500"), "id": "climbs", "retry": {"intervals": ["1s"]}},
                {"url": scene.url("/status/410"), "id": "gone", "business": "acme", "metadata": {"order": "7"}},
                {"url": scene.url("/"), "id": "waits", "delay": "1h"},
                {"url": scene.url("/"), "id": "waits", "delay": "1h"},
                {"url": scene.url("/plain")},
                {"url": flaky, "id": "flaky", "retry": {"intervals": ["1s"]}},
            ]
        )
        await until(lambda: heard.kinds("waits") == ["accepted", "deferred"], 20)
        passes = {delivery.task_id: delivery for delivery in await first_passes.to_end()}
        new_form = replace(passes["waits"].request, url=scene.url("/new"))
        await ask(scene, Verb.UPDATE, "waits", replace(passes["waits"], request=new_form))
        await until(lambda: "updated" in heard.kinds("waits"), 20)
        await ask(scene, Verb.CANCEL, "waits")
        await until(lambda: "exhausted" in heard.kinds("climbs"), 20)
        await ask(scene, Verb.RETRY, "climbs", passes["climbs"])
        await until(lambda: heard.breakers()[-1:] == ["closed"] and "succeeded" in heard.kinds("climbs"), 20)
        worker.terminate()
        assert await worker.ended() == 0
    results = await scene.results.to_end()

    assert heard.kinds("climbs") == ["accepted", "attempt_failed", "exhausted", "replayed", "succeeded"]
    (plain,) = {call.id for call in scene.receiver.arrivals() if call.path == "/plain"}
    assert heard.kinds(plain) == ["accepted", "succeeded"]
    assert heard.kinds("gone") == ["accepted", "failed"]
    assert heard.kinds("waits") == ["accepted", "deferred", "updated", "cancelled"]
    # It waits for the breaker too, in its lane's memory or on a tier.
    assert [kind for kind in heard.kinds("flaky") if kind != "deferred"] == ["accepted", "attempt_failed", "succeeded"]
    assert heard.breakers()[0] == "open"
    assert {event["domain"] for event in heard.events} == {scene.lane, lane_key(flaky)}
    for task_id in (plain, "climbs", "gone", "waits", "flaky"):
        told = [event["id"] for event in heard.events if event["task_id"] == task_id and event["outcome"] is not None]
        written = [result["event_id"] for result in of_task(results, task_id) if result["outcome"] != "duplicate"]
        assert told == written
    (failed,) = (event for event in heard.events if event["kind"] == "failed")
    assert (failed["business"], failed["metadata"]) == ("acme", [["order", "7"]])
    assert (failed["status"], failed["attempt"], failed["reason"]) == (410, 1, "gone")
    assert worker.stderr.read_text().count("extension raises: ValueError: I never work") == 1
