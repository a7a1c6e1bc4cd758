"""A whole run as a value drawn from a seed: what arrives, what operators order, what goes wrong, how targets behave."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import StrEnum

from msgspec import Struct

from streamer.core.command import Verb
from streamer.core.policy import BreakerPolicy, Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.rate import parse_rate
from streamer.core.request import Backoff, RetryPolicy
from tests.simulation.storm.crash_points import CrashPoint

PARTITIONS = 6
WORKERS = 3
#: Tasks come in groups, as a fetch brings them; in a large run so many each time, about a hundred a second.
GROUP, GROUP_MS = 50, 500
#: The tasks come in waves, with more than an hour between them, so that entries of ended tasks are forgotten.
WAVES, BETWEEN_WAVES_MS = 3, 80 * 60_000
#: One blow for so many tasks: at 10,000 tasks each point of crash is armed twice.
TASKS_PER_BLOW = 250
RETRIES_MS: tuple[tuple[int, ...], ...] = ((), (0,), (5_000, 30_000), (1_000, 60_000, 120_000), (2_000, 2_000, 600_000))
GROWING = RetryPolicy(intervals_ms=None, backoff=Backoff(1_000, 3.0, 60_000, 0.2), max_attempts=4)


class BlowKind(StrEnum):
    """What befalls a worker."""

    #: It dies at a named point and is back within its session: the same partitions come to it.
    BOUNCE = "bounce"
    #: It dies at a named point and stays away: the others take over, and it comes back later.
    CRASH = "crash"
    #: The group is dealt anew in peace: all drain, commit and hand over.
    REBALANCE = "rebalance"
    #: It is asked to stop: drains, leaves, and comes back.
    RESTART = "restart"
    #: Its heartbeats stop while it lives: it must do nothing from that moment, and what it sent before may land late.
    LEASE_LOST = "lease lost"


class Blow(Struct, frozen=True):
    """What goes wrong at an instant, in ms from the beginning."""

    at_ms: int
    kind: BlowKind
    victim: int
    point: CrashPoint


class Arrival(Struct, frozen=True):
    """One request record: when it is appended, and what it asks for."""

    at_ms: int
    number: int
    domain: int
    retry: RetryPolicy
    business_id: str | None = None
    delay_ms: int | None = None
    expires_in_ms: int | None = None
    priority: int = 5


class Order(Struct, frozen=True):
    """One operator's command: ``pick`` from [0, 1) says to which of the tasks that have come by then."""

    at_ms: int
    verb: Verb
    pick: float
    forced: bool
    elsewhere: bool
    twice: bool


class Manner(Struct, frozen=True):
    """How a target behaves for a while; ``limited`` answers that share with 429 and a Retry-After."""

    name: str
    service_ms: tuple[int, int] = (5, 80)
    failing: float = 0.0
    fatal: float = 0.01
    limited: float = 0.0
    unreachable: float = 0.0


HEALTHY = Manner("healthy")
MANNERS = (
    HEALTHY,
    Manner("shaky", failing=0.25),
    Manner("slow", (500, 4_000), failing=0.05),
    Manner("dead", (1, 20), failing=1.0),
    Manner("timing out", (12_000, 12_000), failing=1.0),
    Manner("refusing", (1, 5), unreachable=1.0),
    Manner("limiting", limited=0.15),
)


class Domain(Struct, frozen=True):
    """A domain: its policy, and its target's manners, each from an instant on."""

    name: str
    policy: Policy
    manners: tuple[tuple[int, Manner], ...]

    def manner(self, at_ms: float) -> Manner:
        """Return how the target behaves at an instant."""
        found = self.manners[0][1]
        for since_ms, manner in self.manners:
            if since_ms > at_ms:
                break
            found = manner
        return found


@dataclass(frozen=True, slots=True)
class Chances:
    """How likely each small fault is: per write, per call or per fetch."""

    #: Effect, then error: a write lands, in part or whole, gets no answer, and is made again.
    twice: float = 0.05
    #: The broker refuses what is to be published, and nothing of it lands.
    refused: float = 0.002
    #: A bug of ours on the way to the wire.
    fault: float = 0.005
    #: A fetch brings records that were read before.
    again: float = 0.05
    #: A fetch leaves records out.
    hole: float = 0.02
    #: What a dead or cut-off worker had sent lands seconds later.
    late: float = 0.5


CALM = Chances(0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Plan:
    """A run. Everything that is not written here follows from ``seed`` and the order of events."""

    seed: int
    domains: tuple[Domain, ...]
    arrivals: tuple[Arrival, ...]
    orders: tuple[Order, ...]
    blows: tuple[Blow, ...]
    chances: Chances = field(default_factory=Chances)

    def book(self) -> PolicyBook:
        """Return the policies in force."""
        return PolicyBook(
            domains={domain.name: domain.policy for domain in self.domains},
            # By rows of failures alone: these an oracle can count without being a breaker itself.
            settings=Policy(concurrency=8, breaker=BreakerPolicy(least_calls=1_000_000)),
            partitions=PARTITIONS,
        )

    @property
    def last_ms(self) -> int:
        """When the last thing comes that the plan names."""
        lists = (map(_at, self.arrivals), map(_at, self.orders), map(_at, self.blows))
        return max((at_ms for each in lists for at_ms in each), default=0)


def drawn(seed: int, tasks: int, *, calm: bool = False) -> Plan:
    """Return the plan of a seed; calm: nothing goes wrong but with the targets."""
    chance = random.Random(seed)
    arrivals = _arrivals(chance, tasks)
    wave_ms = _wave_ms(tasks)
    domains = _domains(chance, wave_ms)
    orders = tuple(sorted((_order(chance, _instant(chance, wave_ms)) for _ in range(tasks // 40)), key=_at))
    blows: tuple[Blow, ...] = ()
    chances = CALM
    if not calm:
        blows = _blows(chance, seed, max(4, tasks // TASKS_PER_BLOW), wave_ms)
        # Not more: of a record that is written twice at every hop of its wait there are 2**hops.
        chances = Chances(twice=0.2 if seed % 10 == 9 else chance.choice((0.01, 0.04)))
    return Plan(seed, domains, arrivals, orders, blows, chances)


def _at(each: Arrival | Order | Blow) -> int:
    return each.at_ms


def _wave_ms(tasks: int) -> int:
    return max(10_000, tasks // WAVES * GROUP_MS // _group(tasks))


def _group(tasks: int) -> int:
    return max(5, min(GROUP, tasks // 60))


def _instant(chance: random.Random, wave_ms: int) -> int:
    """Return an instant in some wave, or shortly after it."""
    return chance.randrange(WAVES) * BETWEEN_WAVES_MS + chance.randrange(int(wave_ms * 1.1) + 5_000)


def _arrivals(chance: random.Random, tasks: int) -> tuple[Arrival, ...]:
    out = []
    each = -(-tasks // WAVES)
    for number in range(tasks):
        wave, place = divmod(number, each)
        at_ms = wave * BETWEEN_WAVES_MS + place // _group(tasks) * GROUP_MS
        retry = GROWING if chance.random() < 0.1 else RetryPolicy(intervals_ms=chance.choice(RETRIES_MS))
        out.append(
            Arrival(
                at_ms,
                number,
                chance.randrange(len(_POLICIES)),
                retry,
                f"order-{chance.randrange(1 + tasks // 8)}" if chance.random() < 0.15 else None,
                chance.choice((700, 7_000, 95_000, 1_500_000)) if chance.random() < 0.1 else None,
                chance.choice((5_000, 60_000, 400_000)) if chance.random() < 0.05 else None,
                chance.choice((1, 5, 5, 5, 9)),
            )
        )
    return tuple(out)


#: Domains with a rate that their tasks reach, one of them in shards; the others are bounded by calls at once.
_POLICIES = (
    ("rated.example", Policy(rate=parse_rate("8/s"), burst=4)),
    ("sharded.example", Policy(rate=parse_rate("8/s"), burst=4, shards=2)),
    ("narrow.example", Policy(concurrency=3)),
    *((f"plain{number}.example", Policy()) for number in range(7)),
)


def _domains(chance: random.Random, wave_ms: int) -> tuple[Domain, ...]:
    domains = []
    for name, policy in _POLICIES:
        manners = [(0, HEALTHY)]
        if chance.random() < 0.7:
            for wave in range(WAVES):
                since_ms = wave * BETWEEN_WAVES_MS + chance.randrange(wave_ms * 2 // 3)
                manners += [(since_ms, chance.choice(MANNERS)), (since_ms + chance.randrange(20_000, 120_000), HEALTHY)]
        domains.append(Domain(name, policy, tuple(manners)))
    return tuple(domains)


def _order(chance: random.Random, at_ms: int) -> Order:
    verb = chance.choice((Verb.CANCEL, Verb.CANCEL, Verb.RUN_NOW, Verb.RETRY, Verb.REPLAY, Verb.UPDATE))
    return Order(at_ms, verb, chance.random(), chance.random() < 0.2, chance.random() < 0.3, chance.random() < 0.2)


def _blows(chance: random.Random, seed: int, count: int, wave_ms: int) -> tuple[Blow, ...]:
    """Return the blows; seeds that follow each other take the points in turn, so that a few small runs hit all."""
    points = tuple(CrashPoint)
    turn = seed * 7
    blows = []
    for number in range(count):
        kind = (BlowKind.BOUNCE, BlowKind.CRASH, BlowKind.BOUNCE)[number % 3]
        if number % 4 == 3:
            kind = chance.choice((BlowKind.REBALANCE, BlowKind.RESTART, BlowKind.LEASE_LOST))
        else:
            turn += 1
        blows.append(Blow(_instant(chance, wave_ms), kind, chance.randrange(WORKERS), points[turn % len(points)]))
    return tuple(sorted(blows, key=_at))
