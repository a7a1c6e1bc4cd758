"""What one broker is told: its settings, and the files made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from streamer.adapters.broker.ports import LOOPBACK

DAY_MINUTES = 24 * 60
NODE_ID = 1


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """How to run the embedded broker. A port of None is picked among the free ones, and kept for restarts.

    `overrides` are lines of `server.properties` that win over ours. `mirror` is the base URL of a Maven
    repository. A `short_lived` broker starts with two thirds of the CPU, and its first 50,000 records cost half; later
    ones cost a third more.
    """

    data_dir: Path
    port: int | None = None
    controller_port: int | None = None
    heap_mb: int = 512
    max_message_bytes: int = 4 * 1024 * 1024
    cache_dir: Path | None = None
    java_home: Path | None = None
    mirror: str | None = None
    start_timeout_s: float = 60.0
    min_free_mib: int = 256
    short_lived: bool = False
    overrides: Mapping[str, str] = field(default_factory=dict)


def server_properties(options: BrokerOptions, log_dir: Path, port: int, controller_port: int) -> str:
    """Return the text of `server.properties` for a node that is broker and controller in one."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": NODE_ID,
        "controller.quorum.voters": f"{NODE_ID}@{LOOPBACK}:{controller_port}",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": log_dir,
        # A node alone: nothing to wait for, nobody to replicate to.
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        "group.initial.rebalance.delay.ms": 0,
        # After a kill the controller keeps the dead broker's place until its session ends, 9 s by default:
        # the restarted broker serves nobody before that.
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
        # A topic that appears because somebody mistyped its name swallows records.
        "auto.create.topics.enable": "false",
        "num.partitions": 1,
        "message.max.bytes": options.max_message_bytes,
        # Longer than any topic is kept: a forgotten offset means that its topic is read again from the start.
        "offsets.retention.minutes": 90 * DAY_MINUTES,
        "log.retention.check.interval.ms": 60_000,
        "log.message.timestamp.after.max.ms": 2**63 - 1,
        "group.min.session.timeout.ms": 1000,
        # 128 MiB of the heap by default; this still cleans 1.2 million keys in one pass.
        "log.cleaner.dedupe.buffer.size": 32 * 1024 * 1024,
        **options.overrides,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


LOG4J_PROPERTIES = """\
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{yyyy-MM-dd HH:mm:ss.SSS} %p %m (%c{1})%n%ex
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
"""
