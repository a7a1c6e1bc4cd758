"""Which keys a call is signed with: those in force for the closest domain, in the order in which they were written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.policy import Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.send_policy import SigningKey, keys_for

LANE = "api.example.com"
NOW_MS = 1_000


def names(*keys: SigningKey, lane: str = LANE, now_ms: int = NOW_MS) -> list[str]:
    """Return the names of the secrets to sign with."""
    return keys_for(keys, lane, now_ms)


def test_an_overlap_signs_with_both_and_ends_to_the_millisecond() -> None:
    """The new key goes first; the old one signs up to its end, and not at it."""
    new, old = SigningKey("new"), SigningKey("old", until_ms=NOW_MS)
    assert names(new, old, now_ms=NOW_MS - 1) == ["new", "old"]
    assert names(new, old, now_ms=NOW_MS) == ["new"]


@pytest.mark.parametrize(
    ("lane", "expected"),
    [
        ("api.example.com", ["exact"]),
        ("a.b.example.com", ["below b"]),
        ("other.example.com", ["below"]),
        ("other.example.com:8443", ["below, its port"]),
        ("example.com", ["all"]),
        ("example.org", ["all"]),
    ],
)
def test_the_closest_domain_decides(lane: str, expected: list[str]) -> None:
    """A key for the domain itself goes before one for all below another, and that before one for every domain."""
    keys = (
        SigningKey("all"),
        SigningKey("below", domain="*.example.com"),
        SigningKey("below b", domain="*.b.example.com"),
        SigningKey("below, its port", domain="*.example.com:8443"),
        SigningKey("exact", domain="api.example.com"),
    )
    assert names(*keys, lane=lane) == expected


def test_where_the_closest_domain_has_only_ended_keys_the_next_one_signs() -> None:
    """A key that has ended does not leave calls without a signature that another key is there for."""
    keys = (SigningKey("all"), SigningKey("own", until_ms=NOW_MS, domain=LANE))
    assert names(*keys) == ["all"]
    assert names(*keys, now_ms=NOW_MS - 1) == ["own"]


def test_keys_for_other_domains_hide_nobody_elses() -> None:
    """A business with a key for one domain signs with it there, and everywhere else with the domain's own."""
    book = PolicyBook(
        domains={"*.example.com": Policy(signing=(SigningKey("domain's"),))},
        businesses={"acme": Policy(signing=(SigningKey("own", domain=LANE),))},
    )
    signed = {lane: keys_for(book.how(lane, "acme", None).signing, lane, NOW_MS) for lane in (LANE, "b.example.com")}
    assert signed == {LANE: ["own"], "b.example.com": ["domain's"]}
    assert keys_for(book.how("c.test", "acme", None).signing, "c.test", NOW_MS) == []


def test_no_key_is_none() -> None:
    """Keys of other domains and keys that have ended sign nothing."""
    assert names() == []
    assert names(SigningKey("other", domain="example.org"), SigningKey("ended", until_ms=0)) == []


KEYS = st.builds(
    SigningKey,
    st.sampled_from("abcdef"),
    st.none() | st.integers(0, 2 * NOW_MS),
    st.sampled_from([None, LANE, "*.example.com", "*.com", "example.org"]),
)


@given(st.lists(KEYS, max_size=16), st.integers(0, 2 * NOW_MS))
def test_a_key_in_force_for_the_lane_means_a_signature(keys: list[SigningKey], now_ms: int) -> None:
    """There is no name exactly when no key is in force for the lane; names keep their order; all are of one closeness."""
    found = names(*keys, now_ms=now_ms)
    alive = [key for key in keys if key.domain != "example.org" and (key.until_ms is None or now_ms < key.until_ms)]
    assert bool(found) == bool(alive)
    written = iter(key.secret for key in alive)
    assert all(name in written for name in found)
