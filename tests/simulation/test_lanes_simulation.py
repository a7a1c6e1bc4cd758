"""Many lanes in virtual time: storms by seed, and one story for each promise that lanes make (DESIGN 5)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest

from streamer.core.delivery import Why
from streamer.core.policy import FOREVER_MS, Policy
from streamer.core.rate import parse_rate
from tests.simulation.lanes_plan import HEALTHY, MINUTE_MS, TIMING_OUT, Domain, Manner, Plan, stormy
from tests.simulation.lanes_world import LanesWorld

SECOND_MS = 1_000


def played(plan: Plan, seed: int = 1) -> LanesWorld:
    """Play a plan to its end, and check what holds in every one."""
    world = LanesWorld(plan, seed).play()
    assert world.oracle.violations == []
    assert None not in world.states(), "a task was lost"
    assert len(world.tasks) == plan.tasks
    return world


def at(rate: str, burst: int | None = None, shards: int | None = None) -> Policy:
    """Return a policy with a rate as people write it."""
    return Policy(rate=parse_rate(rate), burst=burst, shards=shards)


def share_of(ordered: Sequence[int], share: float) -> int:
    """Return the value below which a share of them lies."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def most_in_a_second(world: LanesWorld) -> int:
    """Return how many deferrals of one domain came back in one second at most."""
    return max(world.oracle.released.values(), default=0)


@pytest.mark.parametrize("seed", [0, 3, 5])
def test_storm(seed: int) -> None:
    """Targets that die, slow down and refuse, takeovers, crashes, changed limits: every rule holds at every call."""
    played(stormy(seed, 2_000), seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12])
def test_storm_of_a_hundred_thousand(seed: int) -> None:
    """The same with 10^5 tasks."""
    played(stormy(seed, 100_000), seed)


def test_seed_repeats_exactly() -> None:
    """One seed is one run: the same calls at the same instants."""
    runs = [played(stormy(3, 1_000), 3) for _ in range(2)]
    first, second = ([(task.number, task.begun_ms, task.deferrals) for task in run.tasks] for run in runs)
    assert first == second


def test_a_dead_domain_costs_its_neighbours_nothing() -> None:
    """With half of the traffic for a domain that times out, forty others wait no longer than without it."""
    healthy = tuple(Domain(f"d{number}.example", at("5/s", 5)) for number in range(40))
    dead = Domain("dead.example", share=40.0, manners=((0, TIMING_OUT), (2 * MINUTE_MS, HEALTHY)))
    alone = played(Plan(healthy, 1_500, MINUTE_MS))
    beside = played(Plan((*healthy, dead), 3_000, MINUTE_MS))
    waits = [sorted(wait for one in healthy for wait in world.waits_ms(one.name)) for world in (alone, beside)]
    assert [len(each) for each in waits] == pytest.approx([1_500, 1_500], rel=0.1)
    p99s = [share_of(each, 0.99) for each in waits]
    assert p99s[1] <= 1.5 * p99s[0] + 50
    assert beside.oracle.calls_to_dead["dead.example"] <= 20 + 5 + 8


def test_a_backlog_drains_in_order_at_the_full_rate() -> None:
    """RULES 9: about one deferral for each task within the horizon, no storm, no slot lost, first come first served."""
    world = played(Plan((Domain("a.example", at("20/s", 1)),), 2_000, 1, burst=2_000))
    assert world.states() == {"succeeded": 2_000}
    took_s = (world.now_ms - world.tasks[0].arrived_ms) / SECOND_MS
    assert took_s <= 1.05 * 2_000 / 20
    assert sum(world.oracle.deferrals.values()) <= 1.1 * 2_000
    assert most_in_a_second(world) <= 2 * 20 + 1
    begun = sorted(world.tasks, key=lambda task: (task.begun_ms or 0, task.number))
    behind = [max(0, one.number - place) for place, one in enumerate(begun)]
    assert max(behind) <= 20 * 10, "nobody is more than a few seconds out of turn"


def test_a_backlog_beyond_the_horizon_asks_again_a_few_times_and_makes_no_storm() -> None:
    """Forty minutes of work: ten of them have slots, the rest comes back spread over the horizon's second half."""
    world = played(Plan((Domain("a.example", at("1/s", 1)),), 2_400, 1, burst=2_400))
    took_s = (world.now_ms - world.tasks[0].arrived_ms) / SECOND_MS
    assert took_s <= 1.05 * 2_400
    assert sum(world.oracle.deferrals.values()) / 2_400 <= 5
    assert most_in_a_second(world) <= 2 * 2_400 / 300


def test_a_dead_target_is_left_alone_and_comes_back_step_by_step() -> None:
    """What waits doubles its waits; after the first good probes calls are let in one by one, and everything is delivered."""
    manners = ((0, TIMING_OUT), (5 * MINUTE_MS, HEALTHY))
    world = played(Plan((Domain("dead.example", manners=manners),), 1_500, 1, burst=1_500))
    assert world.states() == {"succeeded": 1_500}
    assert world.oracle.calls_to_dead["dead.example"] <= 20 + 5 + 8
    assert sum(world.oracle.deferrals.values()) / 1_500 <= 12
    assert most_in_a_second(world) <= 1_500 / 2.5, "the first wait of 5 s is spread by a quarter to both sides"


def test_a_target_that_asks_for_less_gets_less_and_is_back_at_full_speed_later() -> None:
    """A 429 without Retry-After slows the lane down: most of what is sent is taken."""
    manners = ((0, Manner(most_per_s=10)), (4 * MINUTE_MS, HEALTHY))
    plan = Plan((Domain("a.example", manners=manners),), 6_000, 6 * MINUTE_MS, retries_ms=(1_000,) * 50)
    world = played(plan)
    begun = world.oracle.begun_in["a.example"]
    limited = sum(begun[second] for second in range(60, 240)) / 180
    assert 5 <= limited <= 15
    assert sum(begun[second] for second in range(300, 360)) / 60 >= 16


def test_a_retry_after_is_obeyed_by_the_whole_lane() -> None:
    """While the receiver's pause holds nothing goes; what waits comes back spaced (the oracle watches each call)."""
    manners = ((0, Manner(most_per_s=5, retry_after_ms=20_000)), (MINUTE_MS, HEALTHY))
    world = played(Plan((Domain("a.example", at("10/s", 1), manners=manners),), 1_200, 2 * MINUTE_MS))
    assert world.oracle.deferrals[Why.RETRY_AFTER] > 0
    assert world.states() == {"succeeded": 1_200}
    busy = [second for second in range(60) if world.oracle.begun_in["a.example"][second]]
    assert len(busy) <= 12


def test_a_rate_holds_over_takeovers_and_is_used() -> None:
    """Three workers, moves and a crash: at most 10 t + burst in every window (the oracle's), and 95 % of it used."""
    domain = Domain("a.example", at("10/s", 5))
    moves = (30_000, 70_000)
    world = played(Plan((domain,), 1_600, 1, burst=1_600, workers=3, partitions=1, moves=moves))
    assert world.oracle.takeovers[0] == 2
    assert (world.now_ms - world.tasks[0].arrived_ms) / SECOND_MS <= 160 / 0.95
    crashed = played(Plan((domain,), 800, 1, burst=800, workers=3, partitions=1, crashes=(20_000, 40_000)), seed=4)
    assert crashed.states() == {"succeeded": 800}


def test_shards_share_a_rate() -> None:
    """A domain split in four keeps its rate over all of them, and uses it."""
    world = played(
        Plan((Domain("a.example", at("40/s", 8, shards=4)),), 3_000, 1, burst=3_000, workers=2, moves=(20_000,))
    )
    seconds = world.oracle.begun_in["a.example"]
    sums = [sum(seconds[at_s + more] for more in range(10)) for at_s in range(int(max(seconds)))]
    assert max(sums) <= 40 * 11 + 8
    assert (world.now_ms - world.tasks[0].arrived_ms) / SECOND_MS <= 1.1 * 3_000 / 40


def test_a_business_with_a_backlog_does_not_hold_up_another() -> None:
    """Businesses take turns: B's tasks to the same domain wait no longer for the thousands of A's before them."""
    domain = Domain("a.example", at("20/s", 1))
    businesses = {"a": (1.0, Policy()), "b": (0.0, Policy())}
    plan = Plan((domain,), 1_700, 60_000, burst=1_500, businesses=businesses, late=("b", 5))
    world = played(plan)
    waits = sorted((task.begun_ms or 0) - task.arrived_ms for task in world.tasks if task.business == "b")
    assert len(waits) == 200
    assert share_of(waits, 0.99) <= 500


def test_businesses_get_their_shares_by_weight() -> None:
    """Of a lane that both want wholly, the one with four times the weight gets four times the calls."""
    businesses = {"big": (1.0, Policy(weight=4)), "small": (1.0, Policy())}
    world = played(Plan((Domain("a.example", at("20/s", 1)),), 2_000, 1, burst=2_000, businesses=businesses))
    early = sorted(world.tasks, key=lambda task: task.begun_ms or 0)[:600]
    assert sum(task.business == "big" for task in early) == pytest.approx(480, rel=0.15)


def test_an_urgent_task_takes_one_of_the_next_slots() -> None:
    """With thousands of priority 5 waiting, one of priority 1 waits for a slot or two."""
    domain = Domain("a.example", at("10/s", 1))
    world = played(Plan((domain,), 1_520, 40_000, burst=1_500, late=("acme", 1)))
    waits = [(task.begun_ms or 0) - task.arrived_ms for task in world.tasks if task.priority == 1]
    assert len(waits) == 20
    assert max(waits) <= 250


def test_a_rate_across_domains_holds_and_is_brought_back() -> None:
    """RULES 24: reserved before the queue, one deferral for each task, and no more than the rate over all domains."""
    domains = tuple(Domain(f"d{number}.example") for number in range(10))
    world = played(Plan(domains, 1_500, 1, burst=1_500, rate_keys={"shared": at("20/s", 5)}, with_rate_key=1.0))
    begun = sorted(task.begun_ms or 0 for task in world.tasks)
    # From the slot to the call lie the hop and, at the beginning, the queue.
    assert all(later - sooner >= 9 * 50 - 100 for sooner, later in zip(begun[5:], begun[20:], strict=False))
    assert set(world.oracle.deferrals) == {Why.SHARED_LIMIT}
    assert sum(world.oracle.deferrals.values()) <= 1.1 * 1_500
    assert begun[-1] - begun[0] <= 1.05 * 1_500 / 20 * SECOND_MS


def test_a_paused_domain_sends_nothing_and_goes_on() -> None:
    """An operator's pause without an end, and its lifting: nothing goes in between, all is delivered."""
    paused = Policy(paused_until_ms=FOREVER_MS)
    changes: tuple[tuple[int, dict[str, Policy]], ...] = ((5_000, {"a.example": paused}), (3 * MINUTE_MS, {}))
    world = played(Plan((Domain("a.example", at("20/s", 1)), Domain("b.example")), 1_000, MINUTE_MS, changes=changes))
    seconds = world.oracle.begun_in["a.example"]
    assert not any(seconds[second] for second in range(6, 180))
    assert world.oracle.deferrals[Why.PAUSED] / 450 <= 8
    assert world.waits_ms("b.example")[-1] <= 50
    assert all(sooner <= later for sooner, later in pairwise(world.waits_ms("a.example")))
