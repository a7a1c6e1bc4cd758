"""Makes the story of a broken rule as short as it will go: fewer tasks, orders, blows and faults, and the same rule broken."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

from tests.simulation.storm.plan import Chances, Plan, drawn
from tests.simulation.storm.plant import Plant
from tests.simulation.storm.rules import Rule
from tests.simulation.storm.world import World

CHANCES = tuple(field.name for field in fields(Chances))


@dataclass(frozen=True)
class Cut:
    """What is left of a seed's plan: places in its lists; ``without`` names the small faults that are left out."""

    seed: int
    tasks: int
    arrivals: tuple[int, ...]
    orders: tuple[int, ...]
    blows: tuple[int, ...]
    without: tuple[str, ...] = ()

    def plan(self) -> Plan:
        """Return the plan that is left."""
        whole = drawn(self.seed, self.tasks)
        return replace(
            whole,
            arrivals=tuple(whole.arrivals[place] for place in self.arrivals),
            orders=tuple(whole.orders[place] for place in self.orders),
            blows=tuple(whole.blows[place] for place in self.blows),
            chances=replace(whole.chances, **dict.fromkeys(self.without, 0.0)),
        )

    def as_test(self) -> str:
        """Return the line of Python that plays it again."""
        return (
            f"assert replayed(seed={self.seed}, tasks={self.tasks}, arrivals={_short(self.arrivals)}, "
            f"orders={_short(self.orders)}, blows={_short(self.blows)}, without={self.without}) == []"
        )


def _short(places: tuple[int, ...]) -> str:
    """Return places as Python, three and more neighbours as a range."""
    spans: list[list[int]] = []
    for place in places:
        if spans and spans[-1][1] == place:
            spans[-1][1] += 1
        else:
            spans.append([place, place + 1])
    words = [
        f"*range({first}, {end})" if end - first > 2 else ", ".join(map(str, range(first, end))) for first, end in spans
    ]
    return f"({', '.join(words)}{',' if words else ''})"


def replayed(
    seed: int,
    tasks: int,
    arrivals: Sequence[int],
    orders: Sequence[int] = (),
    blows: Sequence[int] = (),
    without: Sequence[str] = (),
) -> list[str]:
    """Play what was left of a seed when a rule was broken; return the rules that are broken now."""
    cut = Cut(seed, tasks, tuple(arrivals), tuple(orders), tuple(blows), tuple(without))
    return [str(violation) for violation in World(cut.plan()).play().oracle.violations]


def whole(seed: int, tasks: int) -> Cut:
    """Return all of a seed's plan."""
    plan = drawn(seed, tasks)
    arrivals, orders, blows = (tuple(range(len(each))) for each in (plan.arrivals, plan.orders, plan.blows))
    return Cut(seed, tasks, arrivals, orders, blows)


class Shrinker:
    """Tries to leave things out, as long as the same rule is broken and time is left."""

    def __init__(self, rule: Rule, plant: Callable[[], Plant] = Plant, budget_s: float = 60.0) -> None:
        self.tries = 0
        self._rule = rule
        self._plant = plant
        self._until_s = time.monotonic() + budget_s

    def shrunk(self, cut: Cut) -> Cut:
        """Return the least that was found."""
        cut = self._without_what_comes_later(cut)
        for name in CHANCES:
            cut = self._or(replace(cut, without=(*cut.without, name)), cut)
        for part in ("blows", "orders", "arrivals"):
            cut = self._thinned(cut, part)
        return cut

    def _breaks(self, cut: Cut) -> bool:
        if time.monotonic() > self._until_s:
            return False
        self.tries += 1
        violations = World(cut.plan(), self._plant()).play().oracle.violations
        return any(violation.rule is self._rule for violation in violations)

    def _or(self, smaller: Cut, cut: Cut) -> Cut:
        return smaller if self._breaks(smaller) else cut

    def _without_what_comes_later(self, cut: Cut) -> Cut:
        violations = World(cut.plan(), self._plant()).play().oracle.violations
        end_ms = max((violation.at_ms for violation in violations), default=0)
        plan = drawn(cut.seed, cut.tasks)
        earlier = replace(
            cut,
            arrivals=tuple(place for place in cut.arrivals if plan.arrivals[place].at_ms <= end_ms),
            orders=tuple(place for place in cut.orders if plan.orders[place].at_ms <= end_ms),
            blows=tuple(place for place in cut.blows if plan.blows[place].at_ms <= end_ms),
        )
        return self._or(earlier, cut)

    def _thinned(self, cut: Cut, part: str) -> Cut:
        """Leave out ever smaller pieces of one list."""
        size = len(getattr(cut, part))
        while size >= 1:
            at = 0
            while at < len(getattr(cut, part)):
                places = getattr(cut, part)
                smaller = replace(cut, **{part: places[:at] + places[at + size :]})
                if self._breaks(smaller):
                    cut = smaller
                else:
                    at += size
            size //= 2
        return cut


def story(cut: Cut, rule: Rule, plant: Plant | None = None) -> str:
    """Tell what happens in a cut, in order: to the task concerned, and to the workers."""
    world = World(cut.plan(), plant, journal=True).play()
    oracle = world.oracle
    broken = next((violation for violation in oracle.violations if violation.rule is rule), None)
    if broken is None or oracle.journal is None:
        return "the rule holds when it is played again"
    lines = [str(broken), f"task {broken.task_id}, of {len(cut.arrivals)}:" if broken.task_id else "no task concerned:"]
    for at_ms, task_id, what in oracle.journal:
        if task_id in ("", broken.task_id):
            lines.append(f"  {at_ms:>9} ms  {what}")
    return "\n".join([*lines, "as a test:", f"  {cut.as_test()}"])
