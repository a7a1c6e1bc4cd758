"""The oracle's quick ways give what slow and plain ones give."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from bench.oracle_lanes import rate_breaches
from bench.oracle_offsets import overrun
from bench.oracle_tenants import leaks
from bench.oracle_values import Call, Commit, Limit, Standing, Told

TASK = "task"
INSTANTS = st.lists(st.integers(0, 5_000), max_size=40)
#: When each record came to stand, each on a topic of its own, and when it was seen committed, if it was.
SPANS = st.lists(st.tuples(st.integers(0, 30), st.one_of(st.none(), st.integers(0, 12))), min_size=1, max_size=8)


@given(INSTANTS, st.integers(1, 9), st.integers(1, 4))
def test_the_fullest_second(instants: list[int], per_s: int, burst: int) -> None:
    """A breach is found where some call begins a second with more calls than are allowed."""
    calls = [Call(str(number), 200, at_ms, lane="a") for number, at_ms in enumerate(instants)]
    most = max((sum(begin <= at < begin + 1_000 for at in instants) for begin in instants), default=0)
    found = list(rate_breaches(calls, [Limit("a", float(per_s), burst)]))
    assert bool(found) is (most > per_s + burst)
    assert all(story.story.startswith(f"{most} calls") for story in found)


@given(SPANS, st.one_of(st.none(), st.integers(0, 40)))
def test_a_task_that_nobody_is_in_charge_of(spans: Sequence[tuple[int, int | None]], ended_ms: int | None) -> None:
    """It is found just where, at some instant between its first record and its end, none of its records is in charge."""
    passed = [(stamp_ms, inf if after is None else stamp_ms + after) for stamp_ms, after in spans]
    until_ms = inf if ended_ms is None else ended_ms
    first_ms = min(stamp_ms for stamp_ms, _ in passed)
    # Nothing changes between two whole ms, nor after the last of them.
    alone = [at_ms for at_ms in range(first_ms, 50) if at_ms < until_ms and not any(a <= at_ms < b for a, b in passed)]
    standing = [Standing(TASK, f"t{number}", 0, 7, stamp_ms) for number, (stamp_ms, _) in enumerate(passed)]
    commits = [
        Commit(int(seen_ms), "g", f"t{number}", 0, 8) for number, (_, seen_ms) in enumerate(passed) if seen_ms < inf
    ]
    told = {} if ended_ms is None else {TASK: [Told(TASK, "e", 1, True, "succeeded", 1, ended_ms)]}
    found = list(overrun(standing, commits, {}, told, 0))
    assert bool(found) is bool(alone)


@given(st.text(min_size=8, max_size=40), st.binary(max_size=5), st.binary(max_size=5))
def test_a_secret_is_found_in_base64(secret: str, before: bytes, after: bytes) -> None:
    """Wherever it begins in what is encoded, and whatever stands around it."""
    secret = secret.encode("utf-8", "replace").decode()
    text = b64encode(before + secret.encode() + after).decode()
    assert [story.who for story in leaks([("here", text)], {"key": secret})] == ["here"]
