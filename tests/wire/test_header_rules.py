"""Headers that a task may name, and those that belong to the sender."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.wire.forbidden_headers import FORBIDDEN, FORBIDDEN_PREFIXES
from streamer.wire.header_rules import MAX_TOTAL_BYTES, SINGLE, check_headers, is_header_value, with_missing
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
        ("X-Streamers", "x"),
        ("Forwarded-By", "x"),
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


@pytest.mark.parametrize(
    "name",
    [
        "x-amz-date", "X-Amz-Target", "X-Amz-Security-Token", "x-amz-content-sha256", "X-Amzn-Trace-Id",
        "x-goog-api-key", "X-Goog-User-Project", "x-goog-request-params", "X-Google-Apps-Script",
        "x-ms-version", "x-ms-date", "x-ms-blob-type", "Ocp-Apim-Subscription-Key", "x-functions-key", "api-key",
        "CF-Access-Client-Id", "CF-Access-Client-Secret", "X-Auth-Key", "Fastly-Key", "Fly-Force-Instance-Id",
        "x-vercel-protection-bypass", "X-GitHub-Api-Version", "X-Shopify-Access-Token", "Stripe-Account",
        "X-HTTP-Method-Override", "baggage", "b3", "x-b3-traceid", "Cookie", "Accept-Encoding", "api_key",
    ],
)  # fmt: skip
def test_what_apis_ask_callers_for_is_allowed(name: str) -> None:
    """A vendor's prefix is not refused as a whole: its API may need it."""
    check_headers([(name, "x")])


@pytest.mark.parametrize(
    "value", ["a\r\nX: y", "a\n", "a\r", "a\x00b", "\x7f", "\x1b[2J", "ü", "日本", " a", "a ", "\ta", "a\t", " "]
)
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


@pytest.mark.parametrize("name", ["Content_Length", "X_Forwarded_For", "x_streamer-task", "WEBHOOK_ID"])
def test_an_underscore_does_not_hide_a_name(name: str) -> None:
    """Receivers that hand headers on as variables would take it for the name with hyphens."""
    with pytest.raises(UnreadableRecord, match="may not set"):
        check_headers([(name, "1")])


@pytest.mark.parametrize("name", sorted(SINGLE))
def test_what_a_receiver_reads_once_may_be_given_once(name: str) -> None:
    """Of two content types each receiver would believe another one."""
    check_headers([(name, "1"), ("X-A", "1"), ("X-A", "2")])
    with pytest.raises(UnreadableRecord, match="more than once"):
        check_headers([(name, "1"), (name.title(), "2")])


def test_all_headers_together_are_bounded() -> None:
    """Names, values and four bytes a line may come to 32 KiB, and to no byte more."""
    seven = [(f"X-{number}", "v" * 4_089) for number in range(7)]
    left = MAX_TOTAL_BYTES - 7 * 4_096
    check_headers([*seven, ("X-7", "v" * (left - 7))])
    with pytest.raises(UnreadableRecord, match="32769 bytes; at most 32768"):
        check_headers([*seven, ("X-7", "v" * (left - 6))])


def test_no_name_is_refused_twice_for_two_reasons() -> None:
    """Each name and each beginning has one row, so that its reason is the one that is told."""
    assert [name for name in FORBIDDEN if name.startswith(tuple(FORBIDDEN_PREFIXES))] == []
    assert not [
        one for one in FORBIDDEN_PREFIXES for other in FORBIDDEN_PREFIXES if one != other and one.startswith(other)
    ]


def test_missing_headers_are_added_behind() -> None:
    """A name that is there in any spelling is not added; order and spelling stay."""
    assert with_missing((("X-A", "1"), ("x-b", "2")), [("x-a", "3"), ("X-C", "4")]) == (
        ("X-A", "1"),
        ("x-b", "2"),
        ("X-C", "4"),
    )


@pytest.mark.parametrize(
    ("text", "good"), [("order 17", True), ("", True), ("a\n", False), ("ü", False), (" a", False)]
)
def test_a_value_of_ours_is_measured_alike(text: str, good: bool) -> None:
    """What a caller may not send we do not send either."""
    assert is_header_value(text) is good


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


@given(st.text(st.characters(max_codepoint=0x80), max_size=8))
def test_the_short_way_says_what_the_expression_says(text: str) -> None:
    """Visible ASCII characters, with blanks only between them, and nothing else."""
    visible = {chr(code) for code in range(0x21, 0x7F)}
    good = set(text) <= {*visible, " ", "\t"} and text == text.strip(" \t")
    assert is_header_value(text) is good
