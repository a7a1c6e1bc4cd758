"""The topics as data: their names, and how each has to be made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.core.ladder import Tier

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
OUTAGE_MS = 7 * DAY_MS
"""The longest outage after which a record that waits on a tier is still there, where nobody sets another."""

DEFAULT_PREFIX = "streamer."
DEFAULT_PARTITIONS = 12
DEFAULT_MAX_MESSAGE_BYTES = 4 * 1024 * 1024

# Kafka cleans closed segments only, and a restart reads the whole topic: without these, a state of a few MiB
# stands behind a log of up to 1 GiB a partition, or one of seven days.
FAST_COMPACTION = {
    "segment.ms": str(10 * 60_000),
    "segment.bytes": str(64 * 1024 * 1024),
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": str(15 * 60_000),
    "delete.retention.ms": str(HOUR_MS),
}

CHANGELOG_UNTOUCHED_MS = 10 * 60_000
"""A stopped owner's write may land after its successor's. So long both stand in the changelog, and the successor is noticed to
have been outranked and writes again; compacted sooner, the late one alone would be left (RULES 4)."""
OUTRANKED_BOTH_STAND = {"min.compaction.lag.ms": str(CHANGELOG_UNTOUCHED_MS)}

LEAST_REPLICAS = 3
LEAST_IN_SYNC = 2
"""With so many replicas, and so many that must have a record before it is acknowledged, one broker may be lost."""

# What a topic gets beside its specification where there are replicas enough.
DURABLE = {"min.insync.replicas": str(LEAST_IN_SYNC), "unclean.leader.election.enable": "false"}

# A producer's clock that is wrong by a week would let retention delete a record before it is read.
KEPT_BY_ARRIVAL = {"message.timestamp.type": "LogAppendTime"}


class Role(StrEnum):
    """What a topic is for; the value is the name after the prefix, to which retry topics add their tier."""

    REQUESTS = "requests"
    CLAIMS = "claims"
    DELIVERIES = "deliveries"
    DUE = "due"
    CONTROL = "control"
    RESULTS = "results"
    DEAD_LETTER = "dead-letter"
    CONFIG = "config"
    LANES = "lanes"
    TASKS_CHANGELOG = "tasks-changelog"
    RETRY = "retry"


MEET_IN_DELIVER = frozenset({Role.DELIVERIES, Role.DUE, Role.CONTROL, Role.CLAIMS, Role.TASKS_CHANGELOG, Role.RETRY})
"""Partition n of each of these belongs to one worker, so they must have equally many partitions."""

ONE_PARTITION = frozenset({Role.CONFIG, Role.LANES})
COMPACTED = frozenset({Role.CONFIG, Role.LANES, Role.TASKS_CHANGELOG})


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the records of each role are kept, in ms; those of a tier for its delay and `tier_margin_ms`."""

    requests_ms: int = 7 * DAY_MS
    claims_ms: int = 7 * DAY_MS
    deliveries_ms: int = 7 * DAY_MS
    due_ms: int = 7 * DAY_MS
    control_ms: int = 30 * DAY_MS
    results_ms: int = 7 * DAY_MS
    dead_letter_ms: int = 30 * DAY_MS
    tier_margin_ms: int = OUTAGE_MS

    def by_role(self) -> dict[Role, int]:
        """Return the same by role."""
        return {
            Role.REQUESTS: self.requests_ms,
            Role.CLAIMS: self.claims_ms,
            Role.DELIVERIES: self.deliveries_ms,
            Role.DUE: self.due_ms,
            Role.CONTROL: self.control_ms,
            Role.RESULTS: self.results_ms,
            Role.DEAD_LETTER: self.dead_letter_ms,
        }


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """How one topic has to be made. `retention_ms` is None for a compacted topic."""

    name: str
    role: Role
    partitions: int
    retention_ms: int | None
    max_message_bytes: int
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def cleanup_policy(self) -> str:
        """`compact` where the newest record of a key is the state, else `delete`."""
        return "compact" if self.role in COMPACTED else "delete"

    @property
    def meets_in_deliver(self) -> bool:
        """Whether partition n of this topic goes to the worker that has partition n of `deliveries`."""
        return self.role in MEET_IN_DELIVER

    def config_for(self, replication: int) -> dict[str, str]:
        """Return the topic's settings where it is made with so many replicas."""
        return {**self.config, **DURABLE} if replication >= LEAST_REPLICAS else self.config

    @property
    def config(self) -> dict[str, str]:
        """The topic's settings in Kafka's words."""
        settings = {
            "cleanup.policy": self.cleanup_policy,
            "retention.bytes": "-1",
            "max.message.bytes": str(self.max_message_bytes),
        }
        if self.retention_ms is not None:
            settings["retention.ms"] = str(self.retention_ms)
        return {**settings, **self.extra}


@dataclass(frozen=True, slots=True)
class Topics:
    """All topics of one installation."""

    prefix: str
    partitions: int
    tiers: Sequence[Tier]
    retention: Retention = field(default_factory=Retention)
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES

    @property
    def requests(self) -> str:
        """Where anybody appends requests."""
        return self.name(Role.REQUESTS)

    @property
    def claims(self) -> str:
        """Records that bring an id or business id, on their way past its owner."""
        return self.name(Role.CLAIMS)

    @property
    def deliveries(self) -> str:
        """Tasks in normal form, keyed by domain."""
        return self.name(Role.DELIVERIES)

    @property
    def due(self) -> str:
        """Tasks whose wait is over."""
        return self.name(Role.DUE)

    @property
    def control(self) -> str:
        """Commands to deliver."""
        return self.name(Role.CONTROL)

    @property
    def results(self) -> str:
        """What came of each attempt."""
        return self.name(Role.RESULTS)

    @property
    def dead_letter(self) -> str:
        """Tasks that failed for good, and requests nobody could read."""
        return self.name(Role.DEAD_LETTER)

    @property
    def config(self) -> str:
        """Businesses, domains, defaults."""
        return self.name(Role.CONFIG)

    @property
    def lanes(self) -> str:
        """Live figures of each lane."""
        return self.name(Role.LANES)

    @property
    def tasks_changelog(self) -> str:
        """The state of each task, owned by deliver."""
        return self.name(Role.TASKS_CHANGELOG)

    @property
    def retries(self) -> dict[str, str]:
        """The retry topic of each tier, by the tier's name."""
        return {tier.name: self.retry(tier.name) for tier in self.tiers}

    def name(self, role: Role) -> str:
        """Return the name of the one topic with this role."""
        if role is Role.RETRY:
            raise ValueError("there is a retry topic per tier: ask retry(tier_name)")
        return self.prefix + role.value

    def retry(self, tier_name: str) -> str:
        """Return the name of a tier's topic."""
        return f"{self.prefix}{Role.RETRY.value}-{tier_name}"

    def specs(self) -> tuple[TopicSpec, ...]:
        """Return how each topic has to be made, the tiers last, in their order."""
        kept_ms = self.retention.by_role()
        single = [self._spec(self.name(role), role, kept_ms.get(role)) for role in Role if role != Role.RETRY]
        margin_ms = self.retention.tier_margin_ms
        tiers = [self._spec(self.retry(tier.name), Role.RETRY, tier.delay_ms + margin_ms) for tier in self.tiers]
        return (*single, *tiers)

    def _spec(self, name: str, role: Role, retention_ms: int | None) -> TopicSpec:
        if role in (Role.CONFIG, Role.LANES):
            # A schedule begins when its record was appended, and busy ones write how far they have come all day long. By lanes
            # workers compare their clocks with the broker's.
            extra: Mapping[str, str] = {**FAST_COMPACTION, **KEPT_BY_ARRIVAL}
        elif role in COMPACTED:
            extra = {**FAST_COMPACTION, **OUTRANKED_BOTH_STAND}
        else:
            extra = KEPT_BY_ARRIVAL
        partitions = 1 if role in ONE_PARTITION else self.partitions
        return TopicSpec(name, role, partitions, retention_ms, self.max_message_bytes, extra)
