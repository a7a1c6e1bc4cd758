"""What changes as the work grows? Domains, tasks in the table, bytes of a body, partitions, tasks that wait.

``python -m bench.growth --only domains bodies`` measures some of these; each row is a fresh installation and worker.
"""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from bench import recovery
from bench.backlog import warm_up
from bench.cell import Conditions, cell
from bench.measure import LEAD, Figures, at_once, from_backlog
from bench.rig import Rig
from bench.run import Part, alone, parser, say
from bench.tables import deliveries, plain

_KIB, _MIB = 1024, 1024 * 1024
#: A worker's first tasks cost more than the others, whatever they are.
WARM_TASKS = 2_000
#: Large bodies are fewer, and the publisher less far ahead: it is not the broker's disk that is measured.
_MOST_BYTES, _MOST_AHEAD_BYTES = 160 * _MIB, 32 * _MIB


async def domains(rig: Rig, args: Namespace) -> dict[str, Part]:
    """Measure publishing and delivering by the number of domains, each of which has been called before.

    The settings are those of who expects so many: with the usual ones most calls to more than a thousand domains would make a
    client and a connection anew, which costs half as much as a delivery.
    """
    rows, most = {}, max(args.domains)
    sized = {"http.clients_max": max(1_024, most), "http.idle_total": max(100, most)}
    for number in args.domains:
        async with cell(rig, Conditions(domains=number, seed=args.seed, changed=sized)) as made:
            await at_once(made, max(number, WARM_TASKS))
            say(f"{number} domains: {args.tasks} tasks, publish and deliver")
            rows[f"{number} domains"] = await at_once(made, args.tasks)
    return {"domains": Part([deliveries("by domains; CPU in ms per delivery", rows)], rows)}


async def bodies(rig: Rig, args: Namespace) -> dict[str, Part]:
    """Measure publishing and delivering by the size of a body."""
    rows: dict[str, Figures] = {}
    for kib in args.bodies:
        size = kib * _KIB
        tasks = min(args.tasks, _MOST_BYTES // size)
        async with cell(rig, Conditions(body_bytes=size, seed=args.seed)) as made:
            say(f"bodies of {kib} KiB: {tasks} tasks, publish and deliver")
            figures = await at_once(made, tasks, lead=min(LEAD, _MOST_AHEAD_BYTES // size))
        rows[f"{kib} KiB"] = figures | {"mb_per_s": round(figures["per_s"] * size / 1e6, 1)}
    speeds = plain(
        "by size of the body", ("", "tasks/s", "MB/s"), [(n, r["per_s"], r["mb_per_s"]) for n, r in rows.items()]
    )
    return {"bodies": Part([speeds, deliveries("the same; CPU in ms per delivery", rows)], rows)}


async def partitions(rig: Rig, args: Namespace) -> dict[str, Part]:
    """Measure one worker on the partitions of several."""
    rows = {}
    for number in args.partitions:
        async with cell(rig, Conditions(domains=max(20, number), partitions=number, seed=args.seed)) as made:
            say(f"{number} partitions: {args.tasks} tasks, publish and deliver")
            rows[f"{number} partitions"] = await at_once(made, args.tasks)
    return {"partitions": Part([deliveries("by partitions, one worker; CPU in ms per delivery", rows)], rows)}


async def memory(rig: Rig, args: Namespace) -> dict[str, Part]:
    """Measure a worker's memory by the backlog that it finds."""
    rows = {}
    for tasks in args.backlogs:
        async with cell(rig, Conditions(seed=args.seed)) as made:
            say(f"a backlog of {tasks} tasks")
            rows[f"{tasks} tasks wait"] = await from_backlog(made, tasks)
    return {"memory": Part([deliveries("by what waits; CPU in ms per delivery", rows)], rows)}


QUESTIONS = {
    "domains": domains,
    "table": recovery.measure,
    "bodies": bodies,
    "partitions": partitions,
    "memory": memory,
}


async def measure(rig: Rig, args: Namespace) -> Mapping[str, Part]:
    """Answer the questions that are asked."""
    parts: dict[str, Any] = {}
    for name in args.only:
        parts |= await QUESTIONS[name](rig, args)
    return parts


def add_flags(flags: argparse.ArgumentParser) -> None:
    """Add how much of everything."""
    recovery.add_flags(flags)
    flags.add_argument("--tasks", type=int, default=20_000, help="tasks of each run")
    flags.add_argument("--domains", type=int, nargs="+", default=[10, 100, 1_000, 10_000])
    flags.add_argument("--bodies", type=int, nargs="+", default=[1, 16, 64, 256], help="KiB")
    flags.add_argument("--partitions", type=int, nargs="+", default=[12, 24, 48, 96])
    flags.add_argument("--backlogs", type=int, nargs="+", default=[10_000, 100_000], help="tasks that wait")


def main() -> None:
    """Answer every question, or some."""
    flags = parser("growth", __doc__)
    add_flags(flags)
    flags.add_argument("--only", nargs="+", choices=QUESTIONS, default=list(QUESTIONS))
    args = flags.parse_args()

    async def all_of_it(rig: Rig) -> Mapping[str, Part]:
        await warm_up(rig)
        return await measure(rig, args)

    alone("growth", args, all_of_it)


if __name__ == "__main__":
    main()
