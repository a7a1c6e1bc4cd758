"""What a receiver may say in its answer's header, and that anything else says nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.receiver_word import Action, Word, word_of


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("stop", Word(Action.STOP)),
        (" Stop\t", Word(Action.STOP)),
        ("RETRY", Word(Action.RETRY)),
        ("retry-after=0", Word(Action.RETRY, 0)),
        ("retry-after=30", Word(Action.RETRY, 30_000)),
        ("Retry-After = 007", Word(Action.RETRY, 7_000)),
        ("retry-after=" + "9" * 5_000, Word(Action.RETRY, 999_999_999_999_000)),
        ("", None),
        ("halt", None),
        ("stop, retry", None),
        ("retry-after", None),
        ("retry-after=-1", None),
        ("retry-after=1.5", None),
        ("retry-after=1s", None),
        ("retry-after=٣", None),
    ],
)
def test_words(value: str, word: Word | None) -> None:
    """Three words are known, in any case; whatever else stands there is as if nothing did."""
    assert word_of([("Content-Type", "text/plain"), ("sTREAMER-action", value)]) == word


def test_the_first_counts() -> None:
    """Of two headers the first is read, also when it says nothing that is known."""
    assert word_of([("streamer-action", "stop"), ("streamer-action", "retry")]) == Word(Action.STOP)
    assert word_of([("streamer-action", "?"), ("streamer-action", "retry")]) is None


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=40)), max_size=5), st.text(max_size=60))
def test_no_header_breaks_it(others: list[tuple[str, str]], value: str) -> None:
    """Any headers give a word or none."""
    found = word_of([*others, ("Streamer-Action", value)])
    assert found is None or found.action in Action
