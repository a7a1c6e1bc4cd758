"""Settings of what Streamer stands on: Kafka, its topics, the embedded broker and the log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr

from streamer.settings.types import Duration, DurationField, OptionalText, Section, none_if_empty

DAY_MS = 86_400_000
MIB = 1024 * 1024


class Security(Section):
    """How to prove who we are to Kafka."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Kafka's security protocol."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "PLAIN", description="SASL mechanism; read with the SASL_ protocols only."
    )
    user: OptionalText = Field(None, description="SASL user; empty: none.")
    password: Annotated[SecretStr | None, BeforeValidator(none_if_empty)] = Field(
        None, description="SASL password; empty: none. Better set by the environment than in a file."
    )
    cafile: Annotated[Path | None, BeforeValidator(none_if_empty)] = Field(
        None, description="PEM file of the authorities to trust; empty: the system's."
    )


class Kafka(Section):
    """The cluster, and how we take part in it."""

    bootstrap_servers: str = Field(
        "127.0.0.1:9092", description="Brokers to ask first, host:port, separated by commas.", min_length=1
    )
    prefix: str = Field(
        "streamer.", description="What every topic's name begins with.", pattern=r"^[a-zA-Z0-9._-]{0,100}$"
    )
    group: str = Field(
        "streamer",
        description="What every consumer group's name begins with.",
        pattern=r"^[a-zA-Z0-9._-]{1,100}$",
    )
    session_timeout_s: float = Field(
        10,
        description="Seconds without a heartbeat until the broker gives our partitions away.",
        ge=3,
        le=300,
    )
    heartbeat_interval_s: float = Field(
        1,
        description="Seconds between heartbeats, by which a worker learns of a rebalance; at most a third of the session.",
        gt=0,
    )
    drain_deadline_s: float = Field(
        8, description="Seconds that running calls may take to end at a shutdown or rebalance.", ge=0
    )
    commit_interval_s: float = Field(0.5, description="Seconds between commits of offsets.", gt=0, le=60)
    produce_timeout_s: float = Field(30, description="Seconds until a write without an ack is given up.", ge=1)
    linger_ms: int = Field(
        0,
        description="Milliseconds that a producer waits to fill a batch; what is written together goes together at 0 too.",
        ge=0,
        le=1_000,
    )
    security: Security = Security()


class Retention(Section):
    """How long records are kept. Nothing that is still needed may outlive its topic."""

    requests: DurationField = Field(Duration(7 * DAY_MS), description="What producers wrote.")
    claims: DurationField = Field(Duration(7 * DAY_MS), description="Requests on their way to their claim.")
    deliveries: DurationField = Field(Duration(7 * DAY_MS), description="Tasks in normal form; the ledger reads them.")
    due: DurationField = Field(Duration(7 * DAY_MS), description="Deliveries released by hold.")
    control: DurationField = Field(
        Duration(30 * DAY_MS),
        description="Cancel, update, run now, replay. At least as long as dead letters, whose replays it remembers.",
    )
    results: DurationField = Field(Duration(7 * DAY_MS), description="Attempts and ends; the ledger reads them.")
    dead_letter: DurationField = Field(Duration(30 * DAY_MS), description="Tasks we stopped trying.")
    tier_margin: DurationField = Field(
        Duration(7 * DAY_MS),
        description="A tier keeps records for its delay and this much longer: the longest outage.",
    )


class Topics(Section):
    """How `streamer topics create` makes the topics, and what a worker asks of them."""

    partitions: int = Field(12, description="Partitions of each topic; the bound on workers.", ge=1, le=1_000)
    replication: int = Field(1, description="Replicas of each partition; 3 on a cluster.", ge=1, le=10)
    max_message_bytes: int = Field(4 * MIB, description="Bytes of the largest record.", ge=64 * 1024, le=256 * MIB)
    retention: Retention = Retention()


class Broker(Section):
    """The embedded Apache Kafka of `streamer broker` and `streamer up`."""

    port: int = Field(9092, description="Port on 127.0.0.1; 0 takes a free one.", ge=0, le=65_535)
    data_dir: Path = Field(Path(".streamer/kafka"), description="Directory of its data, kept between runs.")
    heap_mb: int = Field(512, description="MiB of Java heap.", ge=128, le=65_536)
    cache_dir: Path = Field(Path("~/.cache/streamer"), description="Directory of the downloaded Kafka; ~ is your home.")


class Log(Section):
    """What the processes say on stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")
    format: Literal["json", "text"] = Field("text", description="One JSON object a line, or text for people.")
    attempts: bool = Field(
        False,
        description="A line for each attempt, and for each decision without one, whatever the level; "
        "with the task and its trace, and no URL, header or body.",
    )
