"""What a run of many lanes is about: domains and how their targets behave, businesses, workers, and what goes wrong when."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from streamer.core.policy import FOREVER_MS, BreakerPolicy, Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.put_off import Tuning
from streamer.core.rate import parse_rate
from tests.core.samples import NOW_MS

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Manner:
    """How a target behaves for a while: how long its calls take, and how they end.

    ``most_per_s`` is what it takes a second before it answers 429, with ``retry_after_ms`` where that is given.
    """

    service_ms: tuple[int, int] = (5, 60)
    failing: float = 0.0
    dead: bool = False
    most_per_s: int | None = None
    retry_after_ms: int | None = None


HEALTHY = Manner()
SLOW = Manner((400, 3_000))
SHAKY = Manner(failing=0.2)
TIMING_OUT = Manner((30_000, 30_000), dead=True)
REFUSING = Manner((1, 5), dead=True)


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain: its policy, its share of the tasks, and the manners of its target, each from an instant on."""

    name: str
    policy: Policy = Policy()  # noqa: RUF009 - frozen, so it may be shared
    share: float = 1.0
    manners: tuple[tuple[int, Manner], ...] = ((0, HEALTHY),)

    def manner(self, at_ms: float) -> Manner:
        """Return how the target behaves at an instant, in ms from the run's beginning."""
        return next(manner for since_ms, manner in reversed(self.manners) if since_ms <= at_ms)


@dataclass(frozen=True)
class Plan:
    """A whole run. Instants are in ms from its beginning; ``changes`` are policies of domains that hold from then on.

    ``moves`` hand a partition over in peace, ``crashes`` end a worker; its partitions are taken over ten seconds later.
    Of ``tasks``, ``burst`` come together at the beginning, the others evenly over ``span_ms``; ``late`` names their
    business and priority where those are not drawn.
    """

    domains: tuple[Domain, ...]
    tasks: int
    span_ms: int
    burst: int = 0
    late: tuple[str, int] | None = None
    businesses: dict[str, tuple[float, Policy]] = field(default_factory=lambda: {"acme": (1.0, Policy())})
    priorities: tuple[int, ...] = (5,)
    rate_keys: dict[str, Policy] = field(default_factory=dict)
    with_rate_key: float = 0.0
    expiring: float = 0.0
    retries_ms: tuple[int, ...] = (1_000, 10_000, 60_000, 600_000, 3_600_000)
    workers: int = 1
    partitions: int = 4
    in_flight: int = 1_000
    tuning: Tuning = Tuning()  # noqa: RUF009 - frozen, so it may be shared
    concurrency: int = 20
    moves: tuple[int, ...] = ()
    crashes: tuple[int, ...] = ()
    changes: tuple[tuple[int, dict[str, Policy]], ...] = ()

    def book(self, changed: dict[str, Policy]) -> PolicyBook:
        """Return the policies, those of some domains changed."""
        return PolicyBook(
            domains={domain.name: domain.policy for domain in self.domains} | changed,
            businesses={name: policy for name, (_, policy) in self.businesses.items()},
            rate_keys=self.rate_keys,
            settings=Policy(concurrency=self.concurrency, breaker=BreakerPolicy()),
            partitions=self.partitions,
        )


def stormy(seed: int, tasks: int, domains: int | None = None) -> Plan:
    """Return a plan in which everything goes wrong that may: the seed says what, where and when."""
    chance = random.Random(seed)
    span_ms = chance.choice([5, 10, 20]) * MINUTE_MS
    count = domains or chance.randrange(40, 200)
    per_s = tasks / (span_ms / 1_000) / count
    planned = tuple(_domain(chance, f"d{number}.example", span_ms, per_s) for number in range(count))
    return Plan(
        planned,
        tasks,
        span_ms,
        burst=chance.choice([0, tasks // 4]),
        businesses={
            "acme": (5.0, Policy()),
            "small": (1.0, Policy(concurrency=chance.randrange(1, 4) + tasks // 20_000)),
            "big": (3.0, Policy(weight=4)),
        },
        priorities=(1, 3, 5, 5, 5, 9),
        rate_keys={"shared": Policy(rate=parse_rate("50/s"))},
        with_rate_key=0.03,
        expiring=0.01,
        workers=chance.randrange(2, 4),
        partitions=12,
        moves=tuple(sorted(chance.randrange(span_ms) for _ in range(chance.randrange(2, 8)))),
        crashes=tuple(sorted(chance.randrange(span_ms) for _ in range(chance.randrange(3)))),
        changes=_changes(chance, planned, span_ms),
    )


def _domain(chance: random.Random, name: str, span_ms: int, per_s: float) -> Domain:
    kind = chance.random()
    share = chance.choice([0.2, 1, 1, 3])
    policy = Policy(concurrency=chance.choice([None, 4, 20, 50]))
    if chance.random() < 0.4:
        # From a little less than what comes to a lot more, so that some lanes have a backlog all the time.
        rate = parse_rate(f"{max(1, round(60 * per_s * share * chance.choice([0.7, 1.5, 5])))}/m")
        burst = chance.choice([None, 1, 10])
        policy = Policy(
            rate=rate, burst=burst, concurrency=policy.concurrency, shards=chance.choice([None, None, 2, 4])
        )
    ill = chance.choice([SLOW, SHAKY, TIMING_OUT, REFUSING, _choosy(chance, per_s * share)])
    since_ms = chance.randrange(span_ms)
    well_again_ms = since_ms + chance.choice([5_000, MINUTE_MS, 10 * MINUTE_MS])
    manners = ((0, HEALTHY), (since_ms, ill), (well_again_ms, HEALTHY)) if kind < 0.5 else ((0, HEALTHY),)
    return Domain(name, policy, share, manners)


def _choosy(chance: random.Random, per_s: float) -> Manner:
    most_per_s = max(1, round(per_s * chance.choice([0.5, 1, 2])))
    return Manner((5, 60), most_per_s=most_per_s, retry_after_ms=chance.choice([None, None, 2_000, 30_000]))


def _changes(
    chance: random.Random, domains: tuple[Domain, ...], span_ms: int
) -> tuple[tuple[int, dict[str, Policy]], ...]:
    changes, changed = [], dict[str, Policy]()
    for at_ms in sorted(chance.randrange(span_ms) for _ in range(chance.randrange(6))):
        domain = chance.choice(domains)
        changed = dict(changed)
        if domain.name in changed:
            del changed[domain.name]
        else:
            until_ms = chance.choice([FOREVER_MS, NOW_MS + at_ms + 30_000])
            paused = Policy(paused_until_ms=until_ms, shards=domain.policy.shards)
            faster = Policy(rate=parse_rate("20/s"), burst=3, shards=domain.policy.shards)
            changed[domain.name] = chance.choice([paused, faster])
        changes.append((at_ms, changed))
    # In the end nothing is paused, so that all may come to their end.
    return (*changes, (span_ms + MINUTE_MS, {}))
