"""What holds when several policies speak: precedence, wildcards, shards, pauses, and limits beside each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.codes import parse_codes
from streamer.core.policy import FOREVER_MS, BreakerPolicy, BusinessLimits, Fill, LaneLimits, Policy, SharedLimit
from streamer.core.policy_book import NOTHING_FILLED, REMEMBERED, PolicyBook
from streamer.core.rate import Rate, parse_rate
from streamer.core.request import RetryPolicy

FAST, SLOW = parse_rate("100/s"), parse_rate("1/s")
LANE = "api.eu.example.com"


def test_an_empty_book_says_what_is_built_in() -> None:
    """Without a record there are no rates, the built-in concurrency, and nothing to fill in."""
    book = PolicyBook()
    assert book.lane(LANE) == LaneLimits()
    assert book.business("acme") == BusinessLimits()
    assert book.shared("acme", "slow", "orders") == ()
    assert book.fill(LANE, "acme", None) is NOTHING_FILLED
    assert book.caps("acme", "slow") == ()
    assert not book.has_policy("slow")


def test_the_most_specific_domain_wins_field_by_field() -> None:
    """Exact, the longer wildcard, the shorter, the default record, the settings: each field from the first that says it."""
    book = PolicyBook(
        Policy(concurrency=4, backlog=4, timeout_ms=4),
        {
            LANE: Policy(rate=SLOW),
            "*.eu.example.com": Policy(rate=FAST, concurrency=2),
            "*.example.com": Policy(concurrency=3, backlog=3),
            "other.example.com": Policy(concurrency=9, backlog=9, refuse=True),
        },
        settings=Policy(concurrency=5, backlog=5, breaker=BreakerPolicy(failures_in_row=7)),
    )
    limits = book.lane(LANE)
    assert (limits.rate, limits.concurrency, limits.backlog) == (SLOW, 2, 3)
    assert limits.breaker.failures_in_row == 7
    assert not limits.refuse
    assert book.lane("example.com").concurrency == 4, "a wildcard does not cover its apex"
    assert book.lane("a.example.com:8080").concurrency == 3, "a wildcard without a port covers every port"
    assert book.lane("b.other.test").concurrency == 4


def test_an_exact_name_has_its_port() -> None:
    """A record for a host says nothing of another port of it."""
    book = PolicyBook(domains={"example.com": Policy(concurrency=1), "example.com:8080": Policy(concurrency=2)})
    assert [book.lane(lane).concurrency for lane in ("example.com", "example.com:8080", "example.com:9")] == [1, 2, 20]


def test_values_come_from_policy_then_business_then_domain_then_default() -> None:
    """Each source, taken away in turn, leaves the word to the next; a field that one does not say is the next one's."""
    retry = RetryPolicy((1_000,), max_attempts=2)
    book = PolicyBook(
        Policy(priority=4, retry=retry, sign=True),
        {"*.example.com": Policy(priority=3, timeout_ms=3)},
        {"acme": Policy(priority=2, timeout_ms=2)},
        {"slow": Policy(priority=1)},
    )
    assert book.fill(LANE, "acme", "slow") == Fill(priority=1, timeout_ms=2, retry=retry, sign=True)
    assert book.fill(LANE, "acme", None).priority == 2
    assert book.fill(LANE, "other", None) == Fill(priority=3, timeout_ms=3, retry=retry, sign=True)
    assert book.fill("other.test", "other", None) == Fill(priority=4, retry=retry, sign=True)
    assert book.has_policy("slow")


def test_retry_and_fatal_codes_go_together() -> None:
    """A domain's fatal codes must not undo what a more specific policy wants retried."""
    book = PolicyBook(
        domains={LANE: Policy(fatal_codes=parse_codes(["4xx"]), success_codes=parse_codes([200]))},
        policies={"patient": Policy(retry_codes=parse_codes([404]))},
    )
    fill = book.fill(LANE, "acme", "patient")
    assert (fill.retry_codes, fill.fatal_codes) == (parse_codes([404]), None)
    assert fill.success_codes == parse_codes([200])
    assert book.fill(LANE, "acme", None).fatal_codes == parse_codes(["4xx"])


def test_a_burst_belongs_to_its_rate() -> None:
    """A burst that was written for a less specific rate does not go with a slower one; a more specific burst does."""
    wild = Policy(rate=FAST, burst=500)
    assert PolicyBook(domains={"*.example.com": wild, LANE: Policy(rate=SLOW)}).lane(LANE).burst == 1
    assert PolicyBook(domains={"*.example.com": wild, LANE: Policy(burst=7)}).lane(LANE).burst == 7
    assert PolicyBook(domains={"*.example.com": wild}).lane(LANE).burst == 500


def test_limits_of_business_policy_and_rate_key_hold_beside_the_domain() -> None:
    """Each is a bucket of its own, so that the strictest of all holds; none changes the lane."""
    book = PolicyBook(
        domains={LANE: Policy(rate=FAST)},
        businesses={"acme": Policy(rate=SLOW, burst=3, concurrency=2, weight=5)},
        policies={"slow": Policy(rate=parse_rate("10/m"), concurrency=1)},
        rate_keys={"orders": Policy(rate=parse_rate("5/s"))},
    )
    assert book.lane(LANE).rate == FAST
    assert book.shared("acme", "slow", "orders") == (
        SharedLimit("business:acme", SLOW, 3),
        SharedLimit("policy:slow", Rate(10, 60_000), 1),
        SharedLimit("rate_key:orders", Rate(5, 1_000), 5),
    )
    assert book.shared("other", None, "orders") == (SharedLimit("rate_key:orders", Rate(5, 1_000), 5),)
    assert book.shared("other", None, None) == ()
    assert book.business("acme") == BusinessLimits(5, 2)
    assert book.business("other") == BusinessLimits()
    assert book.caps("acme", "slow") == (("business:acme", 2), ("policy:slow", 1))
    assert book.caps("other", None) == ()


def test_a_shard_has_its_share_of_each_limit() -> None:
    """The same amount in an interval so many times as long, and burst, concurrency and backlog divided."""
    policy = Policy(rate=parse_rate("10/s"), burst=9, concurrency=7, backlog=10, shards=3)
    limits = PolicyBook(domains={LANE: policy}).lane(LANE)
    assert limits == LaneLimits(Rate(10, 3_000), 3, 2, backlog=4, shards=3)


@pytest.mark.parametrize(
    ("changed", "partitions", "shards"),
    [({}, 12, 4), ({"concurrency": 3}, 12, 3), ({"burst": 2}, 12, 2), ({}, 1, 1), ({"rate": None}, 12, 4)],
)
def test_shards_are_cut_to_what_leaves_each_something(changed: dict[str, Any], partitions: int, shards: int) -> None:
    """A limit lowered after the shards were set leaves fewer of them, none without a call."""
    policy = replace(Policy(rate=parse_rate("10/s"), burst=10, concurrency=20, shards=4), **changed)
    limits = PolicyBook(domains={LANE: policy}, partitions=partitions).lane(LANE)
    assert limits.shards == shards
    assert limits.burst >= 1
    assert limits.concurrency >= 1


@given(
    st.integers(1, 50),
    st.integers(1, 100),
    st.integers(1, 100),
    st.integers(1, 1_000),
    st.integers(1, 60_000),
    st.integers(1, 64),
)
def test_shards_together_never_exceed_the_domain(
    shards: int, burst: int, concurrency: int, amount: int, interval_ms: int, partitions: int
) -> None:
    """Whatever is asked for, rate, burst and concurrency of all shards are at most the domain's own."""
    policy = Policy(Rate(amount, interval_ms), burst, concurrency, shards=shards)
    limits = PolicyBook(domains={LANE: policy}, partitions=partitions).lane(LANE)
    count = limits.shards
    assert 1 <= count <= partitions
    assert limits.rate is not None
    assert limits.rate.per_s * count <= Rate(amount, interval_ms).per_s * (1 + 1e-9)
    assert limits.burst * count <= burst
    assert limits.concurrency * count <= concurrency


@pytest.mark.parametrize(
    ("exact", "wildcard", "default", "until_ms"),
    [
        (None, None, None, 0),
        (5, None, None, 5),
        (None, FOREVER_MS, None, FOREVER_MS),
        (5, 9, None, 9),
        (9, 5, None, 9),
        (0, FOREVER_MS, None, 0),
        (None, 0, FOREVER_MS, 0),
        (5, 0, 9, 5),
        (5, None, 9, 9),
    ],
)
def test_the_longest_pause_holds_up_to_who_says_there_is_none(
    exact: int | None, wildcard: int | None, default: int | None, until_ms: int
) -> None:
    """A pause that has ended hides no longer one; a word that there is none hides the more general ones."""
    book = PolicyBook(
        Policy(paused_until_ms=default),
        {LANE: Policy(paused_until_ms=exact), "*.example.com": Policy(paused_until_ms=wildcard)},
    )
    assert book.lane(LANE).paused_until_ms == until_ms


def test_what_a_book_remembers_is_bounded() -> None:
    """More lanes than it remembers are answered as well, and lanes under one record share one value."""
    book = PolicyBook(domains={"*.example.com": Policy(timeout_ms=5)})
    for number in range(REMEMBERED + 5):
        book.lane(f"h{number}.example.com")
    assert len(book._chains) <= REMEMBERED
    assert book.lane("a.example.com") is book.lane("b.example.com")
    assert book.fill("a.example.com", "x", None) is book.fill("b.example.com", "y", None)


def test_a_book_does_not_change_with_what_it_was_made_from() -> None:
    """A later change of the mapping is another book's."""
    domains = {LANE: Policy(concurrency=1)}
    book = PolicyBook(domains=domains)
    domains[LANE] = Policy(concurrency=2)
    assert book.lane(LANE).concurrency == 1
    with pytest.raises(TypeError):
        book.domains[LANE] = Policy()  # type: ignore[index]
