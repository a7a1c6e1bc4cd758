"""The topic set: names, partitions, retention and cleanup of each topic."""

from __future__ import annotations

import pytest

from streamer.core.ladder import Tier
from streamer.wire.topics import DAY_MS, OUTAGE_MS, Retention, Role, Topics, TopicSpec

TIERS = (Tier("5s", 5_000), Tier("1m", 60_000), Tier("7d", 7 * DAY_MS))
TOPICS = Topics("streamer.", 12, TIERS)
SPECS = {spec.name: spec for spec in TOPICS.specs()}


def test_every_role_has_its_topic() -> None:
    """The set is the ten single topics and one retry topic per tier, under the prefix."""
    assert list(SPECS) == [
        "streamer.requests",
        "streamer.claims",
        "streamer.deliveries",
        "streamer.due",
        "streamer.control",
        "streamer.results",
        "streamer.dead-letter",
        "streamer.config",
        "streamer.lanes",
        "streamer.tasks-changelog",
        "streamer.retry-5s",
        "streamer.retry-1m",
        "streamer.retry-7d",
    ]


def test_each_name_property_gives_the_topic_of_its_role() -> None:
    """The named properties agree with the specifications."""
    named = {
        TOPICS.requests: Role.REQUESTS,
        TOPICS.claims: Role.CLAIMS,
        TOPICS.deliveries: Role.DELIVERIES,
        TOPICS.due: Role.DUE,
        TOPICS.control: Role.CONTROL,
        TOPICS.results: Role.RESULTS,
        TOPICS.dead_letter: Role.DEAD_LETTER,
        TOPICS.config: Role.CONFIG,
        TOPICS.lanes: Role.LANES,
        TOPICS.tasks_changelog: Role.TASKS_CHANGELOG,
    }
    single = {name: spec.role for name, spec in SPECS.items() if spec.role is not Role.RETRY}
    assert named == single
    assert TOPICS.retries == {tier.name: f"streamer.retry-{tier.name}" for tier in TIERS}


def test_a_retry_topic_needs_its_tier() -> None:
    """There is no single retry topic to name."""
    with pytest.raises(ValueError, match="per tier"):
        TOPICS.name(Role.RETRY)


def test_topics_that_meet_in_deliver_have_equal_partitions() -> None:
    """Partition n of each of them must belong to the same worker."""
    meeting = {spec.name: spec.partitions for spec in SPECS.values() if spec.meets_in_deliver}
    assert set(meeting) == {
        TOPICS.deliveries,
        TOPICS.due,
        TOPICS.control,
        TOPICS.claims,
        TOPICS.tasks_changelog,
        *TOPICS.retries.values(),
    }
    assert set(meeting.values()) == {12}


def test_config_and_lanes_have_one_partition() -> None:
    """These are read whole by every process."""
    assert [spec.name for spec in SPECS.values() if spec.partitions == 1] == [TOPICS.config, TOPICS.lanes]


@pytest.mark.parametrize("tier", TIERS, ids=lambda tier: tier.name)
def test_a_tier_is_kept_for_its_delay_and_an_outage(tier: Tier) -> None:
    """A record that waits its whole delay, and then for a week's outage, is still there."""
    assert SPECS[TOPICS.retry(tier.name)].config["retention.ms"] == str(tier.delay_ms + OUTAGE_MS)


def test_the_margin_of_the_tiers_is_a_setting() -> None:
    """A longer outage that is to be survived makes every tier keep its records for longer."""
    topics = Topics("eu.", 3, TIERS, Retention(tier_margin_ms=14 * DAY_MS))
    kept = [spec.retention_ms for spec in topics.specs() if spec.role is Role.RETRY]
    assert kept == [tier.delay_ms + 14 * DAY_MS for tier in TIERS]


def test_only_state_is_compacted() -> None:
    """Compaction of anything else would lose records, and deletion of state would lose tasks."""
    compacted = {spec.name for spec in SPECS.values() if spec.config["cleanup.policy"] == "compact"}
    assert compacted == {TOPICS.config, TOPICS.lanes, TOPICS.tasks_changelog}
    assert {spec.config["cleanup.policy"] for spec in SPECS.values()} == {"compact", "delete"}
    assert all(("retention.ms" in spec.config) == (spec.name not in compacted) for spec in SPECS.values())


def test_no_topic_is_bounded_in_bytes() -> None:
    """A bound in bytes deletes records that nobody has read yet."""
    assert {spec.config["retention.bytes"] for spec in SPECS.values()} == {"-1"}


@pytest.mark.parametrize("name", [TOPICS.tasks_changelog, TOPICS.config])
def test_what_is_read_whole_is_compacted_soon(name: str) -> None:
    """Recovery, and the start of any process, read little more than the live state."""
    config = SPECS[name].config
    assert (config["segment.ms"], config["segment.bytes"]) == ("600000", "67108864")
    assert (config["min.cleanable.dirty.ratio"], config["max.compaction.lag.ms"]) == ("0.1", "900000")
    assert config["delete.retention.ms"] == "3600000"


def test_retention_goes_by_the_brokers_clock() -> None:
    """A producer's wrong clock cannot make the broker delete a record early."""
    kept = {spec.config.get("message.timestamp.type") for spec in SPECS.values() if spec.retention_ms}
    assert kept == {"LogAppendTime"}
    # A schedule begins when its record was appended.
    assert SPECS[TOPICS.config].config["message.timestamp.type"] == "LogAppendTime"


def test_sizes_and_retention_are_settings() -> None:
    """Another prefix, partition count, message size and retention reach the specifications."""
    topics = Topics("eu.", 3, TIERS[:1], Retention(requests_ms=DAY_MS), max_message_bytes=1_000_000)
    spec = topics.specs()[0]
    extra = {"message.timestamp.type": "LogAppendTime"}
    assert spec == TopicSpec("eu.requests", Role.REQUESTS, 3, DAY_MS, 1_000_000, extra)
    assert {spec.config["max.message.bytes"] for spec in topics.specs()} == {"1000000"}
