"""Instants in records are RFC 3339 with a zone, to the ms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.wire.instants import format_instant, parse_instant


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00z", 0),
        ("1970-01-01 00:00:00+00:00", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T23:59:59.999Z", -1),
        ("2026-01-31T09:30:00.5Z", 1_769_851_800_500),
        ("2026-01-31T09:30:00.1239Z", 1_769_851_800_123),
        ("2026-01-31T09:30:00.123456789Z", 1_769_851_800_123),
        ("2024-02-29T00:00:00-23:59", 1_709_251_140_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ],
)
def test_parse(text: str, at_ms: int) -> None:
    """An instant is read in epoch ms, cut to the ms."""
    assert parse_instant(text) == at_ms


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "2026-01-31", "2026-01-31T09:30:00", "2026-01-31T09:30Z", "20260131T093000Z", "2026-W05-6T09:30:00Z",
        "2026-01-31T09:30:00+0100", "2026-01-31T09:30:00 +01:00", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-01-31T24:00:00Z", "2026-01-31T23:59:60Z", "2026-01-31T09:30:00+24:00", "2026-01-31T09:30:00.Z",
        "0000-01-01T00:00:00Z", "２026-01-31T09:30:00Z", "2026-01-31T09:30:00Z\n", "1769851800",
    ],
)  # fmt: skip
def test_refused(text: str) -> None:
    """Anything else is refused with an example of what is allowed."""
    with pytest.raises(ValueError, match="RFC 3339"):
        parse_instant(text)


@pytest.mark.parametrize(
    ("at_ms", "text"), [(-(1 << 63), "0001-01-01T00:00:00.000Z"), ((1 << 63) - 1, "9999-12-31T23:59:59.999Z")]
)
def test_instants_without_a_year_are_written(at_ms: int, text: str) -> None:
    """Any 64 bits that a producer stamps on its record can be written."""
    assert format_instant(at_ms) == text


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_round_trip(at_ms: int) -> None:
    """Every ms of the years 1 to 9999 is written so that it is read back."""
    text = format_instant(at_ms)
    assert parse_instant(text) == at_ms
    assert len(text) == len("2026-01-31T09:30:00.000Z")
