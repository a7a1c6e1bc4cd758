"""A small world from a seed: producers, receivers, a broker and one worker that dies, all in memory and in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from streamer.adapters.memory.outbox import Kind, Trouble
from streamer.adapters.memory.sender import Reply
from streamer.adapters.memory.tier_log import MemoryTierLog
from streamer.adapters.store.claims_on_disk import ClaimsOnDisk
from streamer.core.claims import ClaimEntry, pack_claim
from streamer.core.command import Command, Verb
from streamer.core.delivery import Delivery
from streamer.core.emit import Claim, Due, Emit, FirstPass, Held
from streamer.core.ladder import DEFAULT_TIERS
from streamer.core.lifecycle import State
from streamer.core.outcome import ErrorType, Failure, Response
from streamer.core.policy import Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.rate import parse_rate
from streamer.core.reading import Accepted
from streamer.core.request import Request, RetryPolicy
from streamer.core.window import Window
from streamer.flow.claim import ClaimLimits, ClaimStage
from streamer.flow.hold import REST_MS, ROUND_MS, Hold
from streamer.flow.intake import RawRequest, admit
from streamer.flow.orphans import Firsts
from streamer.flow.owned import Batch, Item
from streamer.flow.sweep import Barriers, Passed, sweep
from streamer.ports import Abandoned, Change
from tests.flow.desk import Desk
from tests.simulation.lanes_oracle import Shaper
from tests.simulation.oracle import Oracle

DOMAINS = ("a.example", "b.example", "c.example")
#: One domain has a rate that its tasks reach, the others few places.
SLOW = parse_rate("20/m")
LIMITED = PolicyBook(domains={DOMAINS[0]: Policy(rate=SLOW, burst=2)}, settings=Policy(concurrency=3))
PLACES = [(tier.name, 0) for tier in DEFAULT_TIERS]
#: The longest that a round of hold takes: it waits for what is near, and rests after what it released.
HOLD_ROUND_MS = ROUND_MS + REST_MS
#: What passes in a step; the longest brings entries to their hour.
SPANS_MS = (10, 500, 2_000, 10_000, 1_800_000)
ENDS = (Response(200), Response(500), Response(410), Failure(ErrorType.READ_TIMEOUT, "late"))


@dataclass(frozen=True)
class Weather:
    """How likely things go wrong: per step that the worker dies or restarts, per write and per record the rest."""

    crash: float = 0.08
    restart: float = 0.04
    torn_write: float = 0.02
    written_twice: float = 0.05
    read_twice: float = 0.05
    fault: float = 0.02


CALM = Weather(crash=0, restart=0, torn_write=0)
CLEAR = Weather(0, 0, 0, 0, 0, 0)


class World:
    """Plays a seed; the oracle watches."""

    def __init__(self, seed: int, weather: Weather) -> None:
        self.random, self.weather = random.Random(seed), weather
        self.desk = Desk(policies=LIMITED)
        self._shaper = Shaper(SLOW, 2)
        self.desk.respond = self._respond
        self.desk.outbox.trouble = self._trouble
        self.tiers = MemoryTierLog(self.desk.clock)
        self.tiers.own(PLACES)
        self.hold = Hold(self.tiers, self.desk.clock, self.desk.meter, DEFAULT_TIERS)
        self.due_at_ms: dict[str, int] = {}
        self.deaths = 0
        self.oracle = Oracle(self.desk.outbox)
        self._requests: list[RawRequest] = []
        self._claims_log: list[Item] = []
        self._claims_committed = self._intake_committed = self.forgotten = 0
        self._routed = self._released = 0
        self._open()

    # One step

    async def play(self, steps: int) -> None:
        """Let producers, operators and the weather act for so many steps, then let everything come to its end."""
        for _ in range(steps):
            self._produce()
            self._command()
            await self._weather()
            await self._pass(self.random.choices(SPANS_MS, (5, 5, 5, 5, 1))[0])
        self.weather = CLEAR
        for number in range(80):
            await self._pass(min(1_000 * 2 ** (number // 4), 6 * 3_600_000))
            if not self._busy():
                return

    async def stop(self) -> None:
        await self.desk.stop()
        self._claiming.cancel()
        with suppress(asyncio.CancelledError):
            await self._claiming

    def _busy(self) -> bool:
        waiting = any(self.tiers.committable(place) < len(self.tiers._logs[place]) for place in PLACES)
        on_its_way = self._released < len(self.tiers.due) or self._routed < len(self.desk.outbox.published)
        return waiting or on_its_way or bool(self.desk.unfinished) or not self._claims_window.drained

    async def _pass(self, span_ms: int) -> None:
        for _ in range(3):
            self._route()
            self._read()
            await self.desk.clock.settle()
        turn = asyncio.create_task(self.hold.round())
        await self.desk.clock.advance(HOLD_ROUND_MS)
        await turn
        await self.desk.clock.advance(span_ms)
        if not self.desk.lease.held():
            await self._die()

    # Producers and operators

    def _produce(self) -> None:
        for _ in range(self.random.randrange(4)):
            if self._requests and self.random.random() < self.weather.read_twice:
                raw = self.random.choice(self._requests[self._intake_committed :] or self._requests[-1:])
            else:
                raw = RawRequest(
                    "cluster", "requests", 0, len(self._requests), self.desk.clock.now_ms(), None, None, ()
                )
                self._requests.append(raw)
            self._admit(raw)

    def _admit(self, raw: RawRequest) -> None:
        chance = random.Random(raw.offset)
        business_id = f"order-{chance.randrange(40)}" if chance.random() < 0.3 else None
        lane = chance.choice(DOMAINS)
        policy = RetryPolicy(intervals_ms=chance.choice([(), (0,), (5_000, 30_000), (1_000, 60_000, 120_000)]))
        request = Request(f"https://{lane}/hook", retry=policy)
        delay_ms = chance.choice([None, None, None, 7_000, 95_000])
        [emit] = admit(
            raw, Accepted(None, "acme", business_id, request, None, delay_ms, lane), self.desk.clock.now_ms()
        )
        assert isinstance(emit, FirstPass | Claim)
        if isinstance(emit, Claim):
            self._claims_log.append(emit.delivery)
        else:
            self.due_at_ms.setdefault(emit.delivery.task_id, emit.delivery.due_at_ms)
            self.desk.logs["deliveries"].append(emit.delivery)

    def _command(self) -> None:
        if self.due_at_ms and self.random.random() < 0.1:
            task_id = self.random.choice(list(self.due_at_ms))
            self._control(Verb.CANCEL, task_id)
        if self.desk.dead_letters and self.random.random() < 0.1:
            letter = self.random.choice(self.desk.dead_letters)
            newest = self.oracle.entry(letter.delivery.task_id)
            generation = newest.generation if newest else letter.delivery.generation
            self._control(Verb.REPLAY, letter.delivery.task_id, generation, letter.delivery)

    def _control(
        self, verb: Verb, task_id: str, generation: int | None = None, delivery: Delivery | None = None
    ) -> None:
        log = self.desk.logs["control"]
        lane = delivery.lane if delivery is not None else ""
        log.append(Command(f"cmd_{len(log)}", verb, task_id, lane, generation, delivery, "ops", 0))

    # The broker

    def _route(self) -> None:
        published, self._routed = self.desk.outbox.published[self._routed :], len(self.desk.outbox.published)
        for emit in published:
            for _ in range(1 + (self.random.random() < self.weather.read_twice)):
                self._lay(emit)
        released, self._released = self.tiers.due[self._released :], len(self.tiers.due)
        self.desk.logs["due"].extend(one.record for one in released)

    def _lay(self, emit: Emit) -> None:
        if isinstance(emit, FirstPass):
            self.due_at_ms.setdefault(emit.delivery.task_id, emit.delivery.due_at_ms)
            self.desk.logs["deliveries"].append(emit.delivery)
        elif isinstance(emit, Due):
            self.desk.logs["due"].append(emit.delivery)
        elif isinstance(emit, Held):
            self.tiers.append((emit.tier, 0), emit.delivery, emit.release_at_ms, emit.delivery.due_at_ms)

    def _read(self) -> None:
        for source in self.desk.logs:
            self.desk.read(source)
        first = self._claims_window.next_offset
        records = [(first + at, 100, item) for at, item in enumerate(self._claims_log[first:])]
        self._claims.accept(Batch("claims", 0, self._claims_window, records), self.desk.owned)

    def _trouble(self, kind: Kind, items: Sequence[Emit] | Sequence[Change]) -> Trouble | None:
        landed = self.random.randrange(len(items) + 1)
        if not self.desk.lease.held() or self.random.random() < self.weather.torn_write:
            self.desk.lease.lose()
            return Trouble(Abandoned(), landed)
        return Trouble(None, landed) if self.random.random() < self.weather.written_twice else None

    # The receiver, and what must never reach it

    def _respond(self, delivery: Delivery) -> Reply:
        if self.random.random() < self.weather.fault:
            raise ZeroDivisionError("a bug of ours")
        first_due_at_ms = self.due_at_ms[delivery.task_id]
        self.oracle.called(delivery, first_due_at_ms, self.desk.clock.now_ms())
        if delivery.lane == DOMAINS[0] and not self._shaper.takes(self.desk.clock.now_ms()):
            self.oracle.violations.append(f"{delivery.lane} was called faster than {SLOW}")
        end: Response | Failure = self.random.choices(ENDS, (70, 15, 5, 10))[0]
        return Reply(end, delay_ms=self.random.choice((0, 5, 700, 3_000)))

    # The worker's deaths

    async def _weather(self) -> None:
        if self.random.random() < 0.3:
            self.desk.commit()
            self._claims_committed = self._claims_window.committable
            self._intake_committed = max(0, len(self._requests) - 1)
            self.tiers.own(PLACES)
            self.hold.forget(PLACES)
            await self._sweep()
        if self.random.random() < self.weather.restart:
            await self.desk.deliver.drain(1)
            self.desk.commit()
            await self._die(clean=True)
        elif self.random.random() < self.weather.crash:
            await self._die()

    async def _sweep(self) -> None:
        desk, now_s = self.desk, self.desk.clock.now_ms() / 1000
        self._barriers.move(desk.committed, now_s)
        passed = Passed(now_s, self._barriers.safe_before_s, {0: self._intake_committed})
        with suppress(Abandoned):
            self.forgotten += await sweep(desk.owned, passed, desk.outbox, desk.deliver.release)

    async def _die(self, *, clean: bool = False) -> None:
        self.deaths += 1
        (self.desk.marker.stop if clean else self.desk.marker.die)()
        self._claims.give_up(self.desk.owned)
        self._claiming.cancel()
        self.tiers.crash()
        self.hold.forget(PLACES)
        self.desk.lease.renew()
        await self.desk.crash()
        self._open()

    def _open(self) -> None:
        desk = self.desk
        claims = ClaimsOnDisk(":memory:")
        kept = [
            (key[1:], pack_claim(value)) for _, key, value in desk.outbox.changelog if isinstance(value, ClaimEntry)
        ]
        claims.recover(kept, len(desk.outbox.changelog))
        desk.owned.claims = claims
        ends = {source: len(log) for source, log in desk.logs.items()}
        self._barriers = Barriers(desk.windows, ends, desk.clock.now_ms() / 1000)
        desk.owned.firsts_done = Firsts(desk.windows["deliveries"], ends["deliveries"]).done
        self._claims = ClaimStage(desk.clock, desk.outbox, desk.meter, ClaimLimits(86_400, 1_000))
        self._claims_window = Window(self._claims_committed, 1_000, 1 << 20)
        self._claiming = asyncio.create_task(self._claims.run())

    # What the end looks like

    def sends(self) -> Counter[tuple[str, int, int]]:
        """Count the calls by task, generation and attempt."""
        sent = [one.delivery for one in self.desk.sender.sent]
        return Counter((one.task_id, one.generation, one.attempt) for one in sent)

    def ends(self) -> dict[tuple[str, int], set[State | None]]:
        """Return the final states told on results, by task and generation."""
        ends: dict[tuple[str, int], set[State | None]] = {}
        for result in self.desk.results:
            if result.final:
                ends.setdefault((result.task_id, result.generation), set()).add(result.state)
        return ends
