"""Cases in which links fail: cut, one-sided, slow, and half-open (RELIABILITY §7 B)."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Mapping, Sequence

from bench.faults.case import Case, Finding, Scale
from bench.faults.field import Field, Outcome, under_load
from bench.faults.findings import found, resumed_s
from bench.faults.ground import Ground
from bench.faults.links import Links, Stream, far_broker, links
from bench.faults.load import Load
from bench.oracle_values import Anomaly
from tests.support.stopping import stop_process

_RESUME_S = 30.0
#: Longer than any case lasts: what a link has swallowed by then comes when the trouble is taken away.
_NEVER_MS = 3_600_000
_BANDWIDTH_KIB = 375
#: A call over a link that swallows it ends soon, and a domain that was cut off is asked again soon.
_SOON: Mapping[str, str | int | float | bool] = {
    "http.connect_timeout": "3s",
    "http.total_timeout": "5s",
    "lanes.breaker.open": "2s",
    "lanes.breaker.open_most": "5s",
}
_RETRIES = {"retry": {"intervals": ["1s", "2s", "5s", "5s", "5s", "10s", "10s", "30s", "30s", "30s"]}}


async def broker_cut_off(ground: Ground, scale: Scale) -> Finding:
    """Cut all workers off the broker: nothing passes, no reply passes, connections are refused."""
    lengths_s = (5.0, 30.0, 120.0) if scale is Scale.FULL else (12.0,)
    healed_at_ms: list[int] = []
    async with links(ground.directory) as link, far_broker(ground, link) as (far, address):

        async def harm(field: Field) -> None:
            for length_s in lengths_s:
                for how in (_frozen, _no_replies, _refused):
                    await asyncio.sleep(5)
                    field.note(f"cut off for {length_s:g} s, {how.__name__.strip('_')}", "workers ↔ broker")
                    await how(link, length_s)
                    healed_at_ms.append(_now_ms())
                    await asyncio.sleep(12)

        seconds = 3 * sum(length_s + 17.0 for length_s in lengths_s) + 5
        load = Load(seconds, rate_per_s=100, settings={"kafka.bootstrap_servers": address})
        outcome = await under_load(far, load, harm)
    return _found(outcome, healed_at_ms, 3 * len(lengths_s))


async def receivers_cut_off(ground: Ground, scale: Scale) -> Finding:
    """Cut the workers off all receivers, in the same three ways."""
    lengths_s = (5.0, 30.0, 120.0) if scale is Scale.FULL else (10.0,)
    healed_at_ms: list[int] = []
    async with links(ground.directory) as link:

        async def harm(field: Field) -> None:
            for length_s in lengths_s:
                for how in (_frozen, _no_replies, _refused):
                    await asyncio.sleep(5)
                    field.note(f"cut off for {length_s:g} s, {how.__name__.strip('_')}", "workers ↔ receivers")
                    await how(link, length_s)
                    healed_at_ms.append(_now_ms())
                    await asyncio.sleep(5)

        seconds = 3 * sum(length_s + 10.0 for length_s in lengths_s) + 5
        load = Load(seconds, rate_per_s=100, settings=_SOON, fields=_RETRIES, via=link.urls)
        # A call that the link has kept arrives after the one that followed its timeout.
        outcome = await under_load(ground, load, harm, excused=[Anomaly.ATTEMPT_REGRESS])
    return _found(outcome, healed_at_ms, 3 * len(lengths_s))


async def slow_links(ground: Ground, scale: Scale) -> Finding:
    """Make all links slow and thin, answers come byte by byte, and connections be reset in the middle of a call."""
    phase_s = 75.0 if scale is Scale.FULL else 10.0
    healed_at_ms: list[int] = []
    async with links(ground.directory) as link, links(ground.directory) as calls, far_broker(ground, link) as (far, to):

        async def harm(field: Field) -> None:
            for name, both, on_calls in _TROUBLES:
                await asyncio.sleep(3)
                field.note(name, "all links" if both else "workers ↔ receivers")
                for each in (link, calls) if both else (calls,):
                    for kind, stream, share, attributes in on_calls:
                        await each.trouble(kind, stream, share, **attributes)
                await asyncio.sleep(phase_s)
                await link.heal()
                await calls.heal()
                healed_at_ms.append(_now_ms())

        settings: Mapping[str, str | int | float | bool] = {**_SOON, "kafka.bootstrap_servers": to}
        load = Load(len(_TROUBLES) * (phase_s + 5), rate_per_s=100, settings=settings, fields=_RETRIES, via=calls.urls)
        outcome = await under_load(far, load, harm)
    return _found(outcome, healed_at_ms, len(_TROUBLES))


async def acks_lost(ground: Ground, scale: Scale) -> Finding:
    """Let requests reach the broker and no answer come back, until connections break; then stop the broker for a while."""
    rounds = 10 if scale is Scale.FULL else 2
    healed_at_ms: list[int] = []
    async with links(ground.directory) as link, far_broker(ground, link) as (far, address):

        async def harm(field: Field) -> None:
            for _ in range(rounds):
                await asyncio.sleep(5)
                field.note("no acks", "workers ↔ broker")
                await link.trouble("timeout", "downstream", timeout=700)
                await asyncio.sleep(5)
                await link.heal()
                healed_at_ms.append(_now_ms())
                await asyncio.sleep(8)
                field.note("SIGSTOP of the broker", "broker")
                assert far.broker.pid is not None
                stop_process(far.broker.pid)
                await asyncio.sleep(8)
                os.kill(far.broker.pid, signal.SIGCONT)
                healed_at_ms.append(_now_ms())
                await asyncio.sleep(8)

        load = Load(
            rounds * 36.0,
            rate_per_s=100,
            settings={"kafka.bootstrap_servers": address, "kafka.produce_timeout_s": 5},
        )
        outcome = await under_load(far, load, harm)
    return _found(outcome, healed_at_ms, 2 * rounds)


async def _frozen(link: Links, seconds: float) -> None:
    """Nothing passes either way; connections stay open."""
    link.freeze()
    await asyncio.sleep(seconds)
    link.thaw()


async def _no_replies(link: Links, seconds: float) -> None:
    """What is asked arrives, and no answer."""
    await link.trouble("latency", "downstream", latency=_NEVER_MS)
    await asyncio.sleep(seconds)
    await link.heal()


async def _refused(link: Links, seconds: float) -> None:
    """Connections are closed, and new ones refused."""
    await link.cut()
    await asyncio.sleep(seconds)
    await link.mend()


def _found(outcome: Outcome, healed_at_ms: Sequence[int], faults: int) -> Finding:
    slowest_s = max(resumed_s(outcome.field.results, at_ms) for at_ms in healed_at_ms)
    return found(
        outcome,
        applied=len(healed_at_ms) == faults,
        holds=slowest_s < _RESUME_S and not outcome.field.by_themselves,
        more=[f"{faults} faults", f"all partitions go on within {slowest_s:.1f} s"],
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


#: A toxic: kind, direction, share of the connections, attributes.
_Toxic = tuple[str, Stream, float, Mapping[str, int]]
#: Name, whether the broker's link has it too, and toxics.
_TROUBLES: Sequence[tuple[str, bool, Sequence[_Toxic]]] = (
    (
        "100 ms more each way",
        True,
        (("latency", "upstream", 1.0, {"latency": 100}), ("latency", "downstream", 1.0, {"latency": 100})),
    ),
    ("3 Mbit/s", True, (("bandwidth", "downstream", 1.0, {"rate": _BANDWIDTH_KIB}),)),
    ("answers byte by byte", False, (("slicer", "downstream", 1.0, {"average_size": 1, "size_variation": 0}),)),
    ("resets", False, (("reset_peer", "downstream", 0.3, {"timeout": 20}),)),
)

NETWORK = (
    Case(
        "B12a",
        "workers cut off the broker: all, replies alone, refused",
        "no anomaly, no worker ends, goes on within 30 s",
        broker_cut_off,
        broker=False,
    ),
    Case(
        "B12b",
        "workers cut off all receivers: all, replies alone, refused",
        "no anomaly, no worker ends, goes on within 30 s",
        receivers_cut_off,
    ),
    Case(
        "B6",
        "acks lost after the request has passed; the broker stopped",
        "no anomaly, no worker ends, goes on within 30 s",
        acks_lost,
        broker=False,
    ),
    Case(
        "B13",
        "links slow, thin, byte by byte, reset in mid-call",
        "no anomaly, no worker ends, goes on within 30 s",
        slow_links,
        broker=False,
    ),
)
