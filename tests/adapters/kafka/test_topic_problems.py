"""Each way a topic can be made wrongly is found, and its line says what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamer.adapters.kafka.topic_problems import TopicFacts, problems_of
from streamer.core.ladder import Tier
from streamer.wire.topics import DAY_MS, Topics

TOPICS = Topics("s.", 4, (Tier("1m", 60_000), Tier("1d", DAY_MS)))
SPECS = TOPICS.specs()
ENOUGH_MINUTES = 90 * 24 * 60


def right() -> dict[str, TopicFacts]:
    """Return the facts of a cluster on which all is as it should be."""
    return {spec.name: TopicFacts(spec.name, spec.partitions, 1, spec.config) for spec in SPECS}


def lines(facts: dict[str, TopicFacts], minutes: int | None = ENOUGH_MINUTES) -> list[str]:
    """Return the problems as the operator reads them."""
    return [str(problem) for problem in problems_of("kafka:9092", SPECS, list(facts.values()), minutes)]


def test_right_topics_have_no_problem() -> None:
    """Topics made from the specifications pass."""
    assert lines(right()) == []


def test_a_missing_topic_names_the_command() -> None:
    """The remedy for a missing topic is to make it."""
    facts = right()
    del facts["s.due"]
    assert lines(facts) == ["topic s.due: the topic is missing, must be there; run: streamer topics create"]


@pytest.mark.parametrize(
    ("topic", "setting", "value", "expected"),
    [
        ("s.retry-1d", "cleanup.policy", "compact", "cleanup.policy is compact, must be delete alone"),
        ("s.requests", "cleanup.policy", "compact,delete", "must be delete alone"),
        ("s.tasks-changelog", "cleanup.policy", "delete", "must be compact alone"),
        ("s.tasks-changelog", "cleanup.policy", "compact,delete", "must be compact alone"),
        ("s.config", "cleanup.policy", "delete", "must be compact alone"),
        ("s.retry-1d", "retention.ms", str(8 * DAY_MS - 1), "must be at least 691200000 or -1"),
        ("s.deliveries", "retention.bytes", "1000", "retention.bytes is 1000, must be -1"),
        ("s.tasks-changelog", "retention.bytes", "1000", "must be -1"),
        ("s.results", "max.message.bytes", "1048588", "must be at least 4194304"),
        ("s.tasks-changelog", "min.compaction.lag.ms", "0", "must be at least 600000"),
    ],
)
def test_a_wrong_setting_is_named_with_its_command(topic: str, setting: str, value: str, expected: str) -> None:
    """One wrong setting gives one line: topic, found, wanted, and the command that repairs it."""
    facts = right()
    facts[topic] = replace(facts[topic], config={**facts[topic].config, setting: value})
    (line,) = lines(facts)
    assert line.startswith(f"topic {topic}: {setting} is {value}")
    assert expected in line
    assert f"--bootstrap-server kafka:9092 --alter --entity-type topics --entity-name {topic} " in line
    assert f"--add-config {setting}=" in line


def test_longer_and_endless_retention_pass() -> None:
    """More than needed is no problem."""
    facts = right()
    for topic, value in (("s.retry-1d", "-1"), ("s.due", str(365 * DAY_MS))):
        facts[topic] = replace(facts[topic], config={**facts[topic].config, "retention.ms": value})
    assert lines(facts) == []


def test_one_odd_partition_count_is_found() -> None:
    """The topic that differs from those it meets is the one named."""
    facts = right()
    facts["s.retry-1m"] = replace(facts["s.retry-1m"], partitions=6)
    (line,) = lines(facts)
    assert line.startswith("topic s.retry-1m: the number of partitions is 6, must be 4 like the other")


def test_topics_outside_deliver_may_differ() -> None:
    """Requests and results are read by key nowhere, so their partitions are free."""
    facts = right()
    facts["s.requests"] = replace(facts["s.requests"], partitions=32)
    assert lines(facts) == []


def test_equal_partitions_that_are_not_the_setting_are_found_once() -> None:
    """RULES 37: a set made with another partition count is refused in one line that names the ways out."""
    facts = {name: replace(fact, partitions=8) for name, fact in right().items()}
    (line,) = lines(facts)
    assert "is 8, must be 4 by the settings; set the partitions to 8, or choose a new topic prefix" in line


def test_offsets_kept_shorter_than_records_are_found() -> None:
    """A group that forgets its offsets before the records are gone would read them all again."""
    (line,) = lines(right(), minutes=7 * 24 * 60)
    assert "offsets.retention.minutes is 10080, must be at least 43200, as long as s." in line
    assert lines(right(), minutes=None) == []
