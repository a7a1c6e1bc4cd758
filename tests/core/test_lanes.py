"""All lanes together: whose turn it is, what holds over all of them, and who must wait elsewhere."""

from __future__ import annotations

from itertools import pairwise
from math import inf

import pytest

from streamer.core.delivery import Why
from streamer.core.health import Health
from streamer.core.policy import FOREVER_MS, Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.put_off import Tuning
from streamer.core.rate import parse_rate
from tests.core.lanes_hand import Hand
from tests.core.samples import NOW_MS

ONE_AT_ONCE = PolicyBook(settings=Policy(concurrency=1))


def rated(rate: str, burst: int = 1) -> PolicyBook:
    """Return policies with a rate for domain a."""
    return PolicyBook(domains={"a": Policy(rate=parse_rate(rate), burst=burst)})


def test_lanes_do_not_stand_in_each_others_way() -> None:
    """A lane at its cap lets its own items wait, and starts nothing less elsewhere."""
    hand = Hand(ONE_AT_ONCE)
    assert hand.offer("slow", 1, 2) == [1]
    assert hand.offer("fast", 3) == [3]
    assert hand.end(3) == []
    assert hand.end(1) == [2]


def test_the_common_cap_is_shared_in_turns() -> None:
    """A lane with a long queue starts no more than one with a short queue, until the short one is empty."""
    hand = Hand(total=1)
    assert hand.offer("a", 10, 11, 12, 13) == [10]
    assert hand.offer("b", 20, 21) == []
    begun = [10]
    while begun[-1] in hand.running:
        begun += hand.end(begun[-1])
    assert begun == [10, 11, 20, 12, 21, 13]


def test_a_lane_at_its_own_cap_takes_no_turn() -> None:
    """A place under the common cap goes to a lane that may use it."""
    hand = Hand(ONE_AT_ONCE, total=2)
    assert [hand.offer("a", 1, 2), hand.offer("b", 3), hand.offer("c", 4)] == [[1], [3], []]
    assert [hand.end(3), hand.end(4), hand.end(1)] == [[4], [], [2]]


def test_a_lane_waits_for_its_slot_and_says_when() -> None:
    """Time alone brings the next slot; looking sooner starts nothing."""
    hand = Hand(rated("10/s"))
    assert hand.offer("a", 1, 2, 3) == [1]
    assert (hand.look(), hand.lanes.next_ms()) == ([], NOW_MS + 100)
    assert (hand.later(), hand.lanes.next_ms()) == ([2], NOW_MS + 200)
    assert (hand.later(), hand.lanes.next_ms()) == ([3], inf)


def test_the_rate_of_the_process_holds_over_all_lanes() -> None:
    """Whatever the lanes may do, no more calls begin than the process may, and the next one's time is announced."""
    hand = Hand(rate="2/s")
    begun: list[float] = []
    for item in range(20):
        begun += [hand.now_ms] * len(hand.offer(f"d{item}", item))
    while len(begun) < 20:
        before_ms, count = hand.now_ms, len(hand.later())
        assert hand.now_ms > before_ms
        begun += [hand.now_ms] * count
    assert begun[:2] == [NOW_MS, NOW_MS]
    assert all(later - sooner == 500 for sooner, later in pairwise(begun[1:]))


def test_what_need_not_wait_begins_at_once() -> None:
    """Nobody waits, nothing is reached: the queue is passed by; else the item must be offered."""
    hand = Hand(PolicyBook(settings=Policy(concurrency=2), businesses={"small": Policy(concurrency=1)}), total=4)
    grant = hand.lanes.begin_at_once(hand.lane(), 1, "acme", NOW_MS)
    assert grant is not None
    assert (grant.lane.running, hand.lanes.running, hand.lane() in hand.lanes.active) == (1, 1, True)
    assert hand.lanes.begin_at_once(hand.lane(), 2, "small", NOW_MS)
    assert hand.lanes.begin_at_once(hand.lane(), 3, "acme", NOW_MS) is None, "the lane's cap"
    assert hand.lanes.begin_at_once(hand.lane("b"), 4, "small", NOW_MS) is None, "the business's cap"
    assert hand.lanes.begin_at_once(hand.lane("b"), 4, "acme", NOW_MS)
    assert hand.offer("a", 5) == []
    hand.lanes.end(grant, Health.OK, NOW_MS)
    assert hand.lanes.begin_at_once(hand.lane(), 6, "acme", NOW_MS) is None, "another waits"
    assert hand.look() == [5]
    assert hand.lanes.begin_at_once(hand.lane("b"), 7, "acme", NOW_MS)
    assert hand.lanes.begin_at_once(hand.lane("c"), 8, "acme", NOW_MS) is None, "the common cap"
    limited = Hand(rate="2/s")
    assert limited.lanes.begin_at_once(limited.lane(), 1, "acme", NOW_MS) is None, (
        "the process's rate is counted in turns"
    )


def test_a_changed_policy_holds_for_one_that_need_not_wait() -> None:
    """A domain that was paused while nothing of it was there sends nothing, not even the next one."""
    hand = Hand()
    hand.offer("a", 1)
    hand.end(1)
    hand.policies = PolicyBook(domains={"a": Policy(paused_until_ms=FOREVER_MS)})
    assert hand.lanes.begin_at_once(hand.lane(), 2, "acme", NOW_MS) is None


def test_a_changed_policy_holds_for_those_who_wait() -> None:
    """A rate that is raised, and a cap that is lifted, start at the next look what they allow."""
    hand = Hand(rated("1/h"))
    assert hand.offer("a", 1, 2) == [1]
    assert hand.put_off == [2]
    hand = Hand(rated("1/s"))
    hand.offer("a", 1, 2)
    hand.policies = rated("1000/s", 10)
    assert hand.look() == []
    assert hand.lanes.next_ms() <= NOW_MS + 1
    hand.policies = PolicyBook()
    assert hand.look() == [2]


def test_a_paused_lane_sends_those_who_wait_away_and_takes_them_after_its_end() -> None:
    """Nothing is kept in hand for a pause without an end; the next one begins once it is lifted."""
    hand = Hand(ONE_AT_ONCE)
    hand.offer("a", 1, 2, 3)
    hand.policies = PolicyBook(settings=Policy(concurrency=1, paused_until_ms=FOREVER_MS))
    assert (hand.end(1), sorted(hand.put_off)) == ([], [2, 3])
    assert hand.lanes.put_off(hand.lane(), 0, NOW_MS).why is Why.PAUSED
    hand.policies = ONE_AT_ONCE
    assert hand.offer("a", 2) == [2]


def test_a_businesss_cap_holds_across_domains() -> None:
    """At its cap a business waits in every lane, while others of the same lanes go on; each end lets one in."""
    hand = Hand(PolicyBook(businesses={"small": Policy(concurrency=2)}))
    assert [hand.offer(domain, item, business="small") for item, domain in enumerate("abcd")] == [[0], [1], [], []]
    assert hand.offer("c", 10, business="acme") == [10]
    assert hand.end(10) == []
    assert hand.end(0) == [2]
    assert hand.end(1) == [3]


def test_a_policys_cap_does_not_hold_up_the_rest_of_the_business() -> None:
    """Tasks under a named policy with a cap take turns of their own beside the business's other tasks."""
    hand = Hand(PolicyBook(policies={"slow": Policy(concurrency=1), "free": Policy(priority=1)}))
    slow = hand.lanes.caps.taker("acme", "slow")
    assert [hand.lanes.caps.taker("acme", policy) for policy in (None, "free", "unknown")] == ["acme"] * 3
    assert slow != "acme"
    assert hand.offer("a", 1, 2, business=slow) == [1]
    assert hand.offer("b", 3, business=slow) == []
    assert hand.offer("a", 4) == [4]
    assert hand.end(1) == [2]


def test_businesses_take_turns_by_weight() -> None:
    """Of a lane that two want wholly, one with three times the weight gets three times the starts."""
    hand = Hand(PolicyBook(businesses={"big": Policy(weight=3)}, settings=Policy(concurrency=1)))
    hand.offer("a", *range(100, 200), business="small")
    hand.offer("a", *range(200, 300), business="big")
    begun = [100]
    for _ in range(80):
        begun += hand.end(begun[-1])
    assert sum(item >= 200 for item in begun) == pytest.approx(60, abs=2)


def test_the_urgent_go_first_and_the_worst_is_sent_away() -> None:
    """Priority 1 is first; of those that do not fit it is the newest of the last priority that waits elsewhere."""
    hand = Hand(rated("1/s"))
    hand.offer("a", 1, *range(50, 60), priority=5)
    assert hand.put_off == [55, 56, 57, 58, 59]
    assert hand.offer("a", 90, priority=1) == []
    assert hand.put_off[5:] == [54]
    assert [hand.later(), hand.later()] == [[90], [50]]


def test_a_queue_too_long_for_a_target_that_became_slow_is_sent_away() -> None:
    """What fitted while calls were quick goes elsewhere once they are slow, though nothing new has come."""
    hand = Hand(ONE_AT_ONCE, tuning=Tuning(slack=1))
    hand.offer("a", *range(200))
    for quick in range(10):
        hand.now_ms += 10
        hand.end(quick)
    assert not hand.put_off
    hand.now_ms += 5_000
    hand.end(10)
    assert 0 < len(hand.lane().queue) <= 5
    assert len(hand.put_off) + len(hand.lane().queue) == 200 - 12


def test_those_sent_away_together_get_their_slots_in_the_order_of_their_turns() -> None:
    """The worst is sent away first; told in that order, a backlog that came as one batch would drain backwards."""
    hand = Hand(rated("1/s"))
    hand.offer("a", *range(20))
    slots = [hand.lanes.put_off(hand.lane(), 0, NOW_MS).promise_ms or 0 for _ in hand.put_off]
    assert hand.put_off == list(range(6, 20))
    assert slots == sorted(slots)


def test_one_with_a_promise_goes_before_fresh_ones_and_is_sent_away_last() -> None:
    """A released record brings its promise, so that a backlog drains in order."""
    hand = Hand(rated("1/s"))
    hand.offer("a", 1)
    hand.offer("a", *range(10, 15))
    hand.offer("a", 21, promise_ms=NOW_MS + 4_000)
    hand.offer("a", 20, promise_ms=NOW_MS + 3_000)
    assert hand.put_off == [14, 13]
    assert [hand.later() for _ in range(5)] == [[20], [21], [10], [11], [12]]


def test_one_whose_time_is_over_takes_no_slot() -> None:
    """An expired item is handed out as such, and the slot goes to the next one that is worth sending."""
    hand = Hand(rated("1/s"), expired={2, 3})
    hand.offer("a", 1, 2, 3, 4)
    assert (hand.later(), hand.stale) == ([4], [2, 3])
    assert hand.now_ms == NOW_MS + 1_000


def test_a_retry_after_sends_those_who_wait_away_with_spaced_slots() -> None:
    """The whole lane pauses, not the one task."""
    hand = Hand(PolicyBook(domains={"a": Policy(concurrency=1)}))
    hand.offer("a", *range(5))
    assert hand.end(0, Health.LIMITED, pause_ms=60_000) == []
    assert sorted(hand.put_off) == [1, 2, 3, 4]
    waits = [hand.lanes.put_off(hand.lane(), 0, NOW_MS) for _ in range(4)]
    assert all(wait.due_at_ms > NOW_MS + 30_000 and wait.why is Why.RETRY_AFTER for wait in waits)
    assert hand.lane() in hand.lanes.changed


def test_an_open_breaker_lets_one_probe_wait_and_lets_the_rest_in_step_by_step() -> None:
    """One item waits in hand for the end of the opening; after two good probes places grow one by one."""
    hand = Hand()
    hand.offer("a", *range(20))
    for item in range(5):
        hand.end(item, Health.FAILED)
    hand.end_all(Health.FAILED)
    assert hand.offer("a", 50, 51) == []
    assert sorted(hand.put_off) == [50, 51]
    hand.now_ms += 6_000
    assert (hand.offer("a", 52, 53), hand.put_off[2:]) == ([], [53])
    assert (hand.later(), hand.now_ms) == ([52], NOW_MS + 10_000)
    assert hand.offer("a", 54) == []
    assert hand.end(52) == [54]
    hand.end(54)
    assert hand.offer("a", *range(60, 80)) == [60]
    assert [len(hand.end(min(hand.running))) for _ in range(5)] == [2, 2, 2, 2, 2]


def test_a_signal_of_another_shard_holds_the_lane_and_is_no_news_to_tell() -> None:
    """What this lane has met itself and not told yet is still to be told, whatever comes in between."""
    hand = Hand()
    shard = hand.lane("a", 1)
    assert (shard.key, hand.lane("a", 0).key) == ("a#1", "a")
    hand.lanes.signal(shard, NOW_MS + 20_000, NOW_MS + 9_000, NOW_MS)
    assert shard.ready_ms(NOW_MS) == (NOW_MS + 20_000, Why.RETRY_AFTER)
    assert (shard.told, shard in hand.lanes.changed) == (True, True)
    own = hand.lane("b", 1)
    own.pause(NOW_MS + 20_000)
    hand.lanes.signal(own, NOW_MS + 30_000, 0, NOW_MS)
    assert not own.told


def test_a_call_ends_once() -> None:
    """A second end would let more run than the caps allow."""
    hand = Hand(PolicyBook(businesses={"acme": Policy(concurrency=2)}))
    hand.offer("a", 1, 2)
    grant = hand.running[1]
    for _ in range(2):
        hand.lanes.end(grant, Health.OK, NOW_MS)
        hand.lanes.abandon(grant, NOW_MS)
    assert (hand.lanes.running, hand.lane().running) == (1, 1)
    assert hand.offer("a", 3, 4) == [3]


def test_an_abandoned_call_gives_all_its_places_back() -> None:
    """Its lane, its business's cap and the common cap have room again."""
    hand = Hand(PolicyBook(businesses={"acme": Policy(concurrency=1)}, settings=Policy(concurrency=1)), total=1)
    hand.offer("a", 1, 2)
    hand.lanes.abandon(hand.running.pop(1), NOW_MS)
    assert hand.look() == [2]


def test_limits_without_room_are_refused() -> None:
    """A cap below 1 would let everything wait for ever."""
    with pytest.raises(ValueError, match="allowed is 1 or more"):
        Hand(total=0)


def test_lanes_tell_their_state() -> None:
    """The repr shows how many lanes there are, who runs and who waits."""
    hand = Hand(ONE_AT_ONCE, total=7, tuning=Tuning(unmeasured=5))
    hand.offer("a", 1, 2)
    assert repr(hand.lanes) == "<Lanes 1 running=1/7 waiting=1>"
