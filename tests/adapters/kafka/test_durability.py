"""What would let a cluster lose acknowledged records, each found and named with its remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from streamer.adapters.kafka.durability import fragile
from streamer.adapters.kafka.topic_problems import TopicFacts
from streamer.adapters.kafka.topics import check
from streamer.core.ladder import Tier
from streamer.wire.topics import Topics
from tests.support.broker import RunningKafka

SPECS = Topics("s.", 4, (Tier("1m", 60_000),)).specs()


def made(replication: int) -> list[TopicFacts]:
    """Return the facts of topics as `streamer topics create` makes them."""
    return [TopicFacts(spec.name, spec.partitions, replication, spec.config_for(replication)) for spec in SPECS]


def lines(facts: Sequence[TopicFacts], offsets_replicas: int | None = 3) -> list[str]:
    """Return the problems as the operator reads them."""
    return [str(problem) for problem in fragile("kafka:9092", facts, offsets_replicas)]


def test_topics_made_with_three_replicas_outlive_a_broker() -> None:
    """Two of three must have a record, and no leader is elected that lacks one; with one replica neither can be asked for."""
    assert lines(made(3)) == []
    assert lines(made(3), None) == []
    assert "min.insync.replicas" not in SPECS[0].config_for(1)


@pytest.mark.parametrize(
    ("setting", "value", "wanted"),
    [
        ("min.insync.replicas", "1", "at least 2 in production mode"),
        ("unclean.leader.election.enable", "true", "false in production mode"),
    ],
)
def test_a_setting_that_could_lose_records_is_named_with_its_command(setting: str, value: str, wanted: str) -> None:
    """One line: topic, setting, found, wanted, and what to run."""
    first, *rest = made(3)
    (line,) = lines([replace(first, config={**first.config, setting: value}), *rest])
    assert line.startswith(f"topic {first.name}: {setting} is {value}, must be {wanted}; run: kafka-configs.sh")
    assert f"--entity-name {first.name} --add-config {setting}=" in line


def test_too_few_replicas_are_named() -> None:
    """They cannot be raised by a setting: the line says what does."""
    first, *rest = made(3)
    (line,) = lines([replace(first, replication=2), *rest])
    assert line.startswith(
        f"topic {first.name}: the number of replicas is 2, must be at least 3 in production mode; raise it by"
    )


def test_the_groups_offsets_must_outlive_a_broker_too() -> None:
    """Without them all that is kept would be read again."""
    (line,) = lines(made(3), 1)
    assert line.startswith("topic __consumer_offsets: the number of replicas is 1")


@pytest.mark.broker
async def test_one_broker_is_no_production(kafka: RunningKafka, topics: Topics) -> None:
    """Topics on the embedded broker pass in development; in production each is refused for its replicas and its acks."""
    assert await check(kafka.bootstrap, topics.specs()) == []
    problems = await check(kafka.bootstrap, topics.specs(), production=True)
    for spec in topics.specs():
        found = {problem.setting for problem in problems if problem.topic == spec.name}
        assert found == {"the number of replicas", "min.insync.replicas"}
