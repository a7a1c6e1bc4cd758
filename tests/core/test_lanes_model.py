"""Lanes against a model that knows each item's place and each start: nothing lost, no cap passed, no lane stuck."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import ceil, inf

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from streamer.core.breaker import BreakerState
from streamer.core.grant import Grant
from streamer.core.health import Health
from streamer.core.lane import Lane
from streamer.core.lane_book import LaneBook
from streamer.core.lane_memory import lane_digest, pack_lane
from streamer.core.lanes import Lanes
from streamer.core.pace import LEAST_PER_S
from streamer.core.policy import FOREVER_MS, BreakerPolicy, Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.put_off import Tuning
from streamer.core.rate import parse_rate
from streamer.core.waiting import Waiting
from tests.core.lane_samples import waiting
from tests.core.samples import NOW_MS

TUNING = Tuning(horizon_ms=60_000, unmeasured=4, most_waiting=6, slack=2)
BREAKER = BreakerPolicy(failures_in_row=2, open_ms=4_000, open_most_ms=20_000)
DOMAINS = ("free", "rated", "slow", "wide")
TAKERS = ("acme", "small", "big")
RATES = {"rated": ("10/s", 2), "slow": ("20/m", 1), "wide": ("1000/s", 30)}
TOTAL, SMALL = 5, 2


def policies(**changed: Policy) -> PolicyBook:
    """Return policies under which every kind of limit is soon reached; those named are others."""
    rated = {name: Policy(rate=parse_rate(rate), burst=burst) for name, (rate, burst) in RATES.items()}
    return PolicyBook(
        domains=rated | changed,
        businesses={"small": Policy(concurrency=SMALL), "big": Policy(weight=3)},
        settings=Policy(concurrency=2, breaker=BREAKER),
    )


CHANGES: tuple[dict[str, Policy], ...] = (
    {},
    {"rated": Policy(rate=parse_rate("3/s"), burst=4)},
    {"rated": Policy()},
    {"free": Policy(concurrency=1), "slow": Policy(rate=parse_rate("50/s"), burst=1)},
    {"wide": Policy(paused_until_ms=FOREVER_MS), "free": Policy(paused_until_ms=NOW_MS + 7_000)},
)

Starts = list[float]


class LanesAgainstModel(RuleBasedStateMachine):
    """Plays offers, ends, time, changed policies, and workers that die; ``place`` says where each item is."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms: float = NOW_MS
        self.policies = policies()
        self.items = 0
        self.place: dict[int, str] = {}
        self.waiting: dict[int, tuple[Lane[int], Waiting[int]]] = {}
        self.running: dict[int, Grant[int]] = {}
        self.starts: defaultdict[str, Starts] = defaultdict(list)
        self.open_until_ms: dict[str, float] = {}
        self.looked = False

    @initialize(rate=st.sampled_from([None, "4/s"]))
    def begin(self, rate: str | None) -> None:
        self.rate = parse_rate(rate) if rate else None
        self.open(LaneBook())

    def open(self, book: LaneBook) -> None:
        book.take_over(self.now_ms)
        self.book = book
        self.lanes: Lanes[int] = Lanes(lambda: self.policies, TOTAL, self.rate, TUNING, lambda item, _: item % 11 == 0)

    def lane(self, domain: str) -> Lane[int]:
        return self.lanes.lane(domain, 0, self.book, self.now_ms)

    # What happens

    @rule(
        domain=st.sampled_from(DOMAINS),
        taker=st.sampled_from(TAKERS),
        count=st.integers(1, 8),
        priority=st.integers(1, 3),
        promise_ms=st.none() | st.integers(-2_000, 5_000),
        retry=st.booleans(),
    )
    def offer(self, domain: str, taker: str, count: int, priority: int, promise_ms: int | None, retry: bool) -> None:
        promised = {"promise_ms": None if promise_ms is None else int(self.now_ms) + promise_ms, "retry": retry}
        for _ in range(count):
            self.items += 1
            lane = self.lane(domain)
            if (grant := self.lanes.begin_at_once(lane, self.items, taker, self.now_ms)) is not None:
                self.running[grant.item] = grant
                self.begun(grant, taker)
                continue
            one = waiting(self.items, taker, priority, **promised)
            self.lanes.offer(lane, one)
            self.place[self.items], self.waiting[self.items] = "waits", (lane, one)
            self.looked = False

    @rule()
    def look(self) -> None:
        open_until_ms = {lane.key: lane.breaker.open_until_ms for lane in self.lanes if self.is_open(lane)}
        turn = self.lanes.turn(self.now_ms)
        for item in turn.stale:
            assert item % 11 == 0
            self.left(item, "stale")
        for grant in turn.begun:
            self.running[grant.item] = grant
        for grant in turn.begun:
            assert open_until_ms.get(grant.lane.key, 0) <= self.now_ms
            self.begun(grant, self.left(grant.item, "runs").business)
        for item, lane in turn.put_off:
            self.left(item, "put off")
            wait = self.lanes.put_off(lane, 0, self.now_ms)
            far_ms = max(0, lane.paused_until_ms - self.now_ms) + 10 * 3_000 + 1.25 * TUNING.horizon_ms
            assert self.now_ms - 1 <= wait.due_at_ms <= self.now_ms + far_ms + 7_000
        self.looked = True

    def left(self, item: int, where: str) -> Waiting[int]:
        assert self.place[item] == "waits", "nobody leaves twice"
        self.place[item] = where
        return self.waiting.pop(item)[1]

    def begun(self, grant: Grant[int], taker: str) -> None:
        lane, limits = grant.lane, grant.lane.limits
        self.place[grant.item] = "runs"
        assert grant.begun_ms == self.now_ms >= max(limits.paused_until_ms, lane.paused_until_ms)
        of_lane = [other for other in self.running.values() if other.lane is lane]
        assert lane.running == len(of_lane) <= limits.concurrency
        assert len(self.running) <= TOTAL
        assert Counter(cap for other in self.running.values() for cap in other.caps)["business:small", SMALL] <= SMALL
        assert bool(grant.caps) is (taker == "small")
        if limits.rate is not None:
            starts = self.starts[f"{lane.key} at {limits.rate}"]
            starts.append(self.now_ms)
            for before, since_ms in enumerate(starts):
                assert len(starts) - before <= (self.now_ms - since_ms) / limits.rate.spacing_ms + limits.burst

    @precondition(lambda self: self.running)
    @rule(
        data=st.data(),
        health=st.sampled_from([Health.OK, Health.OK, Health.FAILED, Health.LIMITED, Health.NEUTRAL]),
        pause_ms=st.sampled_from([None, None, None, 0, 1_500, 9_000]),
    )
    def end(self, data: st.DataObject, health: Health, pause_ms: int | None) -> None:
        grant = self.running.pop(data.draw(st.sampled_from(sorted(self.running))))
        self.lanes.end(grant, health, self.now_ms, pause_ms)
        self.place[grant.item] = "ended"
        self.looked = False

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        grant = self.running.pop(data.draw(st.sampled_from(sorted(self.running))))
        self.lanes.abandon(grant, self.now_ms)
        self.place[grant.item] = "ended"
        self.looked = False

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        item = data.draw(st.sampled_from(sorted(self.waiting)))
        lane, one = self.waiting[item]
        assert lane.queue.remove(one)
        self.left(item, "cancelled")

    @rule(span_ms=st.sampled_from([1, 7, 50, 333, 1_000, 5_000, 70_000]))
    def pass_time(self, span_ms: int) -> None:
        # What was offered is looked at in the same instant, and nobody looks later than the lanes ask for.
        self.look()
        self.now_ms = max(self.now_ms, min(self.now_ms + span_ms, self.lanes.next_ms()))
        self.look()

    @rule(change=st.sampled_from(CHANGES))
    def change(self, change: dict[str, Policy]) -> None:
        self.policies = policies(**change)
        self.starts.clear()
        self.look()

    @rule(domain=st.sampled_from(DOMAINS), paused_ms=st.integers(0, 9_000), open_ms=st.integers(0, 9_000))
    def signal(self, domain: str, paused_ms: int, open_ms: int) -> None:
        now_ms = int(self.now_ms)
        self.lanes.signal(self.lane(domain), now_ms + paused_ms, now_ms + open_ms, self.now_ms)
        self.looked = False

    @rule()
    def forget(self) -> None:
        self.lanes.changed.clear()
        self.lanes.forget_idle(self.now_ms)

    @rule(dead_ms=st.sampled_from([0, 5_000]))
    def die(self, dead_ms: int) -> None:
        """Let another worker go on with what the lanes remember; who waited or ran is the next one's to read again."""
        book = LaneBook()
        for lane in self.lanes:
            book.recover(lane_digest(lane.key), pack_lane(lane.memory(self.now_ms)))
        self.now_ms = ceil(self.now_ms) + dead_ms
        for item in [*self.waiting, *self.running]:
            self.place[item] = "lost with its worker"
        self.waiting.clear()
        self.running.clear()
        self.open(book)
        self.looked = False

    # What must hold

    @invariant()
    def every_item_is_where_it_belongs(self) -> None:
        places = Counter(self.place.values())
        assert sum(places.values()) == self.items
        assert places["waits"] == len(self.waiting) == (self.lanes.waiting if self.items else 0)
        assert places["runs"] == len(self.running) == (self.lanes.running if self.items else 0)

    @precondition(lambda self: self.looked)
    @invariant()
    def nobody_waits_who_could_begin(self) -> None:
        lanes, now_ms = self.lanes, self.now_ms
        process_ms = now_ms + (self.rate.spacing_ms if self.rate is not None else 0)
        assert lanes.next_ms() > now_ms, "a look at once again would find nothing"
        for lane in lanes:
            assert not lane.overfull(now_ms)
            if not len(lane.queue):
                continue
            ready_ms, _ = lane.ready_ms(now_ms)
            if lane.allowed_per_s(now_ms) != (lane.limits.rate.per_s if lane.limits.rate else None):
                # A pace grows with the seconds: who asks again may find the slot nearer than it was when it was announced.
                ready_ms += 1_000 / LEAST_PER_S
            if ready_ms == inf:
                assert lane.running, "only the end of a call of its own may help it"
            elif lanes.running == TOTAL:
                continue
            elif ready_ms > now_ms:
                # One whose slot had come may wait for one of the process's, when another limit of its own is set.
                assert lanes.next_ms() <= max(ready_ms, process_ms)
            elif any(lanes.caps.may(one.business) for at, one in self.waiting.values() if at is lane):
                assert lanes.next_ms() <= process_ms, "nothing holds it back"

    @staticmethod
    def is_open(lane: Lane[int]) -> bool:
        return lane.breaker.state is BreakerState.OPEN

    def teardown(self) -> None:
        """Once nothing is paused and all calls succeed, everybody begins or is sent away."""
        self.policies = policies()
        for _ in range(2_000):
            for item in list(self.running):
                self.lanes.end(self.running.pop(item), Health.OK, self.now_ms)
                self.place[item] = "ended"
            self.look()
            if not self.waiting and not self.running:
                break
            if not self.running:
                assert self.lanes.next_ms() < inf
                self.now_ms = self.lanes.next_ms()
        assert "waits" not in self.place.values()


TestLanesAgainstModel = LanesAgainstModel.TestCase
TestLanesAgainstModel.settings = settings(stateful_step_count=40, deadline=None)
