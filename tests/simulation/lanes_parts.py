"""What a simulation of many lanes is made of: tasks, and the workers that hold them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from math import inf

from streamer.core.grant import Grant
from streamer.core.lane_book import LaneBook
from streamer.core.lanes import Lanes
from tests.simulation.lanes_plan import Domain


@dataclass(slots=True, eq=False)
class Task:
    """A task and where it stands; ``lost`` counts calls of it whose end nobody learned."""

    number: int
    domain: Domain
    shard: int
    partition: int
    business: str
    priority: int
    shares_key: bool
    arrived_ms: int
    expires_ms: float
    due_ms: int = 0
    attempt: int = 1
    promise_ms: int | None = None
    waits: int = 0
    slot_ms: int | None = None
    lost: int = 0
    deferrals: int = 0
    begun_ms: int | None = None
    ended: str | None = None


@dataclass(slots=True, eq=False)
class Worker:
    """A process: its lanes, the books of its partitions, and the tasks in hand of each partition."""

    name: str
    lanes: Lanes[Task]
    books: dict[int, LaneBook] = field(default_factory=dict)
    draining: set[int] = field(default_factory=set)
    in_hand: defaultdict[int, dict[Task, Grant[Task] | None]] = field(default_factory=lambda: defaultdict(dict))
    alarm_ms: float = inf
    keeping: bool = False
    dead: bool = False
