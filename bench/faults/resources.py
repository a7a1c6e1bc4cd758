"""Cases in which a worker has too little of something: descriptors, memory, its loop's time, a Redis (RELIABILITY §7 B)."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.crew import READY_S
from bench.faults.case import Case, Finding, NotMade, Scale
from bench.faults.field import Field, Outcome, under_load
from bench.faults.findings import found, most_within, resumed_s
from bench.faults.ground import Ground
from bench.faults.load import Load
from bench.faults.writer import patient_writer
from streamer.extensions import JUDGES
from streamer.wire.config_key import key_of
from streamer.wire.config_model import Kind
from streamer.wire.config_record import encode_config
from tests.support.packages import install
from tests.support.redis import RedisServer, running_redis
from tests.support.worker import WorkerProcess

_RESUME_S = 30.0
_DESCRIPTORS = 256
_MEMORY_MIB = 300
_GROUPS = Path("/sys/fs/cgroup/memory")
_SLOW = 1_000
_ANSWER_MS = 3_000
_SHARED_PER_S = 100
_WINDOW_MS = 5_000

#: A judge that stops the loop of its worker when it finds a file with its name in a directory, for as long as that says.
_STALLS = """
import os
import time
from pathlib import Path


class Judge:
    def __init__(self, tools):
        self.order = Path(os.environ["STALL_DIR"]) / os.environ["STREAMER_HTTP__USER_AGENT"]

    def judge(self, call, answer):
        if self.order.exists():
            seconds = float(self.order.read_text())
            self.order.rename(self.order.with_suffix(".done"))
            time.sleep(seconds)
        return None
"""


async def few_descriptors(ground: Ground, scale: Scale) -> Finding:
    """Give workers 256 descriptors, and a thousand receivers that take 3 s each."""
    limits: list[int] = []

    async def harm(field: Field) -> None:
        def limit(worker: WorkerProcess) -> None:
            resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (_DESCRIPTORS, _DESCRIPTORS))

        await _start_limited(field, limit)
        limits.extend(resource.prlimit(worker.pid, resource.RLIMIT_NOFILE)[1] for worker in field.workers)
        field.note(f"ulimit -n {_DESCRIPTORS}", "all workers")

    outcome = await under_load(ground, _slow_load(300.0 if scale is Scale.FULL else 40.0), harm)
    return _unharmed(outcome, applied=set(limits) == {_DESCRIPTORS})


async def little_memory(ground: Ground, scale: Scale) -> Finding:
    """Give all workers together 300 MiB each, and a thousand receivers that take 3 s each."""
    seconds = 300.0 if scale is Scale.FULL else 40.0
    load, most_mib = _slow_load(seconds), list[int]()
    with ExitStack() as stack:
        groups = [stack.enter_context(_memory_group(number)) for number in range(load.workers)]

        async def harm(field: Field) -> None:
            group_of = dict(zip([each.name for each in field.workers], groups, strict=True))
            await _start_limited(field, lambda each: _join(each, group_of[each.name]))
            field.note(f"{_MEMORY_MIB} MiB of memory", "all workers")
            await asyncio.sleep(seconds)
            most_mib.extend(int((each / "memory.max_usage_in_bytes").read_text()) >> 20 for each in groups)

        outcome = await under_load(ground, load, harm)
    return _unharmed(outcome, applied=bool(most_mib), more=[f"memory ≤ {max(most_mib, default=0)} MiB"])


def _join(worker: WorkerProcess, group: Path) -> None:
    (group / "cgroup.procs").write_text(str(worker.pid))


async def loop_stalls(ground: Ground, scale: Scale) -> Finding:
    """Let an extension stop a worker's event loop, for less than a session and for more."""
    lengths_s = (5.0, 20.0) * (5 if scale is Scale.FULL else 1)
    site, orders = ground.directory / "site", ground.directory / "orders"
    orders.mkdir()
    install(site, "stalls", {JUDGES: {"stall": "stalls:Judge"}}, stalls=_STALLS)
    ended_at_ms: list[int] = []

    async def harm(field: Field) -> None:
        for number, length_s in enumerate(lengths_s):
            await asyncio.sleep(6)
            worker = field.workers[number % len(field.workers)]
            field.note(f"loop stalled for {length_s:g} s", worker.name)
            (orders / f"worker-{worker.name}").write_text(str(length_s))
            await asyncio.sleep(length_s + 8)
            ended_at_ms.append(time.time_ns() // 1_000_000 - 8_000)

    env = {"PYTHONPATH": str(site), "STALL_DIR": str(orders), "STREAMER_EXTENSIONS": "stall"}
    outcome = await under_load(ground, Load(sum(lengths_s) + 14.0 * len(lengths_s) + 5, env=env), harm)
    done = len(list(orders.glob("*.done")))
    slowest_s = max(resumed_s(outcome.field.results, at_ms) for at_ms in ended_at_ms)
    return found(
        outcome,
        applied=done >= min(len(lengths_s), len(outcome.field.workers)),
        holds=slowest_s < _RESUME_S,
        more=[f"{len(lengths_s)} stalls", f"all partitions go on within {slowest_s:.1f} s"],
    )


async def redis_away(ground: Ground, scale: Scale) -> Finding:
    """Kill the Redis of a shared limit and start it empty, stop it, pause it, and take its memory."""
    away_s = 60.0 if scale is Scale.FULL else 6.0
    async with running_redis(ground.directory) as redis:

        async def harm(field: Field) -> None:
            async with patient_writer(field.place.bootstrap) as writer:
                key, value = key_of(Kind.RATE_KEY, "shared"), encode_config({"rate": f"{_SHARED_PER_S}/s"})
                await writer.append(field.place.topics.config, key.encode(), value)
            for what in ("kill -9", "SIGSTOP", "CLIENT PAUSE", "maxmemory"):
                # Workers look for it every 5 s at the least: the next fault shall find them with it.
                await asyncio.sleep(8)
                field.note(f"{what} of Redis", "redis")
                await _hurt(redis, what, away_s)

        load = Load(
            4 * (away_s + 8),
            rate_per_s=0.9 * _SHARED_PER_S,
            settings={"redis.url": f"redis://127.0.0.1:{redis.port}", "redis.fallback_share": 0.33},
            fields={"rate_key": "shared", "retry": {"intervals": ["1s", "2s"]}},
        )
        outcome = await under_load(ground, load, harm)
    most = most_within(outcome.field.results.started_ms, _WINDOW_MS)
    # A burst of one second's worth, and as much again around a change, by Redis and by the workers alone.
    allowed = _SHARED_PER_S * (_WINDOW_MS // 1000 + 2)
    return found(
        outcome,
        applied=len(outcome.field.made) == 4,
        holds=most <= allowed and not outcome.field.by_themselves,
        more=[f"at most {most} calls within {_WINDOW_MS // 1000} s of {allowed} allowed"],
    )


async def _hurt(redis: RedisServer, what: str, seconds: float) -> None:
    match what:
        case "kill -9":
            redis.kill()
            await asyncio.sleep(seconds)
            await redis.start()
        case "SIGSTOP":
            redis.freeze()
            await asyncio.sleep(seconds)
            redis.thaw()
        case "CLIENT PAUSE":
            await redis.tell("CLIENT", "PAUSE", int(seconds * 1000))
            await asyncio.sleep(seconds)
        case "maxmemory":
            await redis.tell("CONFIG", "SET", "maxmemory", "1")
            await asyncio.sleep(seconds)
            await redis.tell("CONFIG", "SET", "maxmemory", "0")


def _slow_load(seconds: float) -> Load:
    # Evenly: of a busy domain's calls only so many go at once, whatever a worker has.
    return Load(seconds, 150.0, domains=_SLOW, answer_ms=_ANSWER_MS, skew=0.0, quiesce_s=120.0)


async def _start_limited(field: Field, limit: Callable[[WorkerProcess], None]) -> None:
    """Start all workers anew, each under a limit from before it looks for it."""
    with field.left_alone():
        for worker in field.workers:
            worker.terminate()
        for slot, worker in enumerate(field.workers):
            await worker.ended()
            field.workers[slot] = WorkerProcess(field.place, worker.name, (), field.load.env)
            limit(field.workers[slot])
        for worker in field.workers:
            await worker.ready(READY_S)


def _unharmed(outcome: Outcome, *, applied: bool, more: Sequence[str] = ()) -> Finding:
    # What waits for a connection waits for nothing that its target did: its attempts must still be there.
    failed = {end: count for end, count in outcome.verdict.ends.items() if end != "succeeded"}
    wanted = round(outcome.verdict.tasks / 20)
    return found(
        outcome,
        applied=applied,
        holds=not outcome.field.by_themselves and sum(failed.values()) <= 1.1 * wanted + 5,
        more=[*more, f"ended otherwise {failed}, of which {wanted} or so had to"],
    )


@contextmanager
def _memory_group(number: int) -> Iterator[Path]:
    """Make a control group with little memory; nobody is in it any more when the context ends."""
    group = _GROUPS / f"streamer-{os.getpid()}-{number}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(_MEMORY_MIB << 20))
    except OSError as error:
        raise NotMade(f"a bound of memory takes root and control groups of version 1: {error}") from error
    try:
        yield group
    finally:
        group.rmdir()


RESOURCES = (
    Case(
        "B15a", "256 descriptors, 1,000 receivers of 3 s", "no anomaly, no worker ends, no call fails", few_descriptors
    ),
    Case("B15b", "300 MiB of memory each, 1,000 receivers of 3 s", "no anomaly, no worker ends", little_memory),
    Case("B16", "a worker's loop stalled for 5 s and for 20 s", "no anomaly, goes on within 30 s", loop_stalls),
    Case("B18", "Redis killed and empty, stopped, paused, without memory", "no anomaly, the rate holds", redis_away),
)
