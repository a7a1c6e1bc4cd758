"""Settings that contradict each other: what must hold between them, and what to change when it does not."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter

from streamer.settings.lanes import BOUNDS
from streamer.settings.model import Settings
from streamer.settings.production import unsafe

#: Room in a dead letter for all that is not a body: headers, asked for and sent and received, metadata, coordinates.
ENVELOPE_BYTES = 512 * 1024
MIN_TIER_MS = 1_000
MAX_TIERS = 32


def contradictions(settings: Settings) -> list[str]:
    """Return every contradiction as a sentence that names the settings; an empty list is the good case."""
    return [
        *_of_kafka(settings),
        *_of_tiers(settings),
        *_of_retries(settings),
        *_of_sizes(settings),
        *_of_redis(settings),
        *_of_proxy(settings),
        *_of_lanes(settings),
        *unsafe(settings),
    ]


def _of_kafka(settings: Settings) -> Iterator[str]:
    kafka = settings.kafka
    if kafka.drain_deadline_s >= kafka.session_timeout_s:
        yield (
            f"kafka.drain_deadline_s ({kafka.drain_deadline_s:g}) must be less than kafka.session_timeout_s "
            f"({kafka.session_timeout_s:g}): a drain that outlasts the session sends requests twice"
        )
    if kafka.heartbeat_interval_s > kafka.session_timeout_s / 3:
        yield (
            f"kafka.heartbeat_interval_s ({kafka.heartbeat_interval_s:g}) must be at most a third of "
            f"kafka.session_timeout_s ({kafka.session_timeout_s:g}): one lost heartbeat must not end it"
        )
    security = kafka.security
    if security.protocol.startswith("SASL_") and not (security.user and security.password):
        yield (f"kafka.security.protocol {security.protocol} needs kafka.security.user and kafka.security.password")


def _of_tiers(settings: Settings) -> Iterator[str]:
    if not 1 <= len(settings.tiers) <= MAX_TIERS:
        yield f"tiers must be 1 to {MAX_TIERS}, and are {len(settings.tiers)}"
    for shorter, longer in zip(settings.tiers, settings.tiers[1:], strict=False):
        if longer <= shorter:
            yield f"tiers must grow: {longer} stands after {shorter}"
    for tier in settings.tiers:
        if tier.ms < MIN_TIER_MS:
            yield f"tiers: {tier} is too short, the least is 1s"


def _of_retries(settings: Settings) -> Iterator[str]:
    retry = settings.retry
    if len(retry.intervals) > retry.max_retries_cap:
        yield (
            f"retry.intervals has {len(retry.intervals)} waits, more than retry.max_retries_cap "
            f"({retry.max_retries_cap})"
        )
    if retry.backoff.max_attempts - 1 > retry.max_retries_cap:
        yield (
            f"retry.backoff.max_attempts ({retry.backoff.max_attempts}) is more than one and "
            f"retry.max_retries_cap ({retry.max_retries_cap}) retries"
        )
    if retry.backoff.initial > retry.backoff.max:
        yield (
            f"retry.backoff.initial ({retry.backoff.initial}) must be at most retry.backoff.max ({retry.backoff.max})"
        )
    http = settings.http
    if http.connect_timeout > http.total_timeout:
        yield (
            f"http.connect_timeout ({http.connect_timeout}) must be at most http.total_timeout ({http.total_timeout})"
        )
    if http.first_byte_timeout is not None and 0 < http.first_byte_timeout.ms <= http.connect_timeout.ms:
        yield (
            f"http.first_byte_timeout ({http.first_byte_timeout}) must be more than http.connect_timeout "
            f"({http.connect_timeout}), which is a part of it"
        )
    if http.total_timeout > http.total_timeout_cap:
        yield (
            f"http.total_timeout ({http.total_timeout}) must be at most http.total_timeout_cap "
            f"({http.total_timeout_cap})"
        )
    for name in ("connect_timeout", "first_byte_timeout", "read_timeout", "total_timeout"):
        timeout = getattr(http, name)
        if timeout is not None and not timeout.ms:
            yield f"http.{name} must be more than 0s: no call may last for ever, and none can be over at once"


def _of_redis(settings: Settings) -> Iterator[str]:
    redis = settings.redis
    if redis.url is None:
        for name in ("password", "sentinel_password", "cafile"):
            if getattr(redis, name) is not None:
                yield f"redis.{name} is of no use without redis.url"
    else:
        if redis.cafile is not None and not redis.url.tls:
            yield "redis.cafile needs a redis.url with TLS: rediss:// or sentinels://"
        if redis.sentinel_password is not None and redis.url.master is None:
            yield "redis.sentinel_password needs a redis.url of Sentinels: sentinel:// or sentinels://"


def _of_proxy(settings: Settings) -> Iterator[str]:
    http = settings.http
    if http.proxy_password is not None and (http.proxy is None or not http.proxy.user):
        yield "http.proxy_password needs an http.proxy with a user: http://USER@HOST:PORT"


def _of_sizes(settings: Settings) -> Iterator[str]:
    worker, limits, http = settings.worker, settings.limits, settings.http
    if worker.max_age is not None and not worker.max_age.ms:
        yield "worker.max_age must be more than 0s, or empty: no process could do anything"
    if worker.max_in_flight > worker.window_records:
        yield (
            f"worker.max_in_flight ({worker.max_in_flight}) must be at most worker.window_records "
            f"({worker.window_records}): a call in flight is an unfinished record"
        )
    if worker.domain_concurrency > worker.max_in_flight:
        yield (
            f"worker.domain_concurrency ({worker.domain_concurrency}) must be at most worker.max_in_flight "
            f"({worker.max_in_flight})"
        )
    # A body that is no text travels in base64, four bytes for three; a dead letter has the last answer too.
    largest = (limits.body_bytes + http.max_response_bytes) * 4 // 3 + ENVELOPE_BYTES
    if largest > settings.topics.max_message_bytes:
        yield (
            f"topics.max_message_bytes ({settings.topics.max_message_bytes}) must be at least {largest} for "
            f"limits.body_bytes ({limits.body_bytes}) and http.max_response_bytes ({http.max_response_bytes})"
        )
    if worker.window_bytes < settings.topics.max_message_bytes:
        yield (
            f"worker.window_bytes ({worker.window_bytes}) must be at least topics.max_message_bytes "
            f"({settings.topics.max_message_bytes}): the largest record must fit"
        )
    retention = settings.topics.retention
    for topic in type(retention).model_fields:
        if not getattr(retention, topic).ms:
            yield f"topics.retention.{topic} must be more than 0s"
    if retention.control < retention.dead_letter:
        yield (
            f"topics.retention.control ({retention.control}) must be at least topics.retention.dead_letter "
            f"({retention.dead_letter}): a dead letter whose replay is forgotten would be replayed again"
        )


def _of_lanes(settings: Settings) -> Iterator[str]:
    lanes = settings.lanes
    for key, least, most in BOUNDS:
        found = attrgetter(key)(lanes)
        if not least <= found <= most:
            yield f"lanes.{key} ({found}) must be from {least} to {most}"
    if lanes.breaker.open > lanes.breaker.open_most:
        yield (
            f"lanes.breaker.open ({lanes.breaker.open}) must be at most lanes.breaker.open_most "
            f"({lanes.breaker.open_most})"
        )
    if lanes.burst is not None and lanes.rate is None:
        yield f"lanes.burst ({lanes.burst}) needs lanes.rate: it is the burst of that rate"
    if not settings.http.keep_alive.ms:
        yield "http.keep_alive must be more than 0s; http.idle_per_domain 0 keeps no idle connection"
