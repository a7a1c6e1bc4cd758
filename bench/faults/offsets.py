"""Cases in which Kafka forgets: a group's offsets, or the records behind them (RELIABILITY §7 B)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.protocol.admin import DeleteGroupsRequest

from bench.crew import READY_S
from bench.faults.case import Case, Finding, Scale
from bench.faults.field import Field, Outcome, under_load
from bench.faults.findings import found
from bench.faults.ground import Ground
from bench.faults.load import Load
from bench.ledgers import stages
from bench.oracle import Anomaly
from streamer.wire.header_names import TASK
from tests.support.broker import administering
from tests.support.installation import Installation
from tests.support.progress import unfinished
from tests.support.topic_log import topic_log
from tests.support.waiting import until
from tests.support.worker import WorkerProcess, tail

_SESSION_S = 10.0
#: A worker that refuses says so once it has looked at its topics.
_REFUSAL_S = 60.0
_FROM_START = ("--from", "earliest")
#: What may still be on its way when records are cut off has had its end by then, or never will.
_GONE = re.compile(r"; (\d+) records are gone")
_SETTLED_S = 10.0


async def offsets_lost(ground: Ground, scale: Scale) -> Finding:
    """Delete the groups while all workers are down; they refuse to start, and are told to read all again."""
    rounds = 5 if scale is Scale.FULL else 1
    refusals: list[str] = []

    async def harm(field: Field) -> None:
        for _ in range(rounds):
            await asyncio.sleep(10)
            async with _nobody_working(field):
                field.note("offsets deleted", "all groups")
                await _delete_groups(field.place.bootstrap, list(stages(field.place)))
                # What stood there is forgotten on purpose: a step back from it is the fault, not the product's.
                field.offsets.newest.clear()
                refusals.append(await _refusal(field))
                await _start_all(field, _FROM_START)
            field.offsets.newest.clear()

    outcome = await under_load(ground, Load(rounds * 45.0), harm, excused=[Anomaly.OFFSET_REGRESS])
    refused = sum("--from earliest" in words for words in refusals)
    again = outcome.verdict.duplicate_calls
    return found(
        outcome,
        applied=len(refusals) == rounds,
        holds=refused == rounds and again == 0,
        more=[f"refused to start without --from {refused} of {rounds}"],
    )


async def log_cut(ground: Ground, scale: Scale) -> Finding:
    """Delete records that nobody has read: of requests and deliveries while workers are down, then under running ones."""
    rounds = 5 if scale is Scale.FULL else 1
    cut_off: list[set[str]] = []

    async def harm(field: Field) -> None:
        for _ in range(rounds):
            await asyncio.sleep(8)
            cut_off.append(await _cut_under_running(field))
            await asyncio.sleep(8)
            async with _nobody_working(field, killed=True):
                # So that something is there which nobody has read.
                await asyncio.sleep(4)
                cut_off.append(await _cut(field))
                await _start_all(field, ())
        await asyncio.sleep(_SETTLED_S)
        await field.log.to_end()
        gone = set().union(*cut_off) - field.results.ended
        kept = {place: task for place, task in field.accepted.by_place.items() if task not in gone}
        field.accepted.by_place.clear()
        field.accepted.by_place.update(kept)

    # Offsets of records that are gone are passed, and nobody has finished them.
    outcome = await under_load(ground, Load(rounds * 50.0), harm, excused=[Anomaly.OFFSET_OVERRUN])
    told = _told_gone(outcome.field)
    return found(
        _without(outcome, set().union(*cut_off)),
        applied=all(cut_off),
        holds=not outcome.field.by_themselves and told > 0,
        more=[f"records cut off {sum(map(len, cut_off))}", f"told of {told}"],
    )


def _told_gone(field: Field) -> int:
    """Return of how many records that are gone the workers' logs tell; of one that was killed, what it had said by then."""
    said = "".join(log.read_text() for log in field.place.directory.glob("worker-*.err"))
    return sum(map(int, _GONE.findall(said)))


def _without(outcome: Outcome, gone: Collection[str]) -> Outcome:
    """Leave out tasks that were cut off, some of them after their first call: nobody can say what becomes of these."""
    verdict = outcome.verdict
    found = {kind: [task for task in tasks if task not in gone] for kind, tasks in verdict.anomalies.items()}
    return replace(outcome, verdict=replace(verdict, anomalies=found))


@asynccontextmanager
async def _nobody_working(field: Field, *, killed: bool = False) -> AsyncIterator[None]:
    """End all workers, in order or at once; whoever stands in their places afterwards is watched over again."""
    with field.left_alone():
        for worker in field.workers:
            worker.kill() if killed else worker.terminate()
        for worker in field.workers:
            code = await worker.ended()
            if not killed:
                field.asked.append(code)
        yield


async def _start_all(field: Field, flags: Sequence[str]) -> None:
    field.workers[:] = [WorkerProcess(field.place, worker.name, tuple(flags), {}) for worker in field.workers]
    for worker in field.workers:
        await worker.ready(READY_S)


async def _refusal(field: Field) -> str:
    """Return what a worker says that is started as always."""
    worker = WorkerProcess(field.place, "refused", (), {})
    try:
        await until(lambda: worker.exit_code is not None, _REFUSAL_S)
        return tail(worker.stderr)
    finally:
        await worker.clear_away()


async def _delete_groups(bootstrap: str, groups: Sequence[str]) -> None:
    async with administering(bootstrap) as admin:
        for group in groups:
            coordinator = await admin.find_coordinator(group)
            await _deleted(admin, group, coordinator)


async def _deleted(admin: Any, group: str, coordinator: int) -> None:
    """Ask until it is done: a group that has just lost its last member is not empty yet."""
    async with asyncio.timeout(3 * _SESSION_S):
        while True:
            # aiokafka has the request, and no method for it.
            answer = await admin._send_request(DeleteGroupsRequest([group]), coordinator)  # noqa: SLF001
            if not any(code for _, code in answer.results):
                return
            await asyncio.sleep(0.5)


async def _cut(field: Field) -> set[str]:
    """Cut half of what nobody has committed off half of the partitions; return the tasks whose records are gone."""
    field.note("records deleted", "requests, deliveries")
    topics = [field.place.topics.requests, field.place.topics.deliveries]
    return await _cut_off(
        field, [TopicPartition(topic, number) for topic in topics for number in range(0, field.place.partitions, 2)]
    )


async def _cut_under_running(field: Field) -> set[str]:
    """Stop the workers for less than a session, and cut off what has come meanwhile; their positions are then no more."""
    field.note("records deleted", "requests, under stopped workers")
    for worker in field.workers:
        worker.stop()
    await asyncio.sleep(_SESSION_S / 3)
    gone = await _cut_off(field, [TopicPartition(field.place.topics.requests, 1)])
    for worker in field.workers:
        worker.go_on()
    return gone


async def _cut_off(field: Field, tps: Sequence[TopicPartition]) -> set[str]:
    place = field.place
    left = await unfinished(place.bootstrap, place.partitions, stages(place))
    # The newest may not be written down as accepted yet; they are among those that stay.
    halves = {tp: left[tp][: (len(left[tp]) + 1) // 2] for tp in tps if tp in left}
    gone: set[str] = set()
    for tp, offsets in halves.items():
        if tp.topic == place.topics.requests:
            gone |= {field.accepted.by_place[tp.partition, offset] for offset in offsets}
        else:
            gone |= await _tasks(place, tp, offsets)
    async with administering(place.bootstrap) as admin:
        await admin.delete_records({tp: RecordsToDelete(offsets.stop) for tp, offsets in halves.items()})
    return gone


async def _tasks(place: Installation, tp: TopicPartition, offsets: range) -> set[str]:
    def standing(record: Any) -> tuple[int, int, str]:
        return record.partition, record.offset, dict(record.headers)[TASK].decode()

    async with topic_log(place.bootstrap, tp.topic, place.partitions, standing) as log:
        return {
            task for partition, offset, task in await log.to_end() if partition == tp.partition and offset in offsets
        }


OFFSETS = (
    Case(
        "B8a",
        "offsets of all groups deleted while workers are down",
        "refused without --from; with it no anomaly, nothing sent again",
        offsets_lost,
    ),
    Case(
        "B8b",
        "records that nobody has read deleted, down and under way",
        "what is left comes to its end, no worker ends",
        log_cut,
    ),
)
