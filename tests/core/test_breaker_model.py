"""The breaker under any order of calls, ends, orders and clocks: what must always hold."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from streamer.core.breaker import Breaker, BreakerState, Permit
from streamer.core.health import Health
from streamer.core.policy import BreakerPolicy

policies = st.builds(
    BreakerPolicy,
    failures_in_row=st.integers(1, 6),
    connect_failures_in_row=st.integers(1, 6),
    share=st.floats(0.1, 1),
    least_calls=st.integers(1, 10),
    window_ms=st.integers(100, 10_000),
    open_ms=st.integers(1, 5_000),
    open_most_ms=st.integers(5_000, 50_000),
    probes=st.integers(1, 4),
    successes_to_close=st.integers(1, 5),
)


class BreakerUnderAnything(RuleBasedStateMachine):
    """Plays calls and ends on a breaker, and keeps the permits that are out."""

    @initialize(policy=policies)
    def begin(self, policy: BreakerPolicy) -> None:
        self.breaker = Breaker(policy)
        self.now_ms = 1_790_000_000_000
        self.out: list[Permit] = []
        self.generation = 0
        self.failed_in_row = 0

    def current(self) -> list[Permit]:
        return [permit for permit in self.out if permit.generation == self.breaker.generation]

    @rule(gap_ms=st.one_of(st.integers(0, 500), st.integers(-60_000, 60_000)))
    def pass_time(self, gap_ms: int) -> None:
        self.now_ms += gap_ms

    @rule()
    def wait_for_it(self) -> None:
        ready_ms = self.breaker.ready_ms(self.now_ms)
        if ready_ms is not None:
            self.now_ms = int(ready_ms) + 1

    @rule(calls=st.integers(1, 8))
    def call(self, calls: int) -> None:
        for _ in range(calls):
            if self.breaker.ready_ms(self.now_ms) == self.now_ms:
                self.out.append(self.breaker.admit(self.now_ms))
                assert self.out[-1].probe == (self.breaker.state is not BreakerState.CLOSED)

    @precondition(lambda self: self.out)
    @rule(data=st.data(), health=st.sampled_from(Health))
    def end(self, data: st.DataObject, health: Health) -> None:
        permit = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        breaker = self.breaker
        before = (breaker.state, breaker.generation, breaker.open_until_ms, breaker._count, breaker.room())
        late = permit.generation != breaker.generation
        room = breaker.room()
        changed = breaker.ended(permit, health, self.now_ms)
        assert changed == (breaker.state is not before[0]) == (breaker.generation != before[1])
        if late:
            assert (breaker.state, breaker.generation, breaker._count, room) == (*before[:2], *before[3:])
            return
        self.failed_in_row = self.failed_in_row + 1 if health in (Health.FAILED, Health.CONNECT_FAILED) else 0
        if permit.probe and self.failed_in_row:
            assert breaker.state is BreakerState.OPEN
        if changed and breaker.state is BreakerState.OPEN:
            assert self.now_ms < breaker.open_until_ms <= self.now_ms + breaker.policy.open_most_ms

    @precondition(lambda self: self.breaker.state is BreakerState.CLOSED)
    @rule()
    def fail_in_a_row(self) -> None:
        for _ in range(self.breaker.policy.failures_in_row):
            if self.breaker.state is BreakerState.CLOSED:
                self.breaker.ended(self.breaker.admit(self.now_ms), Health.FAILED, self.now_ms)
        assert self.breaker.state is BreakerState.OPEN

    @precondition(lambda self: self.breaker.state is BreakerState.OPEN)
    @rule()
    def succeed_in_a_row(self) -> None:
        self.wait_for_it()
        for number in range(1, self.breaker.policy.successes_to_close + 1):
            permit = self.breaker.admit(self.now_ms)
            assert self.breaker.state is BreakerState.HALF_OPEN
            closed = self.breaker.ended(permit, Health.OK, self.now_ms)
            assert closed == (number == self.breaker.policy.successes_to_close)
        assert self.breaker.state is BreakerState.CLOSED

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        self.breaker.abandoned(self.out.pop(data.draw(st.integers(0, len(self.out) - 1))))

    @rule(until_ms=st.integers(-10_000, 100_000))
    def another_shard_opens(self, until_ms: int) -> None:
        self.breaker.force_open(self.now_ms + until_ms, self.now_ms)

    @rule()
    def reset(self) -> None:
        self.breaker.reset(self.now_ms)
        assert (self.breaker.state, self.breaker.openings) == (BreakerState.CLOSED, 0)

    @rule(policy=policies)
    def change(self, policy: BreakerPolicy) -> None:
        if len(self.current()) <= policy.probes:
            self.breaker.change(policy)

    @invariant()
    def no_more_probes_than_places(self) -> None:
        probes = [permit for permit in self.current() if permit.probe]
        assert len(probes) <= self.breaker.policy.probes
        if self.breaker.state is BreakerState.HALF_OPEN:
            assert len(probes) == self.breaker._probes_out

    @invariant()
    def who_waits_knows_for_what(self) -> None:
        ready_ms = self.breaker.ready_ms(self.now_ms)
        if ready_ms is None:
            assert any(permit.probe for permit in self.current()), "nobody would ever wake it"
        else:
            assert self.now_ms <= ready_ms <= self.now_ms + self.breaker.policy.open_most_ms

    @invariant()
    def generations_go_up(self) -> None:
        assert self.breaker.generation >= self.generation
        self.generation = self.breaker.generation

    @invariant()
    def only_a_closed_breaker_bounds_by_room(self) -> None:
        room = self.breaker.room()
        assert room is None or (room >= 1 and self.breaker.state is BreakerState.CLOSED)


TestBreakerUnderAnything = BreakerUnderAnything.TestCase
TestBreakerUnderAnything.settings = settings(stateful_step_count=40)
