"""What is wrong with a set of topics, found by comparing facts with specifications."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from streamer.wire.topics import TopicSpec

MINUTE_MS = 60_000
CREATE = "streamer topics create"
LAG = "min.compaction.lag.ms"


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """What the cluster tells of one topic. `records` is None unless they were counted."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]
    records: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason not to start: where, what was found and wanted, and what to do. Its text is one line."""

    topic: str
    setting: str
    found: str
    wanted: str
    remedy: str

    def __str__(self) -> str:
        return f"topic {self.topic}: {self.setting} is {self.found}, must be {self.wanted}; {self.remedy}"


def problems_of(
    bootstrap: str,
    specs: Sequence[TopicSpec],
    facts: Sequence[TopicFacts],
    offsets_kept_minutes: int | None,
) -> list[Problem]:
    """Return every problem, topic by topic; `offsets_kept_minutes` is None where the broker does not tell."""
    found = {fact.name: fact for fact in facts}
    problems: list[Problem] = []
    for spec in specs:
        if spec.name not in found:
            problems.append(Problem(spec.name, "the topic", "missing", "there", f"run: {CREATE}"))
        else:
            problems += _settings(bootstrap, spec, found[spec.name].config)
    problems += _partitions(specs, found)
    problems += _offsets(specs, offsets_kept_minutes)
    return problems


def _settings(bootstrap: str, spec: TopicSpec, config: Mapping[str, str]) -> Iterator[Problem]:
    def problem(setting: str, wanted: str, value: str) -> Problem:
        return Problem(
            spec.name, setting, config.get(setting, "unset"), wanted, alter(bootstrap, spec.name, setting, value)
        )

    policies = {policy.strip() for policy in config.get("cleanup.policy", "").split(",")}
    if policies != {spec.cleanup_policy}:
        yield problem("cleanup.policy", f"{spec.cleanup_policy} alone", spec.cleanup_policy)
    if spec.retention_ms is not None and 0 <= int(config.get("retention.ms", "-1")) < spec.retention_ms:
        yield problem("retention.ms", f"at least {spec.retention_ms} or -1", str(spec.retention_ms))
    if config.get("retention.bytes", "-1") != "-1":
        yield problem("retention.bytes", "-1", "-1")
    if int(config.get("max.message.bytes", "0")) < spec.max_message_bytes:
        yield problem("max.message.bytes", f"at least {spec.max_message_bytes}", str(spec.max_message_bytes))
    untouched_ms = int(spec.extra.get(LAG, "0"))
    if int(config.get(LAG, "0")) < untouched_ms:
        yield problem(LAG, f"at least {untouched_ms}", str(untouched_ms))


def alter(bootstrap: str, topic: str, setting: str, value: str) -> str:
    """Return the remedy for a topic's setting: the command that changes it."""
    return (
        f"run: kafka-configs.sh --bootstrap-server {bootstrap} --alter --entity-type topics "
        f"--entity-name {topic} --add-config {setting}={value}"
    )


def _partitions(specs: Sequence[TopicSpec], found: Mapping[str, TopicFacts]) -> Iterator[Problem]:
    """Yield the topics that differ from the others they meet, or all of these from the setting."""
    meeting = [(spec, found[spec.name]) for spec in specs if spec.meets_in_deliver and spec.name in found]
    if not meeting:
        return
    usual, _times = Counter(fact.partitions for _spec, fact in meeting).most_common(1)[0]
    odd = [(spec, fact) for spec, fact in meeting if fact.partitions != usual]
    for spec, fact in odd:
        yield Problem(
            spec.name,
            "the number of partitions",
            str(fact.partitions),
            f"{usual} like the other topics that meet in deliver",
            f"while it is empty, delete it and run: {CREATE}; else run that with a new topic prefix",
        )
    spec, fact = meeting[0]
    if not odd and usual != spec.partitions:
        yield Problem(
            spec.name,
            "the number of partitions",
            str(usual),
            f"{spec.partitions} by the settings",
            f"set the partitions to {usual}, or choose a new topic prefix and run: {CREATE}",
        )


def _offsets(specs: Sequence[TopicSpec], kept_minutes: int | None) -> Iterator[Problem]:
    """Yield a problem if a group could lose its offsets while the records they point to are still there."""
    longest = max((spec for spec in specs if spec.retention_ms is not None), key=lambda s: s.retention_ms or 0)
    needed_minutes = -(-(longest.retention_ms or 0) // MINUTE_MS)
    if kept_minutes is not None and kept_minutes < needed_minutes:
        yield Problem(
            "__consumer_offsets",
            "the broker's offsets.retention.minutes",
            str(kept_minutes),
            f"at least {needed_minutes}, as long as {longest.name} is kept",
            f"put offsets.retention.minutes={needed_minutes} into each broker's server.properties",
        )
