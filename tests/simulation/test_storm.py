"""Everything at once in virtual time: seeds against every rule, and bugs planted by hand that the rules must find."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.storm.bugs import BUGS
from tests.simulation.storm.crash_points import CrashPoint
from tests.simulation.storm.plan import drawn
from tests.simulation.storm.plant import Plant
from tests.simulation.storm.rules import Rule
from tests.simulation.storm.runs import Tally, found, played
from tests.simulation.storm.shrink import Cut, Shrinker, replayed, story, whole
from tests.simulation.storm.world import World


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 10))])
def test_storm_of_everything(seed: int) -> None:
    """Three workers that die, a broker that writes twice and late, targets that misbehave, operators: every rule holds."""
    world = World(drawn(seed, 600)).play()
    assert world.oracle.violations == []
    assert world.loop.errors == []
    assert world.deaths.total() > 0
    assert world.injected["effect, then error"] > 0
    assert world.forgotten > 0


@pytest.mark.parametrize("seed", range(2))
def test_calm(seed: int) -> None:
    """Where nothing goes wrong but with the targets nothing is sent twice, and nobody dies."""
    world = World(drawn(seed, 400, calm=True)).play()
    assert world.oracle.violations == []
    assert (world.oracle.counts["calls again"], world.deaths.total(), world.injected.total()) == (0, 0, 0)
    assert world.oracle.counts["calls"] >= 300


def test_seed_repeats_exactly() -> None:
    """One seed is one run: the same steps and the same calls."""
    first, second = (World(drawn(4, 300)).play() for _ in range(2))
    assert (first.loop.steps, first.loop.now_ms) == (second.loop.steps, second.loop.now_ms)
    assert first.oracle.counts == second.oracle.counts


@pytest.mark.slow
def test_each_of_the_twelve_points_kills_somebody() -> None:
    """Over a few seeds somebody dies at every named point between the record's reading and its offset's commit."""
    total = Tally()
    for seed in range(20, 26):
        total.add(played((seed, 2_000)))
    assert total.violations == []
    assert total.never_hit == []
    assert len(CrashPoint) == 12


@pytest.mark.parametrize(("bug", "rule"), BUGS, ids=[bug.__name__ for bug, _ in BUGS])
def test_planted_bug_is_found(bug: type[Plant], rule: Rule) -> None:
    """A bug planted by hand breaks its rule within a few seeds."""
    assert found(bug, rule, 0, 300, most=12) is not None


def test_every_rule_has_a_bug_that_it_finds() -> None:
    """No rule is there for show."""
    assert {rule for _, rule in BUGS} == set(Rule)


def test_document_tells_of_every_rule_and_bug() -> None:
    """The table in docs/reliability.md is that of the rules and bugs in force."""
    told = (Path(__file__).parents[2] / "docs" / "reliability.md").read_text(encoding="utf-8")
    rows = [f"| `{rule.name}` | {rule.value} | {(bug.__doc__ or '').rstrip('.')} |" for bug, rule in BUGS]
    assert [row for row in rows if row not in told] == []


def test_story_of_a_bug_is_short_and_plays_again() -> None:
    """What is left of a seed breaks the same rule, tells of the task concerned, and is a line of Python."""
    bug, rule = next(pair for pair in BUGS if pair[1] is Rule.PHANTOM_SUCCESS)
    seed = found(bug, rule, 0, 200)
    assert seed is not None
    cut = Shrinker(rule, bug, budget_s=20).shrunk(whole(seed, 200))
    assert len(cut.arrivals) <= 3
    told = story(cut, rule, bug())
    assert "PHANTOM_SUCCESS" in told
    assert cut.as_test() in told
    assert replayed(seed, 200, cut.arrivals, cut.orders, cut.blows, cut.without) == []


def test_cut_is_written_with_ranges() -> None:
    """Neighbours are written as a range, so that the line of a test stays readable."""
    cut = Cut(1, 50, (0, 1, 2, 3, 7), (), (4,), ("hole",))
    assert cut.as_test() == (
        "assert replayed(seed=1, tasks=50, arrivals=(*range(0, 4), 7,), orders=(), blows=(4,), without=('hole',)) == []"
    )
