"""The consumer group: who owns what, how it is dealt anew, and what befalls its members."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from streamer.adapters.memory.marker import MemoryMarker
from tests.simulation.storm.plan import PARTITIONS, WORKERS, Blow, BlowKind
from tests.simulation.storm.process import Process

if TYPE_CHECKING:
    from tests.simulation.storm.world import World

#: When the group gives up a silent member, how soon one that is to be quick is back, and when the others are.
SESSION_MS, BACK_MS, AWAY_MS = 10_000, (1_500, 8_000), (14_000, 40_000)
#: A worker that was to die at a point and never passed there dies anyway after so long.
PATIENCE_MS = 15_000
#: When a blow that finds nobody to strike is tried again.
AGAIN_MS = 3_000


class Group:
    """Keeps a process in each slot, and deals the partitions among those that are there."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.generation = 0
        self._markers = [MemoryMarker() for _ in range(WORKERS)]
        self.members = [Process(world, slot, marker) for slot, marker in enumerate(self._markers)]
        self._dealing = self._again = False

    def deal(self) -> None:
        """Deal the partitions anew: all drain and hand over first."""
        self._again = True
        if not self._dealing:
            self._dealing = True
            self._world.loop.create_task(self._deal())

    async def _deal(self) -> None:
        while self._again:
            self._again = False
            await asyncio.gather(*(member.release() for member in self.members if _lives(member)))
            await self._world.clock.sleep_ms(50)
            self.generation += 1
            for number, owner in enumerate(self._world.owner):
                if owner is not None and not owner.dead and number in owner.owned:
                    # Without its lease it was not asked to release anything, and has not noticed yet.
                    self._world.oracle.lost[number] += 1
            self._world.owner = [None] * PARTITIONS
            there = [member for member in self.members if _lives(member)]
            for place, member in enumerate(there):
                numbers = [number for number in range(PARTITIONS) if (number + self.generation) % len(there) == place]
                member.assign(numbers, self.generation)
        self._dealing = False

    # What befalls a member

    def strike(self, blow: Blow) -> None:
        """Let something go wrong: with another one, or later, where the victim is away."""
        world = self._world
        slots = [(blow.victim + more) % WORKERS for more in range(WORKERS)]
        there = [self.members[slot] for slot in slots if _lives(self.members[slot])]
        member = next((member for member in there if member.armed is None), None)
        if member is None:
            world.loop.after_ms(AGAIN_MS, self.strike, blow)
            return
        world.blows[blow.kind] += 1
        if blow.kind in (BlowKind.BOUNCE, BlowKind.CRASH):
            world.away[member] = blow.kind is BlowKind.CRASH
            member.armed = blow.point
            world.loop.after_ms(PATIENCE_MS, self._die_anyway, member)
        elif blow.kind is BlowKind.REBALANCE:
            self.deal()
        elif blow.kind is BlowKind.RESTART:
            world.loop.create_task(self._restart(member))
        else:
            member.lease.lose()
            world.loop.after_ms(world.chance.randrange(world.plant.notices_ms), self._cut_off, member)

    def _die_anyway(self, member: Process) -> None:
        if not member.dead and member.armed is not None:
            member.die(None)

    def died(self, member: Process) -> None:
        """Note a death: the member is back soon, or its partitions go to the others."""
        world, generation = self._world, self.generation
        numbers = [number for number, owner in enumerate(world.owner) if owner is member]
        for number in numbers:
            world.oracle.lost[number] += 1
        back_ms = world.chance.randrange(*(AWAY_MS if world.away.get(member) else BACK_MS))
        if back_ms > SESSION_MS:
            world.loop.after_ms(SESSION_MS, self.deal)
        world.loop.after_ms(back_ms, self._back, member, numbers, generation)

    async def _restart(self, member: Process) -> None:
        numbers = [number for number, owner in enumerate(self._world.owner) if owner is member]
        generation = self.generation
        await member.release()
        if not member.dead:
            member.end()
            self._world.loop.after_ms(3_000, self._back, member, numbers, generation)

    def _back(self, member: Process, numbers: list[int], generation: int) -> None:
        new = self.members[member.slot] = Process(self._world, member.slot, self._markers[member.slot])
        if numbers and generation == self.generation and not self._dealing:
            # Within its session a static member finds the group as it was.
            new.assign(numbers, generation)
        else:
            self.deal()

    def _cut_off(self, member: Process) -> None:
        if not member.dead:
            member.abandon()
            self._world.loop.after_ms(SESSION_MS, self._rejoin, member)

    def _rejoin(self, member: Process) -> None:
        if not member.dead:
            member.lease.renew()
            self.deal()


def _lives(member: Process) -> bool:
    return not member.dead and member.lease.held()
