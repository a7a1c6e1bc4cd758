"""Every Kafka header that we write or read, as a closed list; the docs' table is made from it."""

from __future__ import annotations

from dataclasses import dataclass

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
VERSION = "v"
TASK = "task"
DUE_AT_MS = "due_at_ms"
RELEASE_AT_MS = "release_at_ms"
CONTENT = "content"

_ON_THE_WAY = ("deliveries", "claims", "due", "retry-*")


@dataclass(frozen=True, slots=True)
class KafkaHeader:
    """One header: its name, on which topics it stands, and what it tells."""

    name: str
    topics: tuple[str, ...]
    meaning: str


HEADERS = (
    KafkaHeader(
        TRACEPARENT,
        ("requests", "results", "dead-letter"),
        "W3C trace context: read from a request, ignored when malformed, carried into its call, results and dead letter. "
        "Where the producer sent none it is made of the task's id.",
    ),
    KafkaHeader(
        TRACESTATE,
        ("requests",),
        "W3C trace context beside `traceparent`: carried into the call; ignored when malformed.",
    ),
    KafkaHeader(
        VERSION,
        (*_ON_THE_WAY, "results", "dead-letter", "control"),
        "The version of the record's format, in decimal.",
    ),
    KafkaHeader(TASK, _ON_THE_WAY, "The task's id, for people who look at a topic."),
    KafkaHeader(DUE_AT_MS, _ON_THE_WAY, "When the task may be sent, in epoch ms, in decimal."),
    KafkaHeader(
        RELEASE_AT_MS,
        ("retry-*",),
        "When the record leaves its tier, in epoch ms, in decimal; hold waits for this alone.",
    ),
    KafkaHeader(
        CONTENT,
        ("claims",),
        "Hash of what the claimant asks for, in hex, by which a repeat is told from another request.",
    ),
)
