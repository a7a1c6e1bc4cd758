"""The stages that read and write Kafka, and what deliver reads through, from a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from streamer.adapters.kafka.config_log import ConfigLog
from streamer.adapters.kafka.config_state import ConfigState
from streamer.adapters.kafka.faust_app import make_app
from streamer.adapters.kafka.guards import Guarded, Guards
from streamer.adapters.kafka.intake import KafkaIntake
from streamer.adapters.kafka.keeper import FetchOptions
from streamer.adapters.kafka.lease import HeartbeatLease
from streamer.adapters.kafka.log_ends import LogEnds
from streamer.adapters.kafka.ownership import Ownership, OwnershipLimits
from streamer.adapters.kafka.producer import DurableProducer
from streamer.adapters.kafka.schedule_state import ScheduleState
from streamer.adapters.kafka.tier_log import KafkaTierLog
from streamer.adapters.kafka.unreadable import unreadable_record
from streamer.adapters.kafka.watchdog import any_answers
from streamer.adapters.loop_stall import LoopStall
from streamer.adapters.prometheus.meter import PrometheusMeter
from streamer.adapters.store.claims_on_disk import ClaimsOnDisk
from streamer.adapters.system import SystemClock, ThreadLoad
from streamer.bootstrap.plan import Plan
from streamer.flow.claim import ClaimStage
from streamer.flow.deliver import Deliver
from streamer.flow.hold import Hold
from streamer.flow.owned import Item
from streamer.flow.scheduler import Scheduler
from streamer.flow.telling import Tell
from streamer.ports import Calendar, Outbox
from streamer.settings.policies import breaker_policy, lane_defaults
from streamer.wire.config_record import Installation
from streamer.wire.outgoing import Encoder
from streamer.wire.request_reader import read_request
from streamer.wire.topics import Topics


def sources_of(topics: Topics) -> dict[str, str]:
    """Return deliver's topics, each with the name by which its stage knows it."""
    return {topics.deliveries: "deliveries", topics.due: "due", topics.control: "control", topics.claims: "claims"}


def make_ownership(
    plan: Plan,
    deliver: Deliver,
    claim: ClaimStage,
    producer: DurableProducer,
    lease: HeartbeatLease,
    meter: PrometheusMeter,
    decoders: Mapping[str, Callable[[Any], Item]],
) -> Ownership:
    """Return what the worker owns, with the stages that take its batches."""
    own = plan.settings.worker
    return Ownership(
        sources=sources_of(plan.topics),
        stages={"deliveries": deliver, "due": deliver, "control": deliver, "claims": claim},
        decoders=decoders,
        open_claims=lambda partition: ClaimsOnDisk(plan.directory / f"claims-{plan.cluster_id}-{partition}.sqlite"),
        abort_outbox=producer.abort,
        lease=lease,
        meter=meter,
        limits=OwnershipLimits(own.window_records, own.window_bytes, plan.settings.kafka.drain_deadline_s),
        busy=ThreadLoad().share,
    )


def make_faust_app(plan: Plan, ownership: Ownership, meter: PrometheusMeter) -> Any:
    """Return Faust's app on our transport."""
    kafka, topics = plan.settings.kafka, plan.topics
    return make_app(
        group=plan.groups.deliver,
        topics=[topics.deliveries, topics.due, topics.control],
        claims_topic=topics.claims,
        changelog_topic=topics.tasks_changelog,
        partitions=topics.partitions,
        keeper=ownership,
        options=FetchOptions(
            client_options=plan.client_options,
            session_s=kafka.session_timeout_s,
            heartbeat_s=kafka.heartbeat_interval_s,
            # A member that drains must not be left behind by the group.
            rebalance_s=kafka.drain_deadline_s + 7,
            instance_id=plan.settings.worker.instance_id,
            from_latest=plan.settings.worker.from_ == "latest",
            meter=meter,
        ),
        data_dir=str(plan.directory / "faust"),
        faust_options={"broker_commit_interval": kafka.commit_interval_s},
    )


def make_config(plan: Plan, meter: PrometheusMeter, schedules: ScheduleState) -> ConfigLog:
    """Return what reads the policies and schedules."""
    defaults = lane_defaults(plan.settings)
    place = Installation(plan.limits, breaker_policy(plan.settings.lanes.breaker))
    state = ConfigState(defaults, place, plan.topics.partitions, meter, schedules.take)
    return ConfigLog(plan.client_options, plan.topics.config, state)


def make_intake(
    plan: Plan,
    encode: Encoder,
    clock: SystemClock,
    meter: PrometheusMeter,
    config: ConfigLog,
    told: Tell | None = None,
) -> tuple[KafkaIntake, DurableProducer]:
    """Return intake and its producer; ``told`` is called with what it has written."""
    lease = HeartbeatLease(plan.settings.kafka.session_timeout_s)
    producer = plan.producer(lease)
    intake = KafkaIntake(
        plan.reader(plan.groups.intake, [plan.topics.requests], meter, read_committed=True),
        cluster_id=plan.cluster_id,
        read=lambda value, headers, now_ms, book: read_request(value, headers, plan.limits, now_ms, book),
        policies=config.current,
        encode=encode,
        producer=producer,
        lease=lease,
        clock=clock,
        meter=meter,
        told=told,
    )
    return intake, producer


def make_scheduler(
    plan: Plan,
    outbox: Outbox,
    calendar: Calendar,
    meter: PrometheusMeter,
    clock: SystemClock,
    schedules: ScheduleState,
    ownership: Ownership,
) -> Scheduler:
    """Return what fires recurring schedules, for the partitions that the worker owns."""
    return Scheduler(
        clock=clock,
        outbox=outbox,
        calendar=calendar,
        meter=meter,
        book=schedules.book,
        places=lambda: ownership.assignment.owned,
        partitions=plan.topics.partitions,
    )


def make_tier_log(
    plan: Plan, encode: Encoder, clock: SystemClock, meter: PrometheusMeter
) -> tuple[KafkaTierLog, DurableProducer]:
    """Return hold's view of the tiers, and its producer."""
    lease = HeartbeatLease(plan.settings.kafka.session_timeout_s)
    producer = plan.producer(lease)
    tier_log = KafkaTierLog(
        plan.reader(plan.groups.hold, [plan.topics.retry(tier.name) for tier in plan.topics.tiers], meter),
        plan.topics,
        deliver_group=plan.groups.deliver,
        producer=producer,
        lease=lease,
        meter=meter,
        unreadable=lambda record, error: encode(unreadable_record(record, error, clock.now_ms())),
    )
    return tier_log, producer


def make_guards(
    plan: Plan,
    meter: PrometheusMeter,
    ownership: Ownership,
    config: ConfigLog,
    intake: KafkaIntake,
    tier_log: KafkaTierLog,
    hold: Hold,
) -> Guards:
    """Return what ends the worker when it no longer gets on."""
    return Guards(
        Guarded(
            ownership=ownership,
            config=config,
            intake=intake,
            tier_log=tier_log,
            hold=hold,
            ends=LogEnds(plan.client_options),
            stall=LoopStall(meter),
            broker_answers=any_answers(plan.settings.kafka.bootstrap_servers),
            patience_s=plan.settings.worker.watchdog.s,
            recovery_s=plan.settings.worker.recovery_deadline.s,
        )
    )
