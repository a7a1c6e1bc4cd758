"""What a worker sends with, and within which limits, from a plan."""

from __future__ import annotations

from streamer.adapters.http.clients import ClientOptions
from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.sender import PyreqwestSender
from streamer.adapters.memory.shared_limits import MemorySharedLimits
from streamer.adapters.prometheus.meter import PrometheusMeter
from streamer.adapters.redis.client import RedisOptions
from streamer.adapters.redis.shared_limits import RedisSharedLimits
from streamer.adapters.system import SystemClock
from streamer.bootstrap.plan import Plan
from streamer.core.put_off import Tuning
from streamer.flow.deliver import DeliverLimits
from streamer.settings.model import Settings

_ALONE = (
    "redis.url is not set: this worker keeps limits across domains by itself, so that several workers together exceed "
    "them. Set redis.url, unless this is the only worker"
)


def deliver_limits(plan: Plan) -> DeliverLimits:
    """Return the bounds of what deliver has in flight, and how its lanes put off."""
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


def address_policy(settings: Settings) -> AddressPolicy:
    """Return whom the settings let be called."""
    http = settings.http
    return AddressPolicy(
        allow_private=http.allow_private,
        allow_hosts=frozenset(http.allow_hosts),
        allow_cidrs=http.allow_cidrs,
        deny_hosts=frozenset(http.deny_hosts),
        deny_cidrs=http.deny_cidrs,
        ports=frozenset(http.ports),
    )


def make_sender(settings: Settings, clock: SystemClock) -> PyreqwestSender:
    """Return the sender, with what it may call and how long."""
    http = settings.http
    return PyreqwestSender(
        clock,
        address_policy(settings),
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


def make_shared_limits(plan: Plan, meter: PrometheusMeter) -> MemorySharedLimits | RedisSharedLimits:
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
