"""Shows that one domain's rate holds exactly while workers come and go; exits 1 when it does not.

``python -m bench.rate_test`` gives a domain 10/s, a backlog and fresh tasks, and judges the receiver's own instants: two
workers, a third joins, then the domain's owner is killed, then the next owner is told to end.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.beat import excess, stalls
from bench.crew import add, crew
from bench.ledgers import Results
from bench.load import Load
from bench.machine import Others
from bench.report import Shown, conclude
from bench.site import Site, site
from streamer.adapters.broker.config import BrokerOptions
from streamer.adapters.broker.server import EmbeddedBroker
from tests.support.topic_log import TopicLog, topic_log
from tests.support.worker import WorkerProcess

RATE, BURST = 10, 10
LEAST_USED = 0.95
_DOMAIN = 0
_FRESH_PER_S = 2.0
_STALL_S = 0.5


@dataclass(slots=True)
class Course:
    """What was done to the workers, and when by the receiver's clock."""

    events: list[tuple[float, str]] = field(default_factory=list)

    def note(self, what: str) -> None:
        """Note that something is done now."""
        self.events.append((time.monotonic(), what))
        print(f"  {what}", flush=True)


async def run(made: Site, seconds: float) -> tuple[Course, list[float], list[float]]:
    """Run on a site; return what was done, when each call arrived, and when each that was told of began, in s."""
    course = Course()
    results = Results(made.place.partitions)
    async with AsyncExitStack() as stack:
        topic = made.place.topics.results
        log = await stack.enter_async_context(
            topic_log(made.place.bootstrap, topic, made.place.partitions, results.take)
        )
        # A worker reads all that stands on config before it takes work: the rate holds for the first call.
        await made.limit(_DOMAIN, f"{RATE}/s")
        workers = await stack.enter_async_context(crew(made.place, 2))
        await made.publish(made.request(_DOMAIN, "backlog", number) for number in range(round(RATE * seconds)))
        fresh = Load(made, "fresh", lambda name, number: made.request(_DOMAIN, name, number))
        sending = asyncio.create_task(fresh.run(_FRESH_PER_S, seconds))
        begun_s = time.monotonic()
        await _at(begun_s + 0.2 * seconds)
        course.note("a third worker joins")
        await add(made.place, workers)
        await _at(begun_s + 0.45 * seconds)
        owner = await _owner(made, log, results, workers)
        course.note(f"kill -9 of {owner.name}, the domain's owner")
        owner.kill()
        await _at(begun_s + 0.75 * seconds)
        owner = await _owner(made, log, results, workers)
        course.note(f"SIGTERM to {owner.name}, the domain's owner now")
        owner.terminate()
        await _at(begun_s + seconds)
        until_s = time.monotonic()
        await sending
        await log.to_end()
    calls = sorted(arrival.at_ns / 1e9 for arrival in made.arrivals.all())
    began = sorted(at_ms / 1000 for at_ms in results.started_ms)
    return course, [at_s for at_s in calls if at_s <= until_s], began


async def _at(instant_s: float) -> None:
    await asyncio.sleep(max(0.0, instant_s - time.monotonic()))


async def _owner(made: Site, log: TopicLog[None], results: Results, workers: Sequence[WorkerProcess]) -> WorkerProcess:
    """Return the worker that made the domain's last call."""
    await log.to_end()
    caller = max(results.caller_of[made.partition(_DOMAIN)])[1]
    return next(worker for worker in workers if f"worker-{worker.name}" == caller)


def judge(course: Course, at_s: Sequence[float], began_s: Sequence[float]) -> tuple[list[Shown], dict[str, Any]]:
    """Compare the instants with the rate.

    The limiter sees when calls begin; the receiver also sees what the way there takes. A first call that is d seconds
    longer on its way than a later one puts up to rate · d calls more into the window between them.
    """
    lasted_s = at_s[-1] - at_s[0]
    beyond, sent = excess(at_s, RATE, BURST), excess(began_s, RATE, BURST)
    killed_s = next(at for at, what in course.events if what.startswith("kill"))
    paused = stalls(at_s, _STALL_S)
    # The pause in which the dead owner's session runs out: nobody may send then.
    session_s = max((gap for begun, gap in paused if killed_s - 1 <= begun <= killed_s + 2), default=0.0)
    used, without = len(at_s) / (RATE * lasted_s), len(at_s) / (RATE * (lasted_s - session_s))
    shown = [
        Shown(f"{len(at_s)} calls in {lasted_s:.1f} s at {RATE}/s, burst {BURST}"),
        Shown(
            f"the most calls beyond {RATE}·t + {BURST} in any window: {beyond.calls:+.3f}, at most 0", beyond.calls <= 0
        ),
        Shown(f"that window is {beyond.length_s:.3f} s long and begins at {beyond.begin_s - at_s[0]:.3f} s"),
        Shown(f"the same by when the {len(began_s)} calls that were told of began: {sent.calls:+.3f}", sent.calls <= 0),
        Shown(
            f"the rate used: {without:.1%} without the dead owner's session, at least {LEAST_USED:.0%}",
            without >= LEAST_USED,
        ),
        Shown(f"the rate used: {used:.1%} with it"),
    ]
    for begun, gap in paused:
        since = [(begun - at, what) for at, what in course.events if at <= begun + 1]
        after = f"{since[-1][0]:+.1f} s from: {since[-1][1]}" if since else "before anything was done"
        shown.append(Shown(f"a pause of {gap:.2f} s at {begun - at_s[0]:.1f} s, {after}"))
    figures = {
        "calls": len(at_s),
        "lasted_s": lasted_s,
        "beyond": beyond.calls,
        "beyond_as_begun": sent.calls,
        "used": used,
        "used_without_session": without,
    }
    events = [(round(at - at_s[0], 1), what) for at, what in course.events]
    return shown, figures | {"events": events, "pauses_s": [(round(b - at_s[0], 2), round(g, 2)) for b, g in paused]}


async def _alone(broker: EmbeddedBroker, directory: Path, seconds: float) -> tuple[Course, list[float], list[float]]:
    async with site(broker, directory, "rate", 1) as made:
        return await run(made, seconds)


def main() -> None:
    """Run with a broker of its own, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m bench.rate_test", description=__doc__)
    parser.add_argument("--seconds", type=float, default=240.0, help="length of the run")
    args = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    others = Others()
    print(f"rate test: {args.seconds:g} s")
    with tempfile.TemporaryDirectory(prefix="streamer-rate-") as scratch:
        directory = Path(scratch)
        with EmbeddedBroker(BrokerOptions(directory / "kafka")) as broker:
            course, at_s, began_s = asyncio.run(_alone(broker, directory, args.seconds))
    shown, figures = judge(course, at_s, began_s)
    print(*shown, sep="\n")
    conclude("bench.rate_test", shown, figures, others.cores())


if __name__ == "__main__":
    main()
