"""The queue of promises against a sorted list: earliest first, latest away, and no shells beyond measure."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streamer.core.promise_heap import PromiseHeap


class PromiseHeapAgainstList(RuleBasedStateMachine):
    """Plays pushes and removals from both ends and from within; a name that was removed may come back."""

    def __init__(self) -> None:
        super().__init__()
        self.heap: PromiseHeap[str] = PromiseHeap()
        self.model: list[tuple[int, int, str]] = []
        self.order = 0

    @rule(promise_ms=st.integers(0, 9), name=st.sampled_from("abcdefghijklmnopqrstuvwxyz"))
    def push(self, promise_ms: int, name: str) -> None:
        if all(name != held for _, _, held in self.model):
            self.order += 1
            self.heap.push(promise_ms, self.order, name)
            self.model.append((promise_ms, self.order, name))
            self.model.sort()

    @precondition(lambda self: self.model)
    @rule()
    def pop_earliest(self) -> None:
        assert self.heap.pop_earliest() == self.model.pop(0)[2]

    @precondition(lambda self: self.model)
    @rule()
    def pop_latest(self) -> None:
        assert self.heap.pop_latest() == self.model.pop()[2]

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove_any(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.model))
        self.model.remove(entry)
        self.heap.remove(entry[2])

    @invariant()
    def shells_are_bounded(self) -> None:
        assert len(self.heap) == len(self.model)
        assert len(self.heap._earliest) <= 2 * len(self.model) + 8
        assert self.heap._latest is None or len(self.heap._latest) <= 2 * len(self.model) + 8


TestPromiseHeapAgainstList = PromiseHeapAgainstList.TestCase
TestPromiseHeapAgainstList.settings = settings(stateful_step_count=60)


def test_shells_behind_one_that_stays_are_swept() -> None:
    """A far promise that waits for long does not keep the shells of all who came and went."""
    heap: PromiseHeap[int] = PromiseHeap()
    heap.push(10**9, 0, 0)
    for order in range(1, 1_000):
        heap.push(1, order, order)
        assert (heap.pop_earliest() if order % 2 else heap.pop_latest()) == (order if order % 2 else 0)
        if order % 2 == 0:
            heap.remove(order)
            heap.push(10**9, order, 0)
    assert len(heap) == 1
    assert len(heap._earliest) <= 10
    assert heap._latest is not None
    assert len(heap._latest) <= 10
