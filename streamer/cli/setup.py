"""From settings to the plain values that wire and the adapters take: topics, limits, and how to reach Kafka."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from streamer.core.codes import Codes, parse_codes
from streamer.core.ladder import Tier, make_ladder
from streamer.core.policy import Policy
from streamer.core.request import Backoff, RetryPolicy
from streamer.settings.delivery import Retry
from streamer.settings.model import Settings
from streamer.settings.policies import lane_defaults
from streamer.wire.limits import Limits
from streamer.wire.outgoing import RECORD_OVERHEAD_BYTES
from streamer.wire.topics import Retention, Topics


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
            tier_margin_ms=kept.tier_margin.ms,
        ),
        max_message_bytes=settings.topics.max_message_bytes,
    )


def limits_of(settings: Settings) -> Limits:
    """Return what a request record may ask for, and what it gets when it does not say."""
    retry, http = settings.retry, settings.http
    retry_codes, fatal_codes = _codes_of(retry)
    return Limits(
        body_bytes=settings.limits.body_bytes,
        record_bytes=settings.topics.max_message_bytes - RECORD_OVERHEAD_BYTES,
        timeout_ms=http.total_timeout.ms,
        timeout_cap_ms=http.total_timeout_cap.ms,
        retry=RetryPolicy(
            intervals_ms=tuple(wait.ms for wait in retry.intervals),
            max_attempts=len(retry.intervals) + 1,
            retry_codes=retry_codes,
            fatal_codes=fatal_codes,
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


def policy_of(settings: Settings) -> Policy:
    """Return all that the settings say where no record on `config` does, as people are shown it.

    A worker takes the lane's part alone as a policy: the rest is in the limits, which it reads requests with.
    """
    limits = limits_of(settings)
    return replace(
        lane_defaults(settings),
        priority=limits.priority,
        timeout_ms=limits.timeout_ms,
        retry=limits.retry,
        retry_codes=parse_codes(settings.retry.retry_codes),
        success_codes=parse_codes(["2xx"]),
        sign=False,
    )


def _codes_of(retry: Retry) -> tuple[Codes | None, Codes | None]:
    """Return the default policy's retry and fatal codes: none while they say what the core's own table says.

    The setting is the whole list of what is worth another attempt, and a policy only adds to the table or takes
    away from it. So what the table would retry and the setting leaves out is named as fatal.
    """
    usual, wanted = parse_codes(Retry().retry_codes), parse_codes(retry.retry_codes)
    if wanted.members == usual.members:
        return None, None
    left_out = sorted(usual.members - wanted.members)
    return wanted, parse_codes(_ranges(left_out)) if left_out else None


def _ranges(codes: Sequence[int]) -> list[str]:
    """Write ascending codes as ranges: every record of a task carries them."""
    runs = groupby(enumerate(codes), key=lambda pair: pair[1] - pair[0])
    members = ([code for _, code in run] for _, run in runs)
    return [f"{run[0]}-{run[-1]}" for run in members]


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
