"""What a worker sends with, and within which limits, from a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from streamer.adapters.extensions.loader import Extensions
from streamer.adapters.extensions.signers import Signers
from streamer.adapters.http.client_options import ClientOptions
from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.libraries import library_of
from streamer.adapters.http.pace import Pace
from streamer.adapters.http.proxy import Proxy
from streamer.adapters.http.secrets import Secrets
from streamer.adapters.http.sender import HttpSender
from streamer.adapters.memory.shared_limits import MemorySharedLimits
from streamer.adapters.prometheus.meter import PrometheusMeter
from streamer.adapters.redis.client import RedisOptions
from streamer.adapters.redis.shared_limits import RedisSharedLimits
from streamer.adapters.system import SystemClock
from streamer.bootstrap.plan import Plan
from streamer.bootstrap.secrets import masking_of
from streamer.core.policy_book import PolicyBook
from streamer.core.put_off import Tuning
from streamer.flow.deliver import DeliverLimits
from streamer.ports import Meter
from streamer.settings.model import Settings

#: Two groups begin no sooner one after the other: at 500 tasks a second two requests to the broker for twelve tasks.
_SETTLE_PACE_MS = 25
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
        settle_pace_ms=_SETTLE_PACE_MS,
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
        own_ports=frozenset(_own_ports(settings)),
    )


def _own_ports(settings: Settings) -> Iterator[int]:
    """Yield where Kafka and Redis listen: a task that reached them would speak to them as we do."""
    for server in settings.kafka.bootstrap_servers.split(","):
        port = server.rpartition(":")[2].strip()
        if port.isdecimal():
            yield int(port)
    if settings.redis.url is not None:
        yield from (port for _, port in settings.redis.url.hosts)


def egress_proxy(settings: Settings) -> Proxy | None:
    """Return the proxy that every call goes through, where there is one."""
    http = settings.http
    if http.proxy is None:
        return None
    password = http.proxy_password.get_secret_value() if http.proxy_password else ""
    return Proxy(http.proxy.host, http.proxy.port, http.proxy.user, password)


def make_sender(
    settings: Settings,
    clock: SystemClock,
    policies: Callable[[], PolicyBook],
    secrets: Secrets | None = None,
    signers: Signers | None = None,
) -> HttpSender:
    """Return the sender, with what it may call, how, and how long."""
    http = settings.http
    return HttpSender(
        clock,
        address_policy(settings),
        library_of(http.client),
        policies=policies,
        secrets=secrets,
        pace=_pace(settings),
        options=ClientOptions(
            connect_timeout_ms=http.connect_timeout.ms,
            idle_timeout_ms=http.keep_alive.ms,
            idle_per_host=http.idle_per_domain,
            idle_total=http.idle_total,
            proxy=egress_proxy(settings),
        ),
        user_agent=http.user_agent,
        timeout_cap_ms=http.total_timeout_cap.ms,
        keep_bytes=http.max_response_bytes,
        client_limit=http.clients_max,
        masking=masking_of(settings),
        signers=signers,
    )


def make_signers(extensions: Extensions, meter: Meter) -> Signers | None:
    """Return what is asked for headers before each call; None where there is nobody to ask."""
    return Signers(extensions.signers, meter) if extensions.signers else None


def _pace(settings: Settings) -> Pace | None:
    first_byte, read = settings.http.first_byte_timeout, settings.http.read_timeout
    if first_byte is None and read is None:
        return None
    return Pace(first_byte.ms if first_byte is not None else None, read.ms if read is not None else None)


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
