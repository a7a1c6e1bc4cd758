"""Headers that a task may name, and those that belong to the sender."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.wire.header_rules import FORBIDDEN, FORBIDDEN_PREFIXES, check_headers
from streamer.wire.unreadable import UnreadableRecord


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer abc"),
        ("X-Custom!#$%&'*+.^_`|~9", "a\tb"),
        ("Hostname", "x"),
        ("x-host", ""),
        ("Tea", "x"),
        ("Idempotency-Key", "~" * 4_096),
        ("X-Webhook-Id", "x"),
        ("A" * 256, "x"),
    ],
)
def test_allowed(name: str, value: str) -> None:
    """Tokens with visible ASCII values pass."""
    check_headers([(name, value)])


@pytest.mark.parametrize("name", ["", " ", "X A", "X-A:", "X\r\nY", "X\x00", "Ä", "X-é", "(x)", "a\n", "A" * 257])
def test_bad_name(name: str) -> None:
    """A name that is no RFC 9110 token is refused."""
    with pytest.raises(UnreadableRecord, match="tokens"):
        check_headers([(name, "x")])


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\n", "a\r", "a\x00b", "\x7f", "\x1b[2J", "ü", "日本"])
def test_bad_value(value: str) -> None:
    """A value that would end its line, or that the client would refuse, is refused."""
    with pytest.raises(UnreadableRecord, match="visible ASCII"):
        check_headers([("X-A", value)])


def test_long_value() -> None:
    """A value of more than 4 KiB is refused, and not shown."""
    with pytest.raises(UnreadableRecord, match="longer than 4096") as caught:
        check_headers([("X-A", "s" * 4_097)])
    assert "sss" not in caught.value.reason


@pytest.mark.parametrize("name", [*FORBIDDEN, *(prefix + "x" for prefix in FORBIDDEN_PREFIXES)])
@pytest.mark.parametrize("spell", [str.lower, str.upper, str.title])
def test_forbidden(name: str, spell: object) -> None:
    """What belongs to the sender is refused in every spelling, with the reason."""
    assert callable(spell)
    with pytest.raises(UnreadableRecord, match=r"may not set .+: .+"):
        check_headers([("X-Ok", "1"), (spell(name), "x")])


@given(st.text(max_size=10), st.text(max_size=10))
def test_nothing_that_passes_can_break_a_line(name: str, value: str) -> None:
    """Whatever passes holds no control character but the tab, and fits a header line."""
    try:
        check_headers([(name, value)])
    except UnreadableRecord as error:
        refusal = error.reason
    else:
        refusal = ""
    line = f"{name}: {value}".replace("\t", " ")
    assert refusal or (line.isascii() and line.isprintable() and name)
