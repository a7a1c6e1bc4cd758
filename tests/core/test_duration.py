"""Durations: what is read, what is refused, and that writing and reading agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.duration import MAX_DURATION_MS, format_duration, parse_duration_ms


@pytest.mark.parametrize(
    ("written", "duration_ms"),
    [
        ("500ms", 500),
        ("0s", 0),
        ("5s", 5_000),
        ("0.5s", 500),
        ("0.1s", 100),
        ("1.5m", 90_000),
        ("1h30m", 5_400_000),
        ("1d 2h 3m 4s 5ms", 93_784_005),
        (" 7D ", 604_800_000),
        ("90m", 5_400_000),
        (1_500, 1_500),
        (0, 0),
    ],
)
def test_durations_are_read(written: str | int, duration_ms: int) -> None:
    """A number with a unit, several from the larger to the smaller, or an int of ms."""
    assert parse_duration_ms(written) == duration_ms


@pytest.mark.parametrize(
    "written",
    ["", " ", "5", "s", "5 x", "-5s", "+5s", "5s5s", "5m1h", "1e3s", "5s,", "٥s", ".5s", "5.s", "one hour"],
)
def test_other_text_is_refused_with_what_is_allowed(written: str) -> None:
    """The message repeats what was written and gives examples."""
    with pytest.raises(ValueError, match=r'write a number and a unit.*"30s"') as refused:
        parse_duration_ms(written)
    assert repr(written) in str(refused.value)


@pytest.mark.parametrize("written", [True, 1.5, None, ["5s"]])
def test_other_types_are_refused(written: object) -> None:
    """A float or a bool is no duration: its unit would be a guess."""
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration_ms(written)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("0.0001s", "whole milliseconds"),
        ("0.5ms", "whole milliseconds"),
        ("5000000d", "from 0 to 4000000d"),
        ("9" * 5_000 + "d", "too long"),
        (-1, "from 0 to"),
        (MAX_DURATION_MS + 1, "from 0 to"),
    ],
)
def test_durations_out_of_bounds_are_refused(written: str | int, reason: str) -> None:
    """Fractions of a ms, negatives and absurd lengths are mistakes, and are said to be."""
    with pytest.raises(ValueError, match=reason):
        parse_duration_ms(written)


@given(st.integers(min_value=0, max_value=MAX_DURATION_MS))
def test_what_is_written_is_read_back(duration_ms: int) -> None:
    """Formatting loses nothing."""
    assert parse_duration_ms(format_duration(duration_ms)) == duration_ms


def test_a_negative_duration_is_not_written() -> None:
    """A negative span is a bug of the caller."""
    with pytest.raises(ValueError, match="negative"):
        format_duration(-1)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text raises anything but ValueError, and no result leaves the bounds."""
    try:
        duration_ms = parse_duration_ms(text)
    except ValueError:
        return
    assert 0 <= duration_ms <= MAX_DURATION_MS
