"""Domains as policies name them: one form for each, and which wildcards cover a lane."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.domain_name import parse_domain, wildcards_of
from streamer.core.lane_key import lane_key

LABELS = st.lists(st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("example.com", "example.com"),
        ("EXAMPLE.com.", "example.com"),
        ("example.com:443", "example.com"),
        ("example.com:8080", "example.com:8080"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("http://example.com:80/hooks", "example.com"),
        ("[::1]:8080", "[::1]:8080"),
        ("*.Example.com", "*.example.com"),
        ("*.example.com:8080", "*.example.com:8080"),
        ("*.com", "*.com"),
    ],
)
def test_a_domain_has_one_form(written: str, name: str) -> None:
    """However it is written, a domain has the name that its lane has."""
    assert parse_domain(written) == name
    assert parse_domain(name) == name


@pytest.mark.parametrize(
    "written", ["", "*", "*.", "*.*.com", "a.*.com", "exa mple.com", "example.com/x", "*.10.0.0.1", "*.[::1]", "a b"]
)
def test_what_is_no_domain_is_refused(written: str) -> None:
    """The refusal says what is allowed or what is wrong."""
    with pytest.raises(ValueError, match=r"no domain|has"):
        parse_domain(written)


@pytest.mark.parametrize(
    ("lane", "wildcards"),
    [
        ("api.eu.example.com", ["*.eu.example.com", "*.example.com", "*.com"]),
        ("a.example.com:8080", ["*.example.com:8080", "*.example.com", "*.com:8080", "*.com"]),
        ("example", []),
        ("localhost:8080", []),
        ("[::1]:8080", []),
        ("", []),
    ],
)
def test_wildcards_of_a_lane(lane: str, wildcards: list[str]) -> None:
    """The longer come first, and of these the one with the port."""
    assert list(wildcards_of(lane)) == wildcards


@given(LABELS, LABELS)
def test_a_wildcard_covers_all_below_it_and_not_itself(below: list[str], apex: list[str]) -> None:
    """At any depth, a host below is covered, and the host itself is not."""
    name = ".".join(apex)
    wildcard = parse_domain(f"*.{name}")
    assert wildcard in wildcards_of(lane_key(f"https://{'.'.join(below)}.{name}"))
    assert wildcard not in wildcards_of(lane_key(f"https://{name}"))
