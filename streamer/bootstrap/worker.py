"""Puts a worker together from a plan; this package alone knows flow and adapters both."""

from __future__ import annotations

from streamer.adapters.calendar.cron import CronCalendar
from streamer.adapters.kafka.broker_clock import BrokerClock
from streamer.adapters.kafka.clock_watch import ClockWatch
from streamer.adapters.kafka.instance_lock import InstanceLock
from streamer.adapters.kafka.late_writes import LateWrites
from streamer.adapters.kafka.lease import HeartbeatLease
from streamer.adapters.kafka.outbox import KafkaOutbox
from streamer.adapters.kafka.schedule_state import ScheduleState
from streamer.adapters.kafka.unreadable import decoders
from streamer.adapters.kafka.worker import Parts, Worker
from streamer.adapters.log.outbox import LoggedOutbox
from streamer.adapters.prometheus.meter import PrometheusMeter
from streamer.adapters.store.marker_file import MarkerFile
from streamer.adapters.system import SystemClock, SystemEntropy
from streamer.bootstrap.extensions import make_advice, make_extensions, make_telling
from streamer.bootstrap.plan import Plan
from streamer.bootstrap.secrets import make_sealer, make_secrets, masking_of
from streamer.bootstrap.sending import deliver_limits, make_sender, make_shared_limits, make_signers
from streamer.bootstrap.stages import (
    make_config,
    make_faust_app,
    make_guards,
    make_intake,
    make_ownership,
    make_scheduler,
    make_tier_log,
    sources_of,
)
from streamer.flow.claim import ClaimLimits, ClaimStage
from streamer.flow.deliver import Deliver
from streamer.flow.hold import Hold
from streamer.ports import Outbox
from streamer.wire.outgoing import Encoder


def make_worker(plan: Plan) -> Worker:
    """Return a worker, not started; raises InstanceTaken, SealingKeys, ExtensionError."""
    own = plan.settings.worker
    plan.directory.mkdir(parents=True, exist_ok=True)
    if own.instance_id is not None:
        InstanceLock(own.data_dir / f"{own.instance_id}.lock", own.instance_id)
    clock, meter, sealer = SystemClock(), PrometheusMeter(), make_sealer(plan.settings)
    encode = Encoder(plan.topics, masking_of(plan.settings), sealer)
    marker, lease = MarkerFile(plan.directory / "marker.json"), HeartbeatLease(plan.settings.kafka.session_timeout_s)
    producer = plan.producer(lease)

    def logged(partition: int, first: int, last: int) -> None:
        ownership.logged(partition, first, last)

    outbox: Outbox = LoggedOutbox(KafkaOutbox(producer, encode, plan.topics.tasks_changelog, logged))
    calendar = CronCalendar()
    schedules = ScheduleState(plan.limits, calendar, meter, clock.now_ms)
    config, shared = make_config(plan, meter, schedules), make_shared_limits(plan, meter)
    secrets = make_secrets(plan.settings, clock)
    extensions = make_extensions(plan.settings, secrets)
    outbox, tell, listeners = make_telling(outbox, extensions, meter)
    sender = make_sender(plan.settings, clock, config.current, secrets, make_signers(extensions, meter))
    deliver = Deliver(
        clock=clock,
        entropy=SystemEntropy(),
        sender=sender,
        outbox=outbox,
        marker=marker,
        meter=meter,
        shared=shared,
        policies=config.current,
        limits=deliver_limits(plan),
        advice=make_advice(extensions, meter),
    )
    claim = ClaimStage(clock, outbox, meter, _claim_limits(plan))
    ownership = make_ownership(plan, deliver, claim, producer, lease, meter, decoders(clock, sealer))
    intake, intake_producer = make_intake(plan, encode, clock, meter, config, tell)
    tier_log, hold_producer = make_tier_log(plan, encode, clock, meter)
    hold = Hold(tier_log, clock, meter, plan.topics.tiers)
    return Worker(
        Parts(
            client_options=plan.client_options,
            config=config,
            config_deadline_s=plan.settings.kafka.produce_timeout_s,
            intake_group=plan.groups.intake,
            requests_topic=plan.topics.requests,
            deliver_topics=list(sources_of(plan.topics)),
            clock=clock,
            meter=meter,
            marker=marker,
            sender=sender,
            ownership=ownership,
            outbox=outbox,
            late_writes=LateWrites(plan.client_options, plan.topics.tasks_changelog),
            deliver=deliver,
            claim=claim,
            intake=intake,
            hold=hold,
            tier_log=tier_log,
            scheduler=make_scheduler(plan, outbox, calendar, meter, clock, schedules, ownership),
            producers=(producer, intake_producer, hold_producer),
            app=make_faust_app(plan, ownership, meter),
            drain_s=plan.settings.kafka.drain_deadline_s,
            guards=make_guards(plan, meter, ownership, config, intake, tier_log, hold),
            clocks=ClockWatch(BrokerClock(plan.client_options, plan.topics.lanes, clock), meter, own.clock_skew.ms),
            shared=shared,
            listeners=listeners,
        )
    )


def _claim_limits(plan: Plan) -> ClaimLimits:
    claims = plan.settings.claims
    return ClaimLimits(claims.unique_for.ms // 1000, claims.per_business_cap)
