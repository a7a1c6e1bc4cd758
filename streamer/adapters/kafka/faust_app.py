"""Makes the Faust app: two keyed agents, one table, our transport. Made by a function, never at import."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import faust
from faust.app.base import BootStrategy
from faust.tables.table import Table
from faust.types import TP

from streamer.adapters.kafka.keeper import FetchOptions
from streamer.adapters.kafka.ownership import Ownership
from streamer.adapters.kafka.transport import BatchTransport

#: Records that are taken in hand before others have their turn of the loop: some 5 ms.
_BETWEEN_TURNS = 100


class RawSchema(faust.Schema):
    """Passes what the transport made through: decoding is ours, since Faust acks what it cannot decode."""

    def compile(self, app: Any, **_: Any) -> Callable[..., Any]:
        """Return a decoder that decodes nothing."""
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return create_event(None, message.value, None, message)

        return decode


class StateTable(Table):
    """The tasks' table: Faust assigns and recovers it, the transport has applied its changelog already (RULES 5)."""

    keeper: Ownership

    def persisted_offset(self, tp: TP) -> int:
        """Return how far the kept store is applied, so that a kept partition is not read again.

        Never None: Faust would go on from where it had read to under an earlier assignment, though the store was dropped.
        """
        return self.keeper.applied_offset(tp.partition)

    def apply_changelog_batch(self, batch: Any, *_: Any, **__: Any) -> None:
        """Do nothing: see the transport."""

    async def on_changelog_event(self, event: Any) -> None:
        """Do nothing: see the transport."""


class _Boot(BootStrategy):
    enable_web = False
    enable_sensors = False
    enable_kafka_producer = False


def make_app(
    *,
    group: str,
    topics: Sequence[str],
    claims_topic: str,
    changelog_topic: str,
    partitions: int,
    keeper: Ownership,
    options: FetchOptions,
    data_dir: str,
    faust_options: Mapping[str, Any],
) -> faust.App:
    """Return the app; ``topics`` are those that the deliver agent reads."""
    app = faust.App(
        group,
        broker="kafka://unused",
        datadir=data_dir,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        stream_recovery_delay=0,
        stream_buffer_maxsize=16,
        broker_session_timeout=options.session_s,
        broker_heartbeat_interval=options.heartbeat_s,
        broker_rebalance_timeout=options.rebalance_s,
        broker_request_timeout=max(options.rebalance_s, options.session_s) + 5,
        **faust_options,
    )
    app.boot_strategy = _Boot(app)
    agents = dict.fromkeys(topics, "deliver") | {claims_topic: "claim"}
    app.transport = BatchTransport(app.conf.broker_consumer, app, keeper, options, agents)
    changelog = app.topic(changelog_topic, schema=RawSchema(), internal=False, acks=False)
    table = StateTable(
        app,
        name="tasks",
        key_type=bytes,
        value_type=bytes,
        partitions=partitions,
        changelog_topic=changelog,
        recovery_buffer_size=1_000_000,
    )
    table.keeper = keeper
    app.tables.add(table)
    for name in ("deliver", "claim"):
        _agent(app, name, [topic for topic, agent in agents.items() if agent == name], keeper)
    return app


def _agent(app: faust.App, name: str, topics: Sequence[str], keeper: Ownership) -> None:
    async def agent(stream: Any) -> None:
        # Nothing may leave this loop: Faust would ack the event and go on as if it were done.
        async for fetch in stream:
            taken = 0
            for batch in fetch.batches:
                keeper.accept(batch)
                taken += len(batch.records)
                if taken >= _BETWEEN_TURNS:
                    await asyncio.sleep(taken := 0)

    # What Faust notes as acknowledged it forgets when it commits, and here our windows commit: it would keep all for ever.
    app.agent(app.topic(*topics, schema=RawSchema(), acks=False), name=name)(agent)
