"""Puts a worker together from settings: the only file that knows flow and adapters both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.adapters.calendar.cron import CronCalendar
from streamer.adapters.http.clients import ClientOptions
from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.sender import PyreqwestSender
from streamer.adapters.kafka.config_log import ConfigLog
from streamer.adapters.kafka.config_state import ConfigState
from streamer.adapters.kafka.faust_app import make_app
from streamer.adapters.kafka.group_reader import ReaderOptions
from streamer.adapters.kafka.instance_lock import InstanceLock
from streamer.adapters.kafka.intake import KafkaIntake
from streamer.adapters.kafka.keeper import FetchOptions
from streamer.adapters.kafka.lease import HeartbeatLease
from streamer.adapters.kafka.outbox import KafkaOutbox
from streamer.adapters.kafka.ownership import Ownership, OwnershipLimits
from streamer.adapters.kafka.producer import DurableProducer
from streamer.adapters.kafka.schedule_state import ScheduleState
from streamer.adapters.kafka.tier_log import KafkaTierLog
from streamer.adapters.kafka.unreadable import decoders, unreadable_record
from streamer.adapters.kafka.watchdog import any_answers
from streamer.adapters.kafka.worker import Parts, Worker
from streamer.adapters.memory.shared_limits import MemorySharedLimits
from streamer.adapters.prometheus.meter import PrometheusMeter
from streamer.adapters.redis.client import RedisOptions
from streamer.adapters.redis.shared_limits import RedisSharedLimits
from streamer.adapters.store.claims_on_disk import ClaimsOnDisk
from streamer.adapters.store.marker_file import MarkerFile
from streamer.adapters.system import SystemClock, SystemEntropy
from streamer.core.put_off import Tuning
from streamer.flow.claim import ClaimLimits, ClaimStage
from streamer.flow.deliver import Deliver, DeliverLimits
from streamer.flow.hold import Hold
from streamer.flow.scheduler import Scheduler
from streamer.settings.model import Settings
from streamer.settings.policies import breaker_policy, lane_defaults
from streamer.wire.config_record import Installation
from streamer.wire.limits import Limits
from streamer.wire.outgoing import Encoder
from streamer.wire.request_reader import read_request
from streamer.wire.topics import Topics

_ALONE = (
    "redis.url is not set: this worker keeps limits across domains by itself, so that several workers together exceed "
    "them. Set redis.url, unless this is the only worker"
)


class Groups:
    """The consumer groups' names, from one prefix."""

    def __init__(self, group: str) -> None:
        self.intake = f"{group}-intake"
        self.deliver = f"{group}-deliver"
        self.hold = f"{group}-hold"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a worker is made from: settings, and what follows from them and from the cluster.

    ``name`` tells workers of one machine apart; each has a directory of its own.
    """

    settings: Settings
    topics: Topics
    limits: Limits
    client_options: dict[str, Any]
    cluster_id: str
    name: str

    @property
    def directory(self) -> Path:
        """Where this worker keeps its files."""
        return self.settings.worker.data_dir / self.name

    @property
    def groups(self) -> Groups:
        """The consumer groups."""
        return Groups(self.settings.kafka.group)

    def producer(self, lease: HeartbeatLease) -> DurableProducer:
        """Return a producer that writes while the lease is held."""
        return DurableProducer(
            self.client_options,
            linger_ms=self.settings.kafka.linger_ms,
            deadline_s=self.settings.kafka.produce_timeout_s,
            max_record_bytes=self.settings.topics.max_message_bytes,
            may_write=lease.held,
        )

    def reader(self, group: str, topics: Sequence[str], *, read_committed: bool = False) -> ReaderOptions:
        """Return how a stage that is no Faust agent reads."""
        kafka = self.settings.kafka
        return ReaderOptions(
            self.client_options,
            group,
            topics,
            session_s=kafka.session_timeout_s,
            heartbeat_s=kafka.heartbeat_interval_s,
            commit_interval_s=kafka.commit_interval_s,
            read_committed=read_committed,
            from_latest=self.settings.worker.from_ == "latest",
        )


def make_worker(plan: Plan) -> Worker:
    """Return a worker, not started; raises InstanceTaken."""
    own = plan.settings.worker
    plan.directory.mkdir(parents=True, exist_ok=True)
    if own.instance_id is not None:
        InstanceLock(own.data_dir / f"{own.instance_id}.lock", own.instance_id)
    clock, meter, encode = SystemClock(), PrometheusMeter(), Encoder(plan.topics)
    marker, sender = MarkerFile(plan.directory / "marker.json"), _sender(plan.settings, clock)
    lease = HeartbeatLease(plan.settings.kafka.session_timeout_s)
    producer = plan.producer(lease)

    def logged(partition: int, offset: int) -> None:
        ownership.logged(partition, offset)

    outbox = KafkaOutbox(producer, encode, plan.topics.tasks_changelog, logged)
    calendar = CronCalendar()
    schedules = ScheduleState(plan.limits, calendar, meter, clock.now_ms)
    config, shared = _config(plan, meter, schedules), _shared_limits(plan, meter)
    deliver = Deliver(
        clock=clock,
        entropy=SystemEntropy(),
        sender=sender,
        outbox=outbox,
        marker=marker,
        meter=meter,
        shared=shared,
        policies=config.current,
        limits=_deliver_limits(plan),
    )
    claims = plan.settings.claims
    claim = ClaimStage(clock, outbox, meter, ClaimLimits(claims.unique_for.ms // 1000, claims.per_business_cap))
    ownership = _ownership(plan, deliver, claim, producer, lease, clock, meter)
    intake, intake_producer = _intake(plan, encode, clock, meter, config)
    tier_log, hold_producer = _tier_log(plan, encode, clock, meter)
    return Worker(
        Parts(
            client_options=plan.client_options,
            config=config,
            config_deadline_s=plan.settings.kafka.produce_timeout_s,
            intake_group=plan.groups.intake,
            requests_topic=plan.topics.requests,
            deliver_topics=list(_sources(plan.topics)),
            clock=clock,
            meter=meter,
            marker=marker,
            sender=sender,
            ownership=ownership,
            outbox=outbox,
            deliver=deliver,
            claim=claim,
            intake=intake,
            hold=Hold(tier_log, clock, meter, plan.topics.tiers),
            tier_log=tier_log,
            scheduler=Scheduler(
                clock=clock,
                outbox=outbox,
                calendar=calendar,
                meter=meter,
                book=schedules.book,
                places=lambda: ownership.assignment.owned,
                partitions=plan.topics.partitions,
            ),
            producers=(producer, intake_producer, hold_producer),
            app=_faust_app(plan, ownership),
            drain_s=plan.settings.kafka.drain_deadline_s,
            broker_answers=any_answers(plan.settings.kafka.bootstrap_servers),
            watchdog_s=own.watchdog.s,
            shared=shared,
        )
    )


def _deliver_limits(plan: Plan) -> DeliverLimits:
    own, lanes = plan.settings.worker, plan.settings.lanes
    return DeliverLimits(
        in_flight=own.max_in_flight,
        rate=own.max_rate,
        tuning=Tuning(horizon_ms=lanes.horizon.ms, queue_ms=lanes.queue.ms),
        retry_after_cap_ms=lanes.retry_after_cap.ms,
        tiers=plan.topics.tiers,
        partitions=plan.topics.partitions,
        worker=plan.name,
    )


def _sources(topics: Topics) -> dict[str, str]:
    return {topics.deliveries: "deliveries", topics.due: "due", topics.control: "control", topics.claims: "claims"}


def _ownership(
    plan: Plan,
    deliver: Deliver,
    claim: ClaimStage,
    producer: DurableProducer,
    lease: HeartbeatLease,
    clock: SystemClock,
    meter: PrometheusMeter,
) -> Ownership:
    own = plan.settings.worker
    return Ownership(
        sources=_sources(plan.topics),
        stages={"deliveries": deliver, "due": deliver, "control": deliver, "claims": claim},
        decoders=decoders(clock),
        open_claims=lambda partition: ClaimsOnDisk(plan.directory / f"claims-{plan.cluster_id}-{partition}.sqlite"),
        abort_outbox=producer.abort,
        lease=lease,
        meter=meter,
        limits=OwnershipLimits(own.window_records, own.window_bytes, plan.settings.kafka.drain_deadline_s),
    )


def _faust_app(plan: Plan, ownership: Ownership) -> Any:
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
        ),
        data_dir=str(plan.directory / "faust"),
        faust_options={"broker_commit_interval": kafka.commit_interval_s},
    )


def _config(plan: Plan, meter: PrometheusMeter, schedules: ScheduleState) -> ConfigLog:
    defaults = lane_defaults(plan.settings)
    place = Installation(plan.limits, breaker_policy(plan.settings.lanes.breaker))
    state = ConfigState(defaults, place, plan.topics.partitions, meter, schedules.take)
    return ConfigLog(plan.client_options, plan.topics.config, state)


def _intake(
    plan: Plan, encode: Encoder, clock: SystemClock, meter: PrometheusMeter, config: ConfigLog
) -> tuple[KafkaIntake, DurableProducer]:
    lease = HeartbeatLease(plan.settings.kafka.session_timeout_s)
    producer = plan.producer(lease)
    intake = KafkaIntake(
        plan.reader(plan.groups.intake, [plan.topics.requests], read_committed=True),
        cluster_id=plan.cluster_id,
        read=lambda value, headers, now_ms, book: read_request(value, headers, plan.limits, now_ms, book),
        policies=config.current,
        encode=encode,
        producer=producer,
        lease=lease,
        clock=clock,
        meter=meter,
    )
    return intake, producer


def _tier_log(
    plan: Plan, encode: Encoder, clock: SystemClock, meter: PrometheusMeter
) -> tuple[KafkaTierLog, DurableProducer]:
    lease = HeartbeatLease(plan.settings.kafka.session_timeout_s)
    producer = plan.producer(lease)
    tier_log = KafkaTierLog(
        plan.reader(plan.groups.hold, [plan.topics.retry(tier.name) for tier in plan.topics.tiers]),
        plan.topics,
        deliver_group=plan.groups.deliver,
        producer=producer,
        lease=lease,
        meter=meter,
        unreadable=lambda record, error: encode(unreadable_record(record, error, clock.now_ms())),
    )
    return tier_log, producer


def _sender(settings: Settings, clock: SystemClock) -> PyreqwestSender:
    http = settings.http
    return PyreqwestSender(
        clock,
        AddressPolicy(
            allow_private=http.allow_private,
            allow_hosts=frozenset(http.allow_hosts),
            allow_cidrs=tuple(http.allow_cidrs),
        ),
        options=ClientOptions(
            connect_timeout_ms=http.connect_timeout.ms,
            idle_timeout_ms=http.keep_alive.ms,
            idle_per_host=http.idle_per_domain,
            idle_total=http.idle_total,
        ),
        user_agent=http.user_agent,
        timeout_cap_ms=http.total_timeout_cap.ms,
        keep_bytes=http.max_response_bytes,
        client_limit=http.clients_max,
    )


def _shared_limits(plan: Plan, meter: PrometheusMeter) -> MemorySharedLimits | RedisSharedLimits:
    """Return where limits across domains are kept: in Redis if it is set, else in this process."""
    own, redis = plan.settings.worker, plan.settings.redis
    if redis.url is None:
        # A worker does not know of the others; these are the signs that there may be some.
        several = own.processes > 1 or own.instance_id is not None or plan.name != "0"
        return MemorySharedLimits(notice=_ALONE if several else "")
    options = RedisOptions(
        hosts=redis.url.hosts,
        master=redis.url.master,
        tls=redis.url.tls,
        user=redis.url.user,
        password=redis.password.get_secret_value() if redis.password else None,
        sentinel_password=redis.sentinel_password.get_secret_value() if redis.sentinel_password else None,
        database=redis.url.database,
        cafile=redis.cafile,
        timeout_ms=redis.timeout.ms,
    )
    return RedisSharedLimits(options, meter, prefix=redis.prefix, fallback_share=redis.fallback_share)
