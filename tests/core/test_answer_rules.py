"""Which rule fits which answer, by status, field or text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.answer_rules import check_pointer, describe, fitting
from streamer.core.codes import parse_codes
from streamer.core.outcome import Response
from streamer.core.send_policy import AnswerRule, Meaning

#: The document of RFC 6901 §5, and what each pointer there leads to.
RFC_6901 = {
    "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, 'k"l': 6, " ": 7, "m~n": 8
}  # fmt: skip
POINTERS = {
    "/foo/0": "bar", "/": 0, "/a~1b": 1, "/c%d": 2, "/e^f": 3, "/g|h": 4, "/i\\j": 5, '/k"l': 6, "/ ": 7, "/m~0n": 8
}  # fmt: skip
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


def field(pointer: str, *values: Any, negate: bool = False, then: Meaning = Meaning.RETRY) -> AnswerRule:
    """Return a rule on a field of the body."""
    return AnswerRule(then, pointer=pointer, values=values, negate=negate)


def text(words: str, *, negate: bool = False) -> AnswerRule:
    """Return a rule on the body's text."""
    return AnswerRule(Meaning.RETRY, text=words, negate=negate)


def fits(rule: AnswerRule, body: bytes, status: int = 200, *, truncated: bool = False) -> bool:
    """Tell whether one rule fits an answer."""
    return fitting([rule], Response(status, body=body, truncated=truncated)) == 1


@pytest.mark.parametrize(("pointer", "value"), POINTERS.items())
def test_pointers_of_the_rfc(pointer: str, value: str | int) -> None:
    """Each example leads where the RFC says."""
    assert fits(field(pointer, value), json.dumps(RFC_6901).encode())
    assert not fits(field(pointer, "other"), json.dumps(RFC_6901).encode())


@pytest.mark.parametrize(
    "pointer",
    ["/foo/2", "/foo/00", "/foo/-", "/foo/x", "/foo/+1", "/foo/٠", "/none", "/a~1b/c", "/foo/9999999999"],
)
def test_what_is_not_there(pointer: str) -> None:
    """An index beyond the end or with a leading zero, and a field that is missing, are not there."""
    body = json.dumps(RFC_6901).encode()
    assert not fits(field(pointer), body)
    assert not fits(field(pointer, None), body)
    assert fits(field(pointer, "ok", negate=True), body)


def test_the_empty_pointer_is_the_whole() -> None:
    """A body may be a single value."""
    assert fits(field("", "OK"), b'"OK"')
    assert fits(field(""), b"{}")
    assert not fits(field("", "OK"), b'["OK"]')


def test_a_tilde_is_unescaped_once() -> None:
    """``~01`` is ``~1``, and no slash."""
    assert fits(field("/~01", 1), b'{"~1": 1, "/": 2}')


@pytest.mark.parametrize(
    ("value", "body", "same"),
    [
        (1, b"1", True), (1, b"1.0", True), (1, b"true", False), (0, b"false", False), (True, b"true", True),
        (True, b"1", False), ("1", b"1", False), (None, b"null", True), (None, b"0", False), (None, b"[]", False),
        ("a", b'["a"]', False), (1e3, b"1000", True),
    ],
)  # fmt: skip
def test_values_are_compared_by_kind(value: str | int | float | bool | None, body: bytes, same: bool) -> None:
    """Numbers by their value; true is no 1, and nothing is like a list."""
    assert fits(field("/x", value), b'{"x": ' + body + b"}") is same


@pytest.mark.parametrize(
    "body",
    [b"", b"no json", b"{", b"NaN", b'{"x": Infinity}', b"\xff\xfe\xff", b"[" * 60_000, b"1" * 60_000, b'{"x":1}x'],
)
def test_a_body_of_another_kind_fits_no_rule_on_a_field(body: bytes) -> None:
    """Not even the rule that a field is not this; and no body breaks its reader."""
    assert not fits(field("/x"), body)
    assert not fits(field("/x", 1, negate=True), body)


def test_a_cut_body() -> None:
    """Of a cut body the field is not known, nor what it lacks; what stands in its head does."""
    body = b'{"x": 1}'
    assert not fits(field("/x", 1), body, truncated=True)
    assert fits(text("x"), body, truncated=True)
    assert not fits(text("y", negate=True), body, truncated=True)


def test_a_text() -> None:
    """Is looked for as it is, in UTF-8; an empty body lacks everything."""
    assert fits(text("fehlerhaft ü"), "ist fehlerhaft ü".encode())
    assert not fits(text("Fehler"), b"fehler")
    assert fits(text("OK", negate=True), b"")
    assert not fits(text("OK", negate=True), b"\xff\x00OK")


def test_a_body_that_is_still_packed_fits_none() -> None:
    """Nobody knows what is inside; one that was unpacked is read like any other."""
    rules = [text("OK", negate=True), text("k")]
    assert fitting(rules, Response(200, body=b"k", unpacked=False)) is None
    assert fitting(rules, Response(200, body=b"k", unpacked=True)) == 1


def test_a_rule_holds_for_its_codes_and_else_for_2xx() -> None:
    """A rule for 4xx says nothing of a 200, and one without codes nothing of a 404."""
    rule = AnswerRule(Meaning.SUCCESS, parse_codes(["4xx"]), text="already")
    assert fits(rule, b"already there", 409)
    assert not fits(rule, b"already there", 200)
    assert fits(text("x"), b"x", 299)
    assert not fits(text("x"), b"x", 300)


def test_the_first_that_fits_counts() -> None:
    """In the order in which they are written."""
    rules = [field("/a"), field("/b"), text("b")]
    assert fitting(rules, Response(200, body=b'{"b": 1}')) == 2
    assert fitting(rules, Response(200, body=b"b")) == 3
    assert fitting(rules, Response(200, body=b"c")) is None


@given(st.binary(max_size=200), st.text(max_size=20), st.integers(100, 599), st.booleans())
def test_no_answer_breaks_the_rules(body: bytes, words: str, status: int, truncated: bool) -> None:
    """Any body under any pointer or text gives a number or none."""
    rules = [field("/" + words, words), field("/" + words, negate=True), text(words or "x", negate=True)]
    assert fitting(rules, Response(status, body=body, truncated=truncated)) in (None, 1, 2, 3)


@given(documents)
def test_every_field_is_found_by_its_pointer(document: Any) -> None:
    """Whatever names and nesting: the pointer of each leaf leads to it."""
    body = json.dumps(document).encode()
    for pointer, leaf in _leaves(document, ""):
        assert fits(field(pointer, leaf), body)


def _leaves(document: Any, pointer: str) -> list[tuple[str, Any]]:
    if isinstance(document, dict):
        named = [(name.replace("~", "~0").replace("/", "~1"), inner) for name, inner in document.items()]
    elif isinstance(document, list):
        named = [(str(index), inner) for index, inner in enumerate(document)]
    else:
        return [(pointer, document)]
    return [leaf for name, inner in named for leaf in _leaves(inner, f"{pointer}/{name}")]


@pytest.mark.parametrize("pointer", ["", "/", "/a~0b/~1", "/ü"])
def test_good_pointers(pointer: str) -> None:
    """A pointer is empty or begins with a slash, and its tildes are escapes."""
    check_pointer(pointer)


@pytest.mark.parametrize("pointer", ["a", "/a~", "/a~2b", "#/a"])
def test_bad_pointers(pointer: str) -> None:
    """What is no pointer is refused with what to write."""
    with pytest.raises(ValueError, match="is no JSON pointer: "):
        check_pointer(pointer)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (field("/error/code", 4290, "x"), 'retry when /error/code of the JSON is 4290 or "x"'),
        (field("/ok", True, negate=True), "retry when /ok of the JSON is not true"),
        (field("", then=Meaning.SUCCESS), "success when the JSON is there"),
        (text("ü"), 'retry when the body contains "ü"'),
        (AnswerRule(Meaning.STOP, parse_codes([200, "4xx"]), text="gone", negate=True),
         'stop when the body lacks "gone" (answers 200, 4xx)'),
    ],
)  # fmt: skip
def test_rules_read_as_sentences(rule: AnswerRule, words: str) -> None:
    """Whoever asks what holds for a domain reads it in words."""
    assert describe(rule) == words
