"""Shows what the values of a task cost to make, as Structs and as dataclasses of the same fields.

``python -m bench.values`` needs no broker and takes half a minute. Each figure is CPU, the best of several rounds.
"""

from __future__ import annotations

import dataclasses
import gc
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct, structs
from rich.console import Console
from rich.table import Table

from bench.value_samples import of_one_task

_ROUNDS, _CALLS = 9, 20_000
_TASKS_ROUNDS, _TASKS = 3, 100_000
#: So many tasks are in hand at once, and the collector is set, as in a worker.
_IN_HAND = 2_000
_THRESHOLDS = (10_000, 20, 10)

Make = Callable[[], object]


def as_dataclass(kind: type[Struct]) -> Callable[..., Any]:
    """Return the slotted dataclass of the same fields, frozen where the Struct is."""
    fields = [
        (field.name, Any) if field.default is NODEFAULT else (field.name, Any, dataclasses.field(default=field.default))
        for field in structs.fields(kind)
    ]
    config = kind.__struct_config__
    return dataclasses.make_dataclass(kind.__name__, fields, frozen=config.frozen, eq=config.eq, slots=True)


def as_tracked(kind: type[Struct]) -> Callable[..., Any]:
    """Return the Struct of the same fields that the cyclic collector knows."""
    fields = [
        (field.name, Any) if field.default is NODEFAULT else (field.name, Any, field.default)
        for field in structs.fields(kind)
    ]
    config = kind.__struct_config__
    return msgspec.defstruct(kind.__name__, fields, frozen=config.frozen, eq=config.eq)


def best_us(call: Make, calls: int = _CALLS, rounds: int = _ROUNDS) -> float:
    """Return the CPU of one call in the best round."""
    took_s: list[float] = []
    for _ in range(rounds):
        begun_s = time.thread_time()
        for _ in range(calls):
            call()
        took_s.append(time.thread_time() - begun_s)
    return min(took_s) / calls * 1e6


def passing_us(makes: Iterable[Make]) -> float:
    """Return the CPU a task, of many that pass through a window: all its values are made, and dropped when it is done."""
    in_hand: deque[list[object]] = deque(maxlen=_IN_HAND)
    every = list(makes)
    return best_us(lambda: in_hand.append([make() for make in every]), _TASKS, _TASKS_ROUNDS)


def main() -> None:
    """Print a line for each value, their sum, and what tasks cost that pass through a window."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    table = Table("value", "of a task", "dataclass, µs", "Struct, µs")
    of_all = [0.0, 0.0]
    for kind, count, given in of_one_task():
        both = [best_us(partial(make, *given)) for make in (as_dataclass(kind), kind)]
        of_all = [total + us * count for total, us in zip(of_all, both, strict=True)]
        table.add_row(kind.__name__, str(count), *(f"{us:.2f}" for us in both))
    each = [(kind, given) for kind, count, given in of_one_task() for _ in range(count)]
    table.add_row("all of a task", str(len(each)), *(f"{us:.1f}" for us in of_all))
    old, tracked, new = (
        passing_us([partial(form(kind), *given) for kind, given in each])
        for form in (as_dataclass, as_tracked, lambda kind: kind)
    )
    table.add_row("one of 100,000 tasks that pass", "", f"{old:.1f}", f"{new:.1f}")
    table.add_row("the same, gc=True for all", "", "", f"{tracked:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
