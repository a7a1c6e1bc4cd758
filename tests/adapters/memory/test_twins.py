"""The small twins: meter, lease, chance, and an outbox that goes wrong as it is told."""

from __future__ import annotations

import asyncio

import pytest

from streamer.adapters.memory.clock import VirtualClock
from streamer.adapters.memory.entropy import FixedEntropy, SeededEntropy
from streamer.adapters.memory.lease import MemoryLease
from streamer.adapters.memory.meter import MemoryMeter
from streamer.adapters.memory.outbox import ALL, MemoryOutbox
from streamer.core.emit import FirstPass
from tests.core.samples import a_delivery

EMITS = [FirstPass(a_delivery(attempt=attempt)) for attempt in (1, 2, 3)]


def test_meter_counts_by_name_and_label_and_refuses_names_that_are_not_listed() -> None:
    """A counter that production would not know fails here too."""
    meter = MemoryMeter()
    meter.count("claims", 2, "first")
    meter.count("claims", label="again")
    assert (meter.counted("claims"), meter.counted("claims", "first"), meter.counted("faults")) == (3, 2, 0)
    with pytest.raises(KeyError, match="no_such"):
        meter.count("no_such")


def test_lease_is_a_switch() -> None:
    """Held, lost, held again."""
    lease = MemoryLease()
    assert lease.held()
    lease.lose()
    assert not lease.held()
    lease.renew()
    assert lease.held()


def test_chance_repeats() -> None:
    """One seed is one sequence within [0, 1)."""
    first, second = SeededEntropy(7), SeededEntropy(7)
    numbers = [first.unit() for _ in range(50)]
    assert numbers == [second.unit() for _ in range(50)]
    assert all(0 <= number < 1 for number in numbers)
    assert len(set(numbers)) == 50
    assert FixedEntropy(0.25).unit() == 0.25


@pytest.mark.parametrize(("landed", "kept"), [(0, []), (2, EMITS[:2]), (ALL, EMITS)])
async def test_outbox_fails_with_as_much_landed_as_told(landed: int, kept: list[FirstPass]) -> None:
    """A failed write leaves its first records behind, and the next one is good."""
    outbox = MemoryOutbox()
    outbox.fail("publish", OSError("no broker"), landed=landed)
    with pytest.raises(OSError, match="no broker"):
        await outbox.publish(EMITS)
    assert outbox.published == kept
    await outbox.publish(EMITS)
    assert outbox.published == [*kept, *EMITS]


async def test_outbox_writes_again_what_was_not_answered() -> None:
    """Trouble without an error is a producer's own second try: records twice, and success."""
    outbox = MemoryOutbox()
    outbox.fail("publish", None, landed=2, after=1)
    await outbox.publish(EMITS[:1])
    await outbox.publish(EMITS)
    assert outbox.of(FirstPass) == [EMITS[0], *EMITS[:2], *EMITS]


async def test_outbox_holds_acknowledgements_back() -> None:
    """Blocked records have landed, but nobody is told before the release."""
    outbox = MemoryOutbox()
    outbox.block("publish")
    writing = asyncio.create_task(outbox.publish(EMITS))
    await VirtualClock().settle()
    assert (outbox.published, outbox.waiting, writing.done()) == (EMITS, 1, False)
    outbox.unblock("publish")
    await writing
    assert outbox.waiting == 0
