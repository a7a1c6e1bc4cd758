"""Settings of lanes: what they say as a policy, what contradicts itself, and an empty text for no limit."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.cli.setup import policy_of
from streamer.core.policy import BreakerPolicy, Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.policy_merge import CONCURRENCY
from streamer.core.rate import parse_rate
from streamer.settings.load import SettingsError, load
from streamer.settings.model import Settings
from streamer.settings.policies import lane_defaults


def loaded(**flags: Any) -> Settings:
    """Load settings by flags alone: ``lanes__rate`` is lanes.rate."""
    return load(environ={}, flags={name.replace("__", "."): value for name, value in flags.items()}).settings


def test_the_defaults_are_the_cores_own() -> None:
    """Settings that nobody changed say of a lane what the core has built in: there is one table of defaults."""
    assert lane_defaults(loaded()) == Policy(concurrency=CONCURRENCY, breaker=BreakerPolicy())
    assert PolicyBook(settings=lane_defaults(loaded())).lane("a.test") == PolicyBook().lane("a.test")


def test_what_is_set_holds_for_a_lane() -> None:
    """Rate, burst, concurrency and breaker reach the lane; what a worker fills into requests is not among them."""
    settings = loaded(lanes__rate="10/5s", lanes__burst="7", worker__domain_concurrency=3, lanes__breaker__open="1m")
    book = PolicyBook(settings=lane_defaults(settings))
    limits = book.lane("a.test")
    assert (limits.rate, limits.burst, limits.concurrency) == (parse_rate("10/5s"), 7, 3)
    assert limits.breaker == BreakerPolicy(open_ms=60_000)
    assert lane_defaults(settings).timeout_ms is None
    assert policy_of(settings).timeout_ms == 30_000


def test_an_empty_text_is_no_limit() -> None:
    """TOML has no null."""
    settings = loaded(lanes__rate="", lanes__burst="", worker__max_rate="")
    assert (settings.lanes.rate, settings.lanes.burst, settings.worker.max_rate) == (None, None, None)
    assert loaded(worker__max_rate="500/s").worker.max_rate == parse_rate("500/s")


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        ({"lanes__rate": "10"}, "lanes.rate (flag): '10' is no rate"),
        ({"lanes__rate": 10}, "lanes.rate (flag): 10 is no rate"),
        ({"lanes__burst": 5}, "lanes.burst (5) needs lanes.rate"),
        ({"lanes__burst": 0, "lanes__rate": "1/s"}, "lanes.burst (flag)"),
        ({"lanes__horizon": "1s"}, "lanes.horizon (1s) must be from 10s to 1h"),
        ({"lanes__breaker__open": "10m"}, "lanes.breaker.open (10m) must be at most lanes.breaker.open_most (5m)"),
        ({"http__keep_alive": "0s"}, "http.keep_alive must be more than 0s"),
    ],
)
def test_what_cannot_be_is_named(flags: dict[str, Any], part: str) -> None:
    """A wrong value or a contradiction names the setting."""
    with pytest.raises(SettingsError) as caught:
        loaded(**flags)
    assert part in "\n".join(caught.value.problems)
