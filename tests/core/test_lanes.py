"""All lanes: a common cap shared in turns, and no memory of lanes that are done."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streamer.core.lanes import Lanes


def test_lanes_do_not_stand_in_each_others_way() -> None:
    """A lane at its limit lets its own items wait, and starts nothing less elsewhere."""
    lanes: Lanes[str] = Lanes(limit_per_lane=1, limit_total=10)
    assert lanes.offer("slow", "s1")
    assert not lanes.offer("slow", "s2")
    assert lanes.offer("fast", "f1")
    assert lanes.release("fast") == []
    assert lanes.release("slow") == ["s2"]


def test_the_common_cap_holds_over_all_lanes() -> None:
    """With the cap reached, a lane that has run nothing waits too, and starts when any other ends."""
    lanes: Lanes[str] = Lanes(limit_per_lane=5, limit_total=2)
    assert [lanes.offer(key, key) for key in ("a", "b", "c")] == [True, True, False]
    assert (lanes.running, lanes.waiting) == (2, 1)
    assert lanes.release("a") == ["c"]


def test_lanes_take_turns_at_the_common_cap() -> None:
    """A lane with a long queue starts no more than one with a short queue, until the short one is empty."""
    lanes: Lanes[str] = Lanes(limit_per_lane=5, limit_total=1)
    lanes.offer("a", "a0")
    for item in ("a1", "a2", "a3", "a4"):
        lanes.offer("a", item)
    for item in ("b1", "b2"):
        lanes.offer("b", item)
    started, running = [], "a"
    while items := lanes.release(running):
        started += items
        running = items[0][0]
    assert started == ["a1", "b1", "a2", "b2", "a3", "a4"]
    assert lanes.idle


def test_a_lane_at_its_own_limit_takes_no_turn() -> None:
    """At the common cap, a place goes to a lane that may use it."""
    lanes: Lanes[str] = Lanes(limit_per_lane=1, limit_total=2)
    assert [lanes.offer(key, item) for key, item in [("a", "a0"), ("b", "b0")]] == [True, True]
    for key, item in [("a", "a1"), ("c", "c0")]:
        assert not lanes.offer(key, item)
    assert lanes.release("b") == ["c0"]
    assert lanes.release("c") == []
    assert lanes.release("a") == ["a1"]


def test_idle_lanes_are_forgotten() -> None:
    """A million domains, one after the other, leave no lanes behind."""
    lanes: Lanes[int] = Lanes(limit_per_lane=1, limit_total=10)
    for n in range(1_000):
        lanes.offer(f"host-{n}", n)
        lanes.release(f"host-{n}")
    assert len(lanes) == 0
    assert lanes.idle


def test_dropped_items_are_forgotten_and_give_up_their_turn() -> None:
    """Items of a partition that went elsewhere do not start, nor keep their lanes; what runs still ends."""
    lanes: Lanes[tuple[int, str]] = Lanes(limit_per_lane=2, limit_total=1)
    assert lanes.offer("a", (0, "a0"))
    for key, item in [("a", (0, "a1")), ("b", (0, "b0")), ("c", (1, "c0")), ("d", (0, "d0"))]:
        assert not lanes.offer(key, item)
    assert lanes.drop(lambda item: item[0] == 0) == 3
    assert (lanes.running, lanes.waiting, len(lanes)) == (1, 1, 2)
    assert lanes.release("a") == [(1, "c0")]
    assert lanes.release("c") == []
    assert lanes.idle


@pytest.mark.parametrize(("per_lane", "total"), [(0, 1), (1, 0), (-1, -1)])
def test_limits_without_room_are_refused(per_lane: int, total: int) -> None:
    """A limit below 1 would let everything wait for ever."""
    with pytest.raises(ValueError, match="allowed is 1 or more"):
        Lanes(per_lane, total)


def test_an_end_in_a_lane_that_runs_nothing_is_a_fault() -> None:
    """An item that ends twice would let more run than the cap allows, so nothing is counted down."""
    lanes: Lanes[str] = Lanes(limit_per_lane=1, limit_total=1)
    with pytest.raises(ValueError, match="nothing runs in lane 'a'"):
        lanes.release("a")
    lanes.offer("b", "b0")
    lanes.offer("a", "a0")
    with pytest.raises(ValueError, match="nothing runs"):
        lanes.release("a")
    assert lanes.running == 1


def test_lanes_tell_their_state() -> None:
    """The repr shows how many lanes there are, who runs and who waits."""
    lanes: Lanes[str] = Lanes(limit_per_lane=1, limit_total=7)
    lanes.offer("a", "a0")
    lanes.offer("a", "a1")
    assert repr(lanes) == "<Lanes 1 running=1/7 waiting=1>"


class LanesAgainstModel(RuleBasedStateMachine):
    """Plays arrivals, ends and drops on few lanes under a tight cap; the model is a list for each lane."""

    PER_LANE, TOTAL, KEYS = 2, 3, ("a", "b", "c", "d")

    def __init__(self) -> None:
        super().__init__()
        self.lanes: Lanes[tuple[str, int]] = Lanes(self.PER_LANE, self.TOTAL)
        self.running: dict[str, int] = dict.fromkeys(self.KEYS, 0)
        self.waiting: dict[str, list[tuple[str, int]]] = {key: [] for key in self.KEYS}
        #: For each lane that could start but for the cap: starts of others since it could.
        self.passed: dict[str, int] = {}
        self.count = 0

    def may_start(self) -> list[str]:
        return [key for key in self.KEYS if self.waiting[key] and self.running[key] < self.PER_LANE]

    def note_start(self, key: str) -> None:
        self.running[key] += 1
        self.passed.pop(key, None)
        self.passed = {other: passed + 1 for other, passed in self.passed.items()}

    @rule(key=st.sampled_from(KEYS))
    def offer(self, key: str) -> None:
        self.count += 1
        item = (key, self.count)
        room = self.running[key] < self.PER_LANE and sum(self.running.values()) < self.TOTAL
        assert self.lanes.offer(key, item) is room
        if room:
            self.note_start(key)
        else:
            self.waiting[key].append(item)

    @precondition(lambda self: any(self.running.values()))
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from([key for key, count in self.running.items() if count]))
        self.running[key] -= 1
        for item in self.lanes.release(key):
            assert self.waiting[item[0]].pop(0) == item, "not the first of its lane"
            self.note_start(item[0])

    @rule(odd=st.integers(0, 1))
    def drop(self, odd: int) -> None:
        kept = {key: [item for item in items if item[1] % 2 != odd] for key, items in self.waiting.items()}
        dropped = sum(map(len, self.waiting.values())) - sum(map(len, kept.values()))
        assert self.lanes.drop(lambda item: item[1] % 2 == odd) == dropped
        self.waiting = kept

    @invariant()
    def limits_hold_and_no_place_is_wasted(self) -> None:
        assert all(count <= self.PER_LANE for count in self.running.values())
        assert self.lanes.running == sum(self.running.values()) <= self.TOTAL
        assert self.lanes.running == self.TOTAL or not self.may_start()
        assert self.lanes.waiting == sum(map(len, self.waiting.values()))
        assert len(self.lanes) == sum(bool(self.running[key] or self.waiting[key]) for key in self.KEYS)

    @invariant()
    def no_lane_is_passed_over(self) -> None:
        self.passed = {key: self.passed.get(key, 0) for key in self.may_start()}
        assert all(passed < len(self.KEYS) for passed in self.passed.values())

    def teardown(self) -> None:
        """Everything that waits starts in the end."""
        while busy := [key for key, count in self.running.items() if count]:
            self.running[busy[0]] -= 1
            for item in self.lanes.release(busy[0]):
                assert self.waiting[item[0]].pop(0) == item
                self.running[item[0]] += 1
        assert self.lanes.idle
        assert not any(self.waiting.values())


TestLanesAgainstModel = LanesAgainstModel.TestCase
TestLanesAgainstModel.settings = settings(stateful_step_count=50, deadline=None)
