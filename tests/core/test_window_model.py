"""The window against the plainest model: commits stop at the lowest unfinished record, and only there."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streamer.core.window import HoleError, Window


class WindowAgainstModel(RuleBasedStateMachine):
    """Plays takes, repeats, holes, skips and finishes on a window and on the plainest model of one."""

    def __init__(self) -> None:
        super().__init__()
        self.window = Window(100, max_unfinished=6, max_bytes=40, max_span=12)
        self.end = 100
        self.sizes: dict[int, int] = {}
        self.finished: set[int] = set()
        self.committed = 100

    def unfinished(self) -> list[int]:
        return sorted(set(self.sizes) - self.finished)

    @rule(size=st.integers(0, 12))
    def take_next(self, size: int) -> None:
        assert self.window.take(self.end, size)
        self.sizes[self.end] = size
        self.end += 1

    @rule(back=st.integers(0, 8), sizes=st.lists(st.integers(0, 12), max_size=10))
    def take_batch(self, back: int, sizes: list[int]) -> None:
        known = self.window.take_many(self.end - back, sizes)
        assert known == min(back, len(sizes))
        for size in sizes[known:]:
            self.sizes[self.end] = size
            self.end += 1

    @rule(back=st.integers(1, 20))
    def take_again(self, back: int) -> None:
        assert not self.window.take(self.end - back, 1)

    @rule(missing=st.integers(1, 1_000))
    def meet_a_hole(self, missing: int) -> None:
        with pytest.raises(HoleError):
            self.window.take(self.end + missing, 1)
        with pytest.raises(HoleError):
            self.window.take_many(self.end + missing, [1])

    @rule(missing=st.integers(0, 5))
    def skip(self, missing: int) -> None:
        assert self.window.skip_to(self.end + missing, "retention") == missing
        self.end += missing

    @precondition(lambda self: self.sizes)
    @rule(data=st.data())
    def finish_any(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(sorted(self.sizes)))
        self.window.finish(offset)
        self.finished.add(offset)

    @precondition(lambda self: self.unfinished())
    @rule()
    def finish_the_head(self) -> None:
        offset = self.unfinished()[0]
        self.window.finish(offset)
        self.finished.add(offset)

    @rule()
    def commit(self) -> None:
        lowest = min(self.unfinished(), default=self.end)
        assert self.window.committable == lowest
        assert lowest >= self.committed
        self.committed = lowest

    @invariant()
    def fullness_agrees(self) -> None:
        lowest = min(self.unfinished(), default=self.end)
        held = sum(self.sizes[offset] for offset in self.unfinished())
        assert (self.window.unfinished, self.window.unfinished_bytes) == (len(self.unfinished()), held)
        assert self.window.full == (len(self.unfinished()) >= 6 or held >= 40 or self.end - lowest >= 12)
        assert self.window.drained == (not self.unfinished())
        assert self.window.next_offset == self.end

    def teardown(self) -> None:
        """All finished: the commit reaches the end."""
        for offset in self.unfinished():
            self.window.finish(offset)
        assert self.window.committable == self.end


TestWindowAgainstModel = WindowAgainstModel.TestCase
TestWindowAgainstModel.settings = settings(stateful_step_count=50, deadline=None)
