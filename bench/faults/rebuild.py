"""The case of workers that have lost all they kept on disk, and the case of targets that fail by chance (RELIABILITY §7 B11)."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Mapping
from typing import Any

from bench.faults.case import Case, Finding, Scale
from bench.faults.field import Field, under_load
from bench.faults.findings import found
from bench.faults.ground import Ground
from bench.faults.load import Load
from bench.faults.writer import patient_writer
from bench.ledgers import stages
from bench.oracle import SUCCEEDED
from streamer.adapters.store.memory_table import MemoryTable
from streamer.core.entry import Entry
from streamer.core.identity import task_digest
from tests.support.progress import all_committed
from tests.support.topic_log import topic_log

#: Generation, state and attempts of a task that has ended.
Standing = tuple[int, str, int]
_AGAIN = 500
#: Claims and lanes have longer keys.
_TASK_KEY_BYTES = 16
_COMMITTED_S = 60.0


async def rebuilt(ground: Ground, scale: Scale) -> Finding:
    """Kill all workers, delete all they have on disk, and start them: halfway, and again when all has ended."""
    load = Load(250.0, rate_per_s=400) if scale is Scale.FULL else Load(30.0)
    ready_s: list[float] = []
    seen: dict[str, Any] = {}

    async def harm(field: Field) -> None:
        await asyncio.sleep(load.seconds / 2)
        ready_s.append(await _without_files(field))
        await field.settled()
        ready_s.append(await _without_files(field))
        table, told = await _table(field), _told(field)
        seen["entries"], seen["differ"] = len(told), sum(table.get(key) != told[key] for key in told)
        seen["beyond"] = len(table.keys() - told.keys())
        before = len(field.domains.arrivals())
        seen["again"] = await _publish_again(field)
        await all_committed(field.place.bootstrap, field.place.partitions, stages(field.place), _COMMITTED_S)
        # The receivers write what arrived at most 50 ms later.
        await asyncio.sleep(0.2)
        seen["calls"] = len(field.domains.arrivals()) - before

    outcome = await under_load(ground, load, harm)
    same = seen["differ"] == 0 and seen["beyond"] == 0 and seen["calls"] == 0
    return found(
        outcome,
        applied=len(ready_s) == 2 and seen["again"] > 0,
        holds=same,
        more=[
            f"{seen['entries']} entries, {seen['differ'] + seen['beyond']} unlike the results",
            f"workers ready after {ready_s[-1]:.1f} s",
            f"{seen['again']} requests published again, {seen['calls']} calls",
        ],
    )


async def _without_files(field: Field) -> float:
    """End all workers without a word, delete their files, start them; return how long until all were ready, in s."""
    began_s: list[float] = []

    def delete() -> None:
        shutil.rmtree(field.place.directory / "state")
        began_s.append(time.monotonic())

    await field.kill_all_and_start(delete)
    return time.monotonic() - began_s[0]


async def _table(field: Field) -> dict[bytes, Standing]:
    """Return what a worker's recovery makes of the changelog: of each task that has ended, how."""
    place, tables = field.place, [MemoryTable() for _ in range(field.place.partitions)]

    def take(record: Any) -> None:
        if len(record.key) == _TASK_KEY_BYTES:
            tables[record.partition].recover(record.key, record.value)

    async with topic_log(place.bootstrap, place.topics.tasks_changelog, place.partitions, take) as log:
        await log.to_end()
    return {digest: _standing(entry) for table in tables for digest, entry in table.ended() if not entry.moved}


def _standing(entry: Entry) -> Standing:
    return entry.generation, entry.state.word, entry.attempt


def _told(field: Field) -> Mapping[bytes, Standing]:
    """Return what the results say of each task that has ended: the first end of its last generation counts."""
    ends: dict[bytes, Standing] = {}
    for told in field.results.told:
        digest = task_digest(told.task_id)
        if told.state is not None and (digest not in ends or ends[digest][0] < told.generation):
            ends[digest] = told.generation, told.state, told.attempt
    return ends


async def _publish_again(field: Field) -> int:
    """Publish requests again whose ids are known, with other content than theirs; return how many."""
    ids = [asked.task_id for asked in field.accepted.asked if asked.task_id.startswith("own-")][:_AGAIN]
    async with patient_writer(field.place.bootstrap) as writer:
        for task_id in ids:
            request = {"url": f"{field.domains.urls[0]}/again", "id": task_id}
            await writer.append(field.place.topics.requests, task_id.encode(), json.dumps(request).encode())
    return len(ids)


async def failing_by_chance(ground: Ground, _: Scale) -> Finding:
    """Let receivers fail three calls in ten."""
    retry = {"intervals": ["1s", "2s", "5s", "10s", "30s"]}
    load = Load(50.0, path="chance/30/503", fields={"retry": retry}, quiesce_s=900.0)

    async def harm(field: Field) -> None:
        """Leave all as it is: the receivers do it."""

    outcome = await under_load(ground, load, harm)
    verdict = outcome.verdict
    succeeded = verdict.ends.get(SUCCEEDED, 0) / max(1, verdict.tasks)
    retries = verdict.calls / max(1, verdict.tasks) - 1
    return found(
        outcome,
        applied=retries > 0.3,
        holds=succeeded >= 0.995 and retries < 1.5 and verdict.duplicate_calls == 0,
        more=[f"succeeded {succeeded:.2%}", f"{retries:.3f} retries a task"],
    )


REBUILD = (
    Case(
        "B11",
        "workers killed and all their files deleted, twice",
        "no anomaly, the table says what the results say, what is published again is known",
        rebuilt,
    ),
    Case(
        "R30",
        "receivers fail 30 % of all calls by chance, 10,000 tasks",
        "≥ 99.5 % succeed, < 1.5 retries a task, nothing sent again",
        failing_by_chance,
    ),
)
