"""The case of a replay of dead letters that is killed half-way and run again (RELIABILITY §7 C12)."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.beat import excess
from bench.faults.case import Case, Finding, Scale
from bench.faults.ground import Ground
from bench.faults.shown import found
from bench.faults.stage import Setting, Stage, now_ms, stage, told_of
from bench.report import Shown
from streamer.core.command import Command
from streamer.wire.command_record import decode_command
from streamer.wire.instants import format_instant
from tests.support.installation import ROOT, environment
from tests.support.topic_log import TopicLog, topic_log

_MEANT, _OTHER = 0, 1
#: What two commands that follow each other may be nearer than the rate says, by what the broker takes for each.
_BURST = 3
_WITHIN_S = 240.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many dead letters are meant, how many others there are of each kind, and commands a second."""

    meant: int
    others: int
    per_s: int


async def replay(ground: Ground, scale: Scale) -> Finding:
    """Replay one domain's newer dead letters, kill the command half-way, and run it twice more."""
    sizes = Sizes(10_000, 2_000, 500) if scale is Scale.FULL else Sizes(400, 100, 50)
    # Each lane is a worker's; calls of one domain at once are not what is looked at.
    async with stage(ground, Setting(2, workers=2, settings={"worker.domain_concurrency": 100})) as made:
        place = made.place
        older = await _failed(made, _MEANT, sizes.others)
        since_ms = now_ms()
        other = await _failed(made, _OTHER, sizes.others)
        meant = await _failed(made, _MEANT, sizes.meant)
        asked = ["--domain", made.lane(_MEANT), "--since", format_instant(since_ms), "--rate", f"{sizes.per_s}/s"]
        async with topic_log(place.bootstrap, place.topics.control, place.partitions, _command) as control:
            written = await _killed_half_way(made, asked, control, sizes.meant // 2)
            again = await _run(made, asked)
            third = await _run(made, asked)
            await made.told.until(lambda told: _ended_again(told) >= set(meant), _WITHIN_S)
            commands = await control.to_end()
        verdict = await made.ended(60)
    calls = Counter(call.id for call in made.domains.arrivals())
    audit = Counter(result["task_id"] for result in made.told.items if result["outcome"] == "control")
    shown = _judged(sizes, commands, calls, meant, [*older, *other])
    shown += [
        Shown(f"run again: {again.get('replayed', 0)} replayed", again.get("replayed", 0) == sizes.meant - written),
        Shown(f"a third run replayed {third.get('replayed', 0)}", not third.get("replayed")),
        Shown(f"{len(audit)} tasks have an answer on results", audit.keys() == set(meant)),
        Shown(f"anomalies: {told_of(verdict)[1]}", verdict.clean),
        Shown(f"commands that are told by {', '.join({c.by for _, c in commands})}", all(c.by for _, c in commands)),
    ]
    told = [f"{sizes.meant} dead letters, killed after {written}", f"run again: {dict(again)}", *told_of(verdict)[1:]]
    told.append(shown[1].text)
    figures = {"meant": sizes.meant, "killed_after": written, "again": dict(again), "third": dict(third)}
    return found(told, shown, figures, applied=0 < written < sizes.meant)


def _judged(
    sizes: Sizes,
    commands: Sequence[tuple[int, Command]],
    calls: Counter[str],
    meant: Sequence[str],
    others: Sequence[str],
) -> list[Shown]:
    by_task = Counter(command.task_id for _, command in commands)
    beyond = excess(sorted(at_ms / 1000 for at_ms, _ in commands), sizes.per_s, _BURST)
    twice = {task: calls[task] for task in meant if calls[task] != 2}
    touched = [task for task in others if calls[task] != 1 or task in by_task]
    return [
        Shown(f"tasks with one command: {len(by_task)}", set(by_task) == set(meant) and set(by_task.values()) == {1}),
        Shown(f"commands beyond {sizes.per_s}·t + {_BURST}: {beyond.calls:+.2f}", beyond.calls <= 0),
        Shown(f"replayed other than once: {list(twice.items())[:5]}", not twice),
        Shown(f"of other domains or older, and touched: {touched[:5]}", not touched),
    ]


async def _failed(made: Stage, domain: int, count: int) -> list[str]:
    """Make tasks that fail for good at their first call, and would succeed at the next."""
    tasks = await made.publish({"url": made.url(domain, f"fail/1/400?{number}")} for number in range(count))
    wanted = set(tasks)
    await made.told.until(lambda _: made.results.ended >= wanted, _WITHIN_S)
    return tasks


async def _killed_half_way(made: Stage, asked: Sequence[str], control: TopicLog[tuple[int, Command]], half: int) -> int:
    """Run the replay, kill it when half of its commands are written; return how many it wrote."""
    # What it says would fill a pipe that nobody reads, and stop it.
    process = await _start(made, asked, out=asyncio.subprocess.DEVNULL)
    try:
        await control.until(lambda commands: len(commands) >= half, _WITHIN_S)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
    return len(await control.to_end())


async def _run(made: Stage, asked: Sequence[str]) -> Counter[str]:
    """Run the replay to its end, and count what it told of each dead letter."""
    process = await _start(made, asked)
    async with asyncio.timeout(_WITHIN_S):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return Counter(row["action"] for row in map(json.loads, out.splitlines()) if "action" in row)


async def _start(made: Stage, asked: Sequence[str], out: int = asyncio.subprocess.PIPE) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *made.place.command("dead-letters", "replay", *asked, "--yes", "--json"),
        cwd=ROOT,
        env=environment(),
        stdout=out,
        stderr=asyncio.subprocess.PIPE,
    )


def _command(record: Any) -> tuple[int, Command]:
    return record.timestamp, decode_command(record.value)


def _ended_again(told: Sequence[dict[str, Any]]) -> set[str]:
    return {result["task_id"] for result in told if result["final"] and result["generation"] == 2}


REPLAY = (
    Case(
        "C12",
        "a replay of dead letters is killed half-way, and run again",
        "each once, by filter and rate exactly",
        replay,
    ),
)
