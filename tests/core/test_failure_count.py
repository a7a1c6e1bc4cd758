"""When the ends of a lane's calls are reason enough to open its breaker."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.failure_count import FailureCount
from streamer.core.health import FAILURES, Health
from streamer.core.policy import BreakerPolicy

NOW_MS = 1_790_000_000_000
POLICY = BreakerPolicy(failures_in_row=5, connect_failures_in_row=3, share=0.5, least_calls=20, window_ms=60_000)
LETTERS = {"o": Health.OK, "f": Health.FAILED, "c": Health.CONNECT_FAILED, "l": Health.LIMITED, "n": Health.NEUTRAL}


def first_reason(ends: str) -> int | None:
    """Return after how many ends the breaker is to open; each letter is an end."""
    count = FailureCount(POLICY.window_ms)
    for number, letter in enumerate(ends, 1):
        if count.add(LETTERS[letter], POLICY, NOW_MS):
            return number
    return None


@pytest.mark.parametrize(
    ("ends", "number"),
    [
        ("fffff", 5),
        ("ffffofffff", 10),
        ("ffffnffff", None),
        ("fffflffff", None),
        ("ccc", 3),
        ("ccfccf", 5),
        ("ccncc", None),
        ("fffcc", 5),
        ("of" * 9 + "o", None),
        ("of" * 10, 20),
        ("oof" * 20, None),
        ("o" * 30 + "fffff", 35),
        ("o" * 15 + "f" + "o" + "fffff", 22),
        ("ooof" * 5 + "o" + "f" * 20, 31),
        ("ooof" * 5 + "o" + "ccccc", None),
        ("ooof" * 5 + "o" + "cccccc", 27),
        ("ooof" * 4 + "o" + "fffff", 22),
    ],
)
def test_rows_and_share_are_reasons(ends: str, number: int | None) -> None:
    """Five in a row of any kind, three that could not connect, or half of at least twenty; any answer ends a row.

    A lane that failed a quarter of at least twenty calls before has such a row by chance, and only ten are unlikely.
    """
    assert first_reason(ends) == number


@given(st.text("ofcln", max_size=80), st.integers(1, 8), st.integers(1, 8), st.floats(0.1, 1), st.integers(1, 40))
def test_reasons_are_those_of_the_plainest_count(
    ends: str, in_row: int, connect_in_row: int, share: float, least_calls: int
) -> None:
    """At one instant, where the window holds all, the counts are those of the whole text."""
    policy = BreakerPolicy(
        failures_in_row=in_row, connect_failures_in_row=connect_in_row, share=share, least_calls=least_calls
    )
    count = FailureCount(policy.window_ms)
    for number, letter in enumerate(ends, 1):
        past = ends[:number]
        failures = past.count("f") + past.count("c")
        row = len(past) - len(past.rstrip("fc"))
        connect_row = len(past) - len(past.rstrip("c"))
        before, failed = number - row, failures - row
        # How likely a row is: at one in sixteen the policy's, at another share one of another length.
        often = before >= least_calls and failed > before / 16
        unlikely = failed / before if often else 1 / 16
        long = any(
            each and each >= least and unlikely**each <= (1 / 16) ** least * (1 + 1e-9)
            for each, least in ((row, in_row), (connect_row, connect_in_row))
        )
        always = often and failed == before and (row >= in_row or connect_row >= connect_in_row)
        wanted = LETTERS[letter] in FAILURES and (
            long or always or (number >= least_calls and failures >= share * number)
        )
        assert count.add(LETTERS[letter], policy, NOW_MS) is wanted


def test_failures_older_than_the_window_are_no_reason() -> None:
    """Ten failures of an hour ago and ten successes now do not make a half."""
    count = FailureCount(POLICY.window_ms)
    assert not any(count.add(Health(end), POLICY, NOW_MS) for end in ["failed", "ok"] * 9)
    assert not any(count.add(Health(end), POLICY, NOW_MS + 3_600_000) for end in ["ok"] * 10 + ["failed", "ok"] * 4)
