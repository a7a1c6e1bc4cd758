"""A running installation under load, to which a case does harm, and what its ledgers say in the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.crew import READY_S, crew, end
from bench.faults.ground import Ground
from bench.faults.load import Load, accept_found, send
from bench.kept_ledgers import KeptLedgers, followed, kept_ledgers, readers
from bench.ledgers import Accepted, Results, stages, waiting_tasks
from bench.oracle import Anomaly, Verdict, judge
from bench.oracle_values import Bound
from bench.run_ledgers import ARRIVALS, Ledgers, Terms
from streamer.adapters.kafka.clients import client_options, cluster_id
from tests.support.domains import Domains, many_domains
from tests.support.installation import Installation
from tests.support.offset_watch import OffsetWatch, watched_offsets
from tests.support.topic_log import TopicLog, topic_log
from tests.support.worker import WorkerProcess

_WATCH_S = 0.5
#: Calls of one worker that a kill may have made again: on the wire, and answered but not written, as many of each.
_REPEATED = 2 * 1_000
_COMMIT_S = 0.5
#: A worker that ends before it is ready is started again for so long; then what it says is the run's error.
_RESTARTS_S = 120.0


@dataclass(slots=True)
class Field:
    """What a case may touch."""

    ground: Ground
    place: Installation
    load: Load
    domains: Domains
    workers: list[WorkerProcess]
    accepted: Accepted
    results: Results
    log: TopicLog[None]
    offsets: OffsetWatch
    ledgers: KeptLedgers
    #: Faults made so far: what, to whom, when in ms since 1970.
    made: list[tuple[str, str, int]] = field(default_factory=list)
    #: Exit codes of workers that were asked to end.
    asked: list[int] = field(default_factory=list)
    #: Workers that ended though nobody asked, and were started again: name and exit code.
    by_themselves: list[tuple[str, int]] = field(default_factory=list)
    #: Requests whose append had no answer, and which stand on the topic all the same.
    found_later: int = 0
    #: Set once the load has written its last request.
    sent: asyncio.Event = field(default_factory=asyncio.Event)
    #: Workers that may end meanwhile without being started again.
    _harmed: set[int] = field(default_factory=set)

    def note(self, what: str, whom: str) -> None:
        """Write down a fault at the moment at which it is made."""
        self.made.append((what, whom, time.time_ns() // 1_000_000))
        self.ledgers.process(whom, "signalled", what)

    async def kill_and_start(self, slot: int, *, down_s: float = 0.0) -> None:
        """End a worker without a word, and start it again after a while; returns when it is ready."""
        self._harmed.add(slot)
        self.note("kill -9", self.workers[slot].name)
        self.workers[slot].kill()
        await asyncio.sleep(down_s)
        await self._start(slot)

    async def kill_all_and_start(self, meanwhile: Callable[[], None]) -> None:
        """End all workers without a word, do something, and start them again; returns when all are ready."""
        with self.left_alone():
            for worker in self.workers:
                self.note("kill -9", worker.name)
                worker.kill()
            meanwhile()
            await asyncio.gather(*[self._start(slot) for slot in range(len(self.workers))])

    async def settled(self) -> None:
        """Return once the load is over, and all that it asked for has come to its end or had the time for it."""
        await self.sent.wait()
        await self.results.until_ended(self.log, self.accepted, self.load.quiesce_s)

    async def stop_and_start(self, slot: int) -> float:
        """Ask a worker to drain and end, start it again; return how long the end took, in s."""
        self._harmed.add(slot)
        worker, began_s = self.workers[slot], time.monotonic()
        self.note("SIGTERM", worker.name)
        worker.terminate()
        self.asked.append(await worker.ended())
        took_s = time.monotonic() - began_s
        await self._start(slot)
        return took_s

    async def add(self) -> None:
        """Start one more worker; returns when it is ready."""
        self.workers.append(self._new(f"w{len(self.workers)}"))
        self.note("one more", self.workers[-1].name)
        await self.workers[-1].ready(READY_S)

    async def remove(self) -> None:
        """Ask the newest worker to drain and end; returns when it has."""
        self._harmed.add(len(self.workers) - 1)
        worker = self.workers[-1]
        self.note("one less", worker.name)
        worker.terminate()
        self.asked.append(await worker.ended())
        self.workers.pop()
        self._harmed.discard(len(self.workers))

    @contextmanager
    def left_alone(self) -> Iterator[None]:
        """Let workers end meanwhile without starting them again."""
        slots = set(range(len(self.workers)))
        self._harmed |= slots
        try:
            yield
        finally:
            self._harmed -= slots

    async def watch_over(self) -> None:
        """Start workers again that end by themselves, as whoever runs them in production does."""
        while True:
            for slot, worker in enumerate(self.workers):
                if slot not in self._harmed and worker.exit_code is not None:
                    self.by_themselves.append((worker.name, worker.exit_code))
                    await self._start(slot)
            await asyncio.sleep(_WATCH_S)

    def _new(self, name: str) -> WorkerProcess:
        return WorkerProcess(self.place, name, self.load.flags(name), self.load.env)

    async def _start(self, slot: int) -> None:
        name, until_s = self.workers[slot].name, time.monotonic() + _RESTARTS_S
        while True:
            self.workers[slot] = self._new(name)
            try:
                await self.workers[slot].ready(READY_S)
                break
            except AssertionError:
                # What ended the one before may last, as a full disk does.
                code = self.workers[slot].exit_code
                if code is None or time.monotonic() > until_s:
                    raise
                self.by_themselves.append((name, code))
                await asyncio.sleep(_WATCH_S)
        self._harmed.discard(slot)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    field: Field
    verdict: Verdict
    #: Of the workers that ran at the end.
    exit_codes: Sequence[int]
    took_s: float
    #: For each kill or stop, how long the slowest of its partitions stood still; None where nothing was left to do.
    recoveries_s: Sequence[float | None]
    #: What the fault brings by its nature.
    excused: Collection[Anomaly] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing happened that must not, in any ledger."""
        return self.verdict.clean_but(*self.excused) and not self.field.offsets.regressions and not any(self.exit_codes)

    @property
    def slowest_s(self) -> float:
        """The longest recovery."""
        return max((each for each in self.recoveries_s if each is not None), default=0.0)

    @property
    def share_again(self) -> float:
        """How many calls were beyond the recorded attempts, by the tasks."""
        return self.verdict.duplicate_calls / max(1, self.verdict.tasks)

    def told(self) -> str:
        """Return what was counted, in a line."""
        verdict = self.verdict
        found = [f"{kind.value} {len(tasks)}" for kind, tasks in verdict.anomalies.items() if tasks]
        parts = [
            f"{verdict.tasks} tasks",
            ", ".join(found) or "no anomaly",
            f"sent again {verdict.duplicate_calls} ({self.share_again:.2%})",
        ]
        if self.recoveries_s:
            parts.append(f"recovery ≤ {self.slowest_s:.1f} s")
        if verdict.shares and verdict.duplicate_calls:
            parts.append(f"at most {max(each.repeated for each in verdict.shares)} by one fault")
        if self.field.by_themselves:
            parts.append(f"ended by themselves {len(self.field.by_themselves)}")
        if self.field.offsets.regressions:
            parts.append(f"offsets that went back {len(self.field.offsets.regressions)}")
        if any(self.exit_codes):
            parts.append(f"exit codes {list(self.exit_codes)}")
        return ", ".join(parts)

    def figures(self) -> Mapping[str, Any]:
        """Return what is written down."""
        verdict, field_ = self.verdict, self.field
        return {
            "tasks": verdict.tasks,
            "calls": verdict.calls,
            "ends": dict(verdict.ends),
            "anomalies": {kind.value: list(verdict.anomalies.get(kind, ()))[:20] for kind in Anomaly},
            "sent_again": verdict.duplicate_calls,
            "sent_again_after_success": verdict.resent_after_success,
            "by_fault": [str(share) for share in verdict.shares],
            "stories": [str(story) for story in verdict.stories[:20]],
            "recoveries_s": list(self.recoveries_s),
            "took_s": round(self.took_s, 1),
            "faults": field_.made,
            "asked": field_.asked,
            "by_themselves": field_.by_themselves,
            "offset_samples": field_.offsets.samples,
            "offsets_back": field_.offsets.regressions[:20],
            "exit_codes": list(self.exit_codes),
        }


async def under_load(
    ground: Ground, load: Load, harm: Callable[[Field], Awaitable[None]], excused: Collection[Anomaly] = ()
) -> Outcome:
    """Run workers under load, let harm be done, wait until all has come to its end, and judge.

    Harm may outlast the load. Whatever it broke it has mended when it returns. The run's ledgers stay in its directory.
    """
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(ground.installation(load.settings))
        Terms(readers=readers(place), bound=Bound(_REPEATED, load.rate_per_s, _COMMIT_S)).write(place.directory)
        ledgers = stack.enter_context(kept_ledgers(place.directory, place.topics))
        accepted = Accepted(await cluster_id(client_options(place.bootstrap)), keep=ledgers.accepted)
        results = Results(place.partitions, keep=ledgers.result)
        domains = await stack.enter_async_context(many_domains(load.domains, place.directory / ARRIVALS))
        log = await stack.enter_async_context(
            topic_log(place.bootstrap, place.topics.results, place.partitions, results.take)
        )
        workers = await stack.enter_async_context(crew(place, load.workers, load.flags, load.env))
        await stack.enter_async_context(followed(place, ledgers))
        # Groups are there once their members are.
        offsets = await stack.enter_async_context(
            watched_offsets(place.bootstrap, list(stages(place)), ledgers.sample, patient=True)
        )
        field_ = Field(ground, place, load, domains, workers, accepted, results, log, offsets, ledgers)
        began_s = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            keeper = tasks.create_task(field_.watch_over())
            sending = tasks.create_task(send(place, load, domains.urls, accepted, ground.seed))
            sending.add_done_callback(lambda _: field_.sent.set())
            harming = tasks.create_task(_harm(harm, field_))
            await asyncio.wait([sending, harming])
            field_.found_later = await accept_found(place, sending.result(), accepted)
            await results.until_ended(log, accepted, load.quiesce_s)
            took_s = time.monotonic() - began_s
            keeper.cancel()
        ended = results.ended.issuperset(accepted.by_place.values())
        if not ended:
            ledgers.waiting(await waiting_tasks(place, accepted))
        exit_codes = await end(workers)
        await log.to_end()
    kept = Ledgers.read(place.directory)
    # Of what was accepted, a case may have taken away what its fault has cut off.
    verdict = judge(list(accepted.by_place.values()), kept.calls, kept.told, kept.waiting, kept.evidence)
    halts = [each for each in field_.made if each[0] in ("kill -9", "SIGSTOP")]
    recoveries = [results.recovery_s(f"worker-{whom}", at_ms) for _, whom, at_ms in halts]
    return Outcome(field_, verdict, exit_codes, took_s, recoveries, excused)


async def _harm(harm: Callable[[Field], Awaitable[None]], field_: Field) -> None:
    await harm(field_)
