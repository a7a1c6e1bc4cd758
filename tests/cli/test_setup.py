"""Settings reach wire: what an operator sets changes topics and what a record gets when it does not say."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from streamer.cli.setup import limits_of, topics_of
from streamer.core.judge import judge
from streamer.core.outcome import Response
from streamer.core.reading import Accepted
from streamer.core.request import Request, RetryPolicy
from streamer.settings.load import load
from streamer.settings.model import Settings
from streamer.wire.limits import Limits
from streamer.wire.request_reader import read_request
from streamer.wire.topics import Role, Topics

NOW_MS = 1_732_291_200_000


def settings(**flags: Any) -> Settings:
    """Return settings with flags over the defaults; ``retry__retry_codes`` sets ``retry.retry_codes``."""
    return load(environ={}, flags={name.replace("__", "."): value for name, value in flags.items()}).settings


def request(limits: Limits, **record: Any) -> Request:
    """Return the request that a record asks for."""
    read = read_request(orjson.dumps({"url": "https://example.com/"} | record), (), limits, NOW_MS)
    assert isinstance(read, Accepted)
    return read.request


def retried(asked: Request, status: int) -> bool:
    """Tell whether an answer is worth another attempt."""
    return judge(asked, Response(status)).retryable


def test_the_default_settings_are_wires_defaults() -> None:
    """What wire assumes when nobody tells it is what the settings say when nobody sets them."""
    assert limits_of(Settings()).retry == RetryPolicy()
    made = topics_of(Settings())
    assert made.specs() == Topics(made.prefix, made.partitions, made.tiers).specs()


def test_the_margin_of_the_tiers_reaches_the_topics() -> None:
    """A tier is kept for its delay and `topics.retention.tier_margin`."""
    made = topics_of(settings(tiers="1m", topics__retention__tier_margin="3d"))
    (tier,) = [spec for spec in made.specs() if spec.role is Role.RETRY]
    assert tier.retention_ms == 60_000 + 3 * 86_400_000


@pytest.mark.parametrize("codes", ["408 425 429 5xx", "500-599 429 408 425"])
def test_the_usual_codes_add_nothing_to_a_record(codes: str) -> None:
    """However the built-in list is written, no task has to carry it."""
    policy = limits_of(settings(retry__retry_codes=codes)).retry
    assert (policy.retry_codes, policy.fatal_codes) == (None, None)


def test_the_codes_are_the_whole_list() -> None:
    """What the operator names is tried again, and what the built-in list has besides is not any more."""
    asked = request(limits_of(settings(retry__retry_codes="404 503")))
    assert [status for status in (404, 408, 429, 500, 502, 503, 504) if retried(asked, status)] == [404, 503]
    assert asked.retry.fatal_codes is not None
    assert asked.retry.fatal_codes.text == ("408-408", "425-425", "429-429", "500-502", "504-599")


def test_a_policy_without_codes_has_the_operators() -> None:
    """A task that only names its waits is judged as the operator set."""
    asked = request(limits_of(settings(retry__retry_codes="503")), retry={"intervals": ["5s"]})
    assert not retried(asked, 500)
    assert retried(asked, 503)


@pytest.mark.parametrize("own", [{"retry_codes": [500]}, {"fatal_codes": [404]}])
def test_a_policy_with_codes_has_none_of_the_operators(own: dict[str, Any]) -> None:
    """A task's own codes stand over the built-in table: what the operator left out cannot make them fatal."""
    asked = request(limits_of(settings(retry__retry_codes="503")), retry=own)
    assert retried(asked, 500)
