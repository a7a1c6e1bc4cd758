"""One worker process: the product's stages over the simulation's seams, from its start to its death."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from streamer.adapters.memory.entropy import SeededEntropy
from streamer.adapters.memory.lease import MemoryLease
from streamer.adapters.memory.marker import MemoryMarker
from streamer.adapters.memory.meter import MemoryMeter
from streamer.core.claims import unpack_claim
from streamer.core.delivery import Delivery
from streamer.core.lane_memory import KEY_PREFIX as LANE_PREFIX
from streamer.core.window import HoleError, Window
from streamer.flow.claim import ClaimLimits, ClaimStage
from streamer.flow.deliver import Deliver, DeliverLimits
from streamer.flow.hold import Hold
from streamer.flow.intake import admit
from streamer.flow.orphans import Firsts
from streamer.flow.owned import Batch, Owned
from streamer.flow.restate import restate
from streamer.flow.sweep import Barriers, Passed, sweep
from streamer.ports import Abandoned
from tests.simulation.storm.broker import CLAIMS, CONTROL, DELIVERIES, DUE, REQUESTS, TIER_NAMES, TIERS, Place, home_of
from tests.simulation.storm.crash_points import CrashPoint
from tests.simulation.storm.local import Local
from tests.simulation.storm.plan import PARTITIONS
from tests.simulation.storm.seams import ProcessOutbox, ProcessSender, ProcessTiers, Refused

if TYPE_CHECKING:
    from tests.simulation.storm.world import World

STAGES = (CLAIMS, DELIVERIES, DUE, CONTROL)
FETCH_MS, COMMIT_MS, SWEEP_MS, LOOK_MS, DRAIN_MS = (1, 15), 1_000, 600_000, 30_000, 8_000
_MOST_FETCHED = 200
#: From one group that is settled to the next; how long hold lets gather what there is to read, and what is to leave.
SETTLE_MS, READ_AHEAD_MS, GATHER_MS = 50, 1_000, 150


class Process:
    """A worker with its stages. ``armed`` names the point at which it dies the next time it passes there."""

    def __init__(self, world: World, slot: int, marker: MemoryMarker) -> None:
        self.world, self.slot = world, slot
        self.dead = False
        self.armed: CrashPoint | None = None
        self.lease = MemoryLease()
        self.windows: dict[Place, Window] = {}
        self.owned: dict[int, Owned] = {}
        self.raw_outbox = ProcessOutbox(self)
        plant = world.plant
        self._outbox = plant.outbox(self.raw_outbox, self)
        self._marker = marker
        self._meter = MemoryMeter()
        self._locals: dict[int, Local] = {}
        self._barriers: dict[int, Barriers] = {}
        self._dirty: set[Place] = set()
        self._fetching = self._committing = self._reading_ahead = False
        self._pause_ms = COMMIT_MS
        self.tiers = ProcessTiers(self)
        self._hold = Hold(self.tiers, world.clock, self._meter, TIERS)
        book = plant.book(world.book)
        self.deliver = Deliver(
            clock=plant.clock(world.clock),
            entropy=SeededEntropy(world.chance.getrandbits(32)),
            sender=plant.sender(ProcessSender(self), self),
            outbox=self._outbox,
            marker=marker,
            meter=self._meter,
            shared=world.shared,
            policies=lambda: book,
            limits=DeliverLimits(tiers=TIERS, partitions=PARTITIONS, worker=f"w{slot}", settle_pace_ms=SETTLE_MS),
        )
        self.claim = ClaimStage(world.clock, self._outbox, self._meter, ClaimLimits())
        self._hold_wakes, self._intake_wakes = asyncio.Event(), asyncio.Event()
        self._tasks = [self._spawn(job) for job in self._jobs()]
        world.loop.after_ms(SWEEP_MS, self._now_and_then, SWEEP_MS, self._sweep)
        world.loop.after_ms(LOOK_MS, self._now_and_then, LOOK_MS, self._look)

    def _jobs(self) -> list[Coroutine[Any, Any, None]]:
        return [
            self.deliver.settler.run(),
            self.deliver.keeper.run(),
            self.claim.run(),
            self._run_hold(),
            self._take_in(),
        ]

    def _spawn(self, job: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self.world.loop.create_task(job)

    # Death

    def dies(self, point: CrashPoint) -> bool:
        """Pass a point, at which the process may end; tell whether it is dead."""
        if self.armed is point and not self.dead and self.lease.held():
            self.die(point)
        return self.dead

    def die(self, point: CrashPoint | None) -> None:
        """End without a word: from now on nothing has any effect."""
        self.dead, self.armed = True, None
        self.lease.lose()
        self._marker.die()
        self.world.loop.call_soon(self._bury)
        self.world.died(self, point)

    def end(self) -> None:
        """End cleanly, after all has been handed over."""
        self.dead = True
        self._marker.stop()
        self._bury()

    def lives(self) -> bool:
        """Tell whether it has not died."""
        return not self.dead

    async def gone(self) -> NoReturn:
        """Never return: a dead process does not go on."""
        await self.world.loop.create_future()
        raise AssertionError("a dead process went on")

    def _bury(self) -> None:
        for owned in self.owned.values():
            owned.close()
        self.deliver.gate.stop()
        for task in self._tasks:
            task.cancel()
        self.windows = {}

    # Assignments

    def assign(self, numbers: Sequence[int], generation: int) -> None:
        """Begin an assignment with these partitions; each gets objects of its own."""
        world, broker = self.world, self.world.broker
        self._locals = {number: local for number, local in self._locals.items() if number in numbers}
        self.windows, self.owned, self._barriers, self._dirty = {}, {}, {}, set()
        for number in numbers:
            world.owner[number] = self
            local = self._recovered(number)
            local.lanes.take_over(world.clock.now_ms())
            epoch = max(generation, local.table.epoch + 1)
            lease = world.plant.lease(self.lease)
            claims = world.plant.claims(local.claims)
            self.owned[number] = Owned(number, epoch, local.table, claims, local.lanes, lease)
            for topic in (REQUESTS, *STAGES, *TIER_NAMES):
                place = (topic, number)
                self.windows[place] = world.plant.window(broker.committed[place], 2_000, 1 << 26)
                if topic in (REQUESTS, *STAGES):
                    self._dirty.add(place)
            ends = {topic: len(broker.logs[topic, number]) for topic in STAGES}
            windows = {topic: self.windows[topic, number] for topic in STAGES}
            self._barriers[number] = Barriers(windows, ends, world.clock.now_ms() / 1000)
            self.owned[number].firsts_done = Firsts(windows[DELIVERIES], ends[DELIVERIES]).done
        self.tiers.assigned()
        self._hold_wakes.set()
        self._intake_wakes.set()
        self.deliver.resume()
        self.claim.resume()
        self._fetch_soon()
        self._commit_soon()

    def _recovered(self, number: int) -> Local:
        world = self.world
        local = self._locals.get(number)
        if local is None:
            local = self._locals[number] = Local(world.plant.table())
        claims = []
        for offset, key, value in world.broker.changes(number, local.applied):
            local.applied = offset
            local.offsets.read_to(offset + 1)
            if len(key) == 16:
                local.table.recover(key, value)
            elif key.startswith(LANE_PREFIX):
                local.lanes.recover(key, value)
            elif value is not None:
                claims.append((key[1:], unpack_claim(value)))
        local.claims.forget_many([key for key, _ in claims])
        local.claims.put_many(claims)
        for key in world.late_keys[number]:
            world.oracle.recovered(number, key, local.table.get(key))
        world.late_keys[number].clear()
        return local

    def logged(self, number: int, offset: int) -> None:
        """Note that a change of ours landed at an offset: the stages apply it themselves."""
        if (local := self._locals.get(number)) is not None:
            local.applied = max(local.applied, offset)
            local.offsets.wrote(offset, offset + 1)

    def owned_of(self, delivery: Delivery) -> Owned | None:
        """Return the assignment under which a delivery is sent."""
        return self.owned.get(home_of(delivery))

    async def release(self) -> bool:
        """End the assignment: drain, commit, forget; tell whether everything was drained."""
        if not self.owned:
            return True
        drained = all(await asyncio.gather(self.deliver.drain(DRAIN_MS), self.claim.drain(DRAIN_MS)))
        if self.dead:
            return False
        if self.lease.held():
            self.commit()
        if not self.lives():
            return False
        self._give_up(clean=drained and self.lease.held())
        return drained

    def abandon(self) -> None:
        """Give everything up at once: the lease is lost."""
        self._give_up(clean=False)

    def _give_up(self, *, clean: bool) -> None:
        for number, owned in self.owned.items():
            self.deliver.give_up(owned)
            self.claim.give_up(owned)
            owned.close()
            # Of what was dealt to another before it was noticed here, it is noted already.
            if not clean and self.world.owner[number] is self:
                self.world.oracle.lost[number] += 1
        self._hold.forget(self.tiers.places())
        self.owned, self.windows = {}, {}
        self.tiers.assigned()
        if not clean:
            self._locals = {}

    # Reading and committing

    def appended(self, topic: str, partition: int) -> None:
        """Note a new record on a partition of ours."""
        place = (topic, partition)
        if place not in self.windows:
            return
        if topic in TIER_NAMES:
            if self.tiers.appended(place, len(self.world.broker.logs[place]) - 1) or not self._reading_ahead:
                self._read_ahead()
        elif topic == REQUESTS:
            self._intake_wakes.set()
        else:
            self._dirty.add(place)
            self._fetch_soon()

    def _fetch_soon(self, delay_ms: int | None = None) -> None:
        if not self._fetching:
            self._fetching = True
            self.world.loop.after_ms(delay_ms or self.world.chance.randint(*FETCH_MS), self._fetch)

    def _fetch(self) -> None:
        self._fetching = False
        if self.dead:
            return
        places, self._dirty = sorted(self._dirty), set()
        for place in places:
            window, owned = self.windows.get(place), self.owned.get(place[1])
            if window is None or owned is None or place[0] == REQUESTS:
                continue
            if self._hand_over(place, window, owned):
                self._dirty.add(place)
            if not self.lives():
                return
        if self._dirty:
            self._fetch_soon(50)
        self._commit_soon()
        if self.armed is CrashPoint.QUEUED:
            self.world.loop.after_ms(3, self._while_queued)

    def _while_queued(self) -> None:
        if any(owned.queued for owned in self.owned.values()):
            self.dies(CrashPoint.QUEUED)

    def _hand_over(self, place: Place, window: Window, owned: Owned) -> bool:
        """Hand a batch to its stage; tell whether there is more to read."""
        world, (topic, number) = self.world, place
        log = world.broker.logs[place]
        first = window.next_offset
        if first >= len(log):
            return False
        if window.full and topic != CONTROL:
            return True
        if self.dies(CrashPoint.READ):
            return False
        chance, chances = world.chance, world.chances
        luck = chance.random()
        if luck < chances.again:
            first = max(0, first - chance.randint(1, 5))
            world.injected["read again"] += 1
        elif luck < chances.again + chances.hole:
            first += 1
            world.injected["hole in a fetch"] += 1
        records = [(first + at, 100, item) for at, item in enumerate(log[first : first + _MOST_FETCHED])]
        stage = self.claim if topic == CLAIMS else self.deliver
        with suppress(HoleError):
            stage.accept(Batch(topic, number, window, records), owned)
        return window.next_offset < len(log)

    def _commit_soon(self) -> None:
        self._pause_ms = COMMIT_MS
        if not self._committing:
            self._committing = True
            self.world.loop.after_ms(COMMIT_MS, self._commit_now)

    def _commit_now(self) -> None:
        self._committing = False
        if self.dead:
            return
        moved = self.commit()
        if not self.lives() or all(window.drained for window in self.windows.values()):
            return
        # What is stuck is looked at less and less often, so that a run comes to its end.
        self._pause_ms = COMMIT_MS if moved else min(2 * self._pause_ms, 20 * COMMIT_MS)
        self._committing = True
        self.world.loop.after_ms(self._pause_ms, self._commit_now)

    def commit(self) -> bool:
        """Commit the finished prefixes; tell whether anything moved."""
        if not self.lease.held():
            return False
        broker = self.world.broker
        ends = [(place, window.committable) for place, window in self.windows.items()]
        moved = [(place, end) for place, end in ends if end != broker.committed[place]]
        if not moved or self.dies(CrashPoint.SETTLED):
            return False
        for place, end in moved:
            self.world.commit(self, place, end)
        self.dies(CrashPoint.COMMITTED)
        return True

    # The stages that have loops of their own

    async def _take_in(self) -> None:
        while True:
            await self._intake_wakes.wait()
            self._intake_wakes.clear()
            await self.world.clock.sleep_ms(self.world.chance.randint(*FETCH_MS))
            for place in [place for place in self.windows if place[0] == REQUESTS]:
                if (window := self.windows.get(place)) is not None:
                    await self._admit(place, window)

    async def _admit(self, place: Place, window: Window) -> None:
        world = self.world
        first = window.next_offset
        batch = world.broker.logs[place][first : first + _MOST_FETCHED]
        if not batch or self.dies(CrashPoint.READ):
            return
        for raw, _ in batch:
            window.take(raw.offset, 100)
        if window.next_offset < len(world.broker.logs[place]):
            self._intake_wakes.set()
        now_ms = world.clock.now_ms()
        emits = [emit for raw, reading in batch for emit in admit(raw, reading, now_ms, world.book)]
        while True:
            try:
                await self._outbox.publish(emits)
                break
            except Abandoned:
                return
            except Refused:
                await world.clock.sleep_ms(1_000)
                if self.windows.get(place) is not window:
                    return
        for raw, _ in batch:
            window.finish(raw.offset)
        if self.windows.get(place) is window:
            self._commit_soon()

    def _read_ahead(self) -> None:
        """Let hold read a little later what has come, all of it at once; a round for each record would be the run's cost."""
        self._reading_ahead = True
        release_ms = self.tiers.next_release_ms()
        soon_ms = READ_AHEAD_MS if release_ms is None else release_ms - self.world.clock.now_ms()
        self.world.loop.after_ms(max(0, min(READ_AHEAD_MS, soon_ms)), self._hold_wakes.set)

    async def _run_hold(self) -> None:
        clock, tiers = self.world.clock, self.tiers
        while True:
            release_ms = tiers.next_release_ms()
            wait_ms = None if release_ms is None else max(0, release_ms - clock.now_ms())
            if wait_ms is None or wait_ms > 0:
                self._hold_wakes.clear()
                await self._until_woken(None if wait_ms is None else wait_ms + GATHER_MS)
            self._reading_ahead = False
            try:
                await self._hold.round()
            except (Refused, Abandoned):
                self._reset_hold()
                await clock.sleep_ms(1_000)
            self._commit_soon()

    async def _until_woken(self, wait_ms: int | None) -> None:
        if wait_ms is not None:
            self.world.loop.after_ms(wait_ms, self._hold_wakes.set)
        await self._hold_wakes.wait()

    def _reset_hold(self) -> None:
        broker = self.world.broker
        self._hold.forget(list(self.tiers.places()))
        for place in self.tiers.places():
            self.windows[place] = self.world.plant.window(broker.committed[place], 2_000, 1 << 26)
        self.tiers.assigned()

    # Forgetting

    def _now_and_then(self, every_ms: int, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if self.dead:
            return
        self.world.loop.after_ms(every_ms, self._now_and_then, every_ms, job)
        if self.lease.held():
            self.world.loop.create_task(job())

    async def _look(self) -> None:
        world, broker = self.world, self.world.broker
        for number, owned in list(self.owned.items()):
            if (local := self._locals.get(number)) is None:
                continue
            local.offsets.ends_at(broker.next_change[number])
            if gaps := local.offsets.lasting():
                late = [key for offset, key, _ in broker.changelog[number] if any(offset in gap for gap in gaps)]
                local.table.outranked.update(key for key in late if len(key) == 16)
                local.offsets.forget(gaps)
            with suppress(Abandoned, Refused):
                world.restated += await restate(owned, self._outbox, self.deliver.release)

    async def _sweep(self) -> None:
        world = self.world
        now_s = world.clock.now_ms() / 1000
        intake: Mapping[int, int] = {number: world.broker.committed[REQUESTS, number] for number in range(PARTITIONS)}
        self.deliver.keeper.forget_idle()
        for number, owned in list(self.owned.items()):
            barriers = self._barriers[number]
            barriers.move({topic: world.broker.committed[topic, number] for topic in STAGES}, now_s)
            with suppress(Abandoned, Refused):
                world.forgotten += await sweep(
                    owned, Passed(now_s, barriers.safe_before_s, intake), self._outbox, self.deliver.release
                )
