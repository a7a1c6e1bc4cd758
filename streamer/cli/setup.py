"""From settings to the plain values that wire and the adapters take: topics, limits, and how to reach Kafka."""

from __future__ import annotations

from typing import Any

from streamer.core.ladder import Tier, make_ladder
from streamer.core.request import Backoff, RetryPolicy
from streamer.settings.model import Settings
from streamer.wire.limits import Limits
from streamer.wire.topics import Retention, Topics

# Kafka counts the record's key, headers and lengths as well as its value.
RECORD_OVERHEAD_BYTES = 4 * 1024


def topics_of(settings: Settings) -> Topics:
    """Return the topics of this installation."""
    kept = settings.topics.retention
    return Topics(
        prefix=settings.kafka.prefix,
        partitions=settings.topics.partitions,
        tiers=make_ladder(Tier(str(tier), tier.ms) for tier in settings.tiers),
        retention=Retention(
            requests_ms=kept.requests.ms,
            claims_ms=kept.claims.ms,
            deliveries_ms=kept.deliveries.ms,
            due_ms=kept.due.ms,
            control_ms=kept.control.ms,
            results_ms=kept.results.ms,
            dead_letter_ms=kept.dead_letter.ms,
        ),
        max_message_bytes=settings.topics.max_message_bytes,
    )


def limits_of(settings: Settings) -> Limits:
    """Return what a request record may ask for, and what it gets when it does not say."""
    retry, http = settings.retry, settings.http
    return Limits(
        body_bytes=settings.limits.body_bytes,
        record_bytes=settings.topics.max_message_bytes - RECORD_OVERHEAD_BYTES,
        timeout_ms=http.total_timeout.ms,
        timeout_cap_ms=http.total_timeout_cap.ms,
        retry=RetryPolicy(
            intervals_ms=tuple(wait.ms for wait in retry.intervals),
            max_attempts=len(retry.intervals) + 1,
        ),
        backoff=Backoff(
            initial_ms=retry.backoff.initial.ms,
            multiplier=retry.backoff.multiplier,
            max_ms=retry.backoff.max.ms,
            jitter=retry.backoff.jitter,
        ),
        backoff_attempts=retry.backoff.max_attempts,
        retries=retry.max_retries_cap,
        unlimited_attempts=retry.allow_unlimited,
    )


def kafka_options(settings: Settings) -> dict[str, Any]:
    """Return where the cluster is and who we are there, as `adapters.kafka.clients.client_options` takes it."""
    security = settings.kafka.security
    return {
        "bootstrap_servers": settings.kafka.bootstrap_servers,
        "protocol": security.protocol,
        "sasl_mechanism": security.sasl_mechanism,
        "user": security.user,
        "password": security.password.get_secret_value() if security.password else None,
        "cafile": security.cafile,
    }
