"""Seeds against the guarantees: whatever the weather, no task is lost, none is early, none goes on after its end."""

from __future__ import annotations

import pytest

from streamer.core.emit import FirstPass
from tests.simulation.world import CALM, CLEAR, Weather, World

STEPS = 90


async def played(seed: int, weather: Weather) -> World:
    """Play a seed to its end, and check what holds in every weather."""
    world = World(seed, weather)
    await world.play(STEPS)
    await world.stop()
    states = {name: world.oracle.entry(name) for name in world.due_at_ms}
    assert world.oracle.violations == []
    assert [name for name, entry in states.items() if entry is None or not entry.terminal] == []
    assert len(states) > 80
    return world


# A few seeds for every change; the rest where time is no matter.
@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 20))])
async def test_storm(seed: int) -> None:
    """Crashes, torn and doubled writes, repeats and faults: every task ends once, no attempt is sent more often than we died."""
    world = await played(seed, Weather())
    assert world.deaths > 3
    assert max(world.sends().values()) <= 1 + world.deaths
    # A pass that a crash repeats is the same record's: an id belongs to whoever claimed it.
    origins = {(emit.delivery.task_id, emit.delivery.origin) for emit in world.desk.outbox.of(FirstPass)}
    assert len(origins) == len({task_id for task_id, _ in origins})


@pytest.mark.parametrize("seed", range(5))
async def test_calm(seed: int) -> None:
    """RELIABILITY A4: without a death, doubled writes and repeats cost nothing: each attempt is sent once, each end told as one."""
    world = await played(seed, CALM)
    assert set(world.sends().values()) == {1}
    assert {len(states) for states in world.ends().values()} == {1}


async def test_seed_repeats_exactly() -> None:
    """One seed is one run: the same calls at the same instants."""
    first, second = await played(3, Weather()), await played(3, Weather())
    assert [(one.delivery, one.at_ms) for one in first.desk.sender.sent] == [
        (one.delivery, one.at_ms) for one in second.desk.sender.sent
    ]


async def test_clear_weather_needs_no_second_look() -> None:
    """Where nothing goes wrong nothing is dropped as not current but what a cancel or a replay has overtaken."""
    world = await played(1, CLEAR)
    assert world.desk.meter.counted("faults") == 0
    assert max(world.sends().values()) == 1
