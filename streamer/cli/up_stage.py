"""What `streamer up` runs once its broker is there: receiver, topics, workers and demo tasks, each ended in turn."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from streamer.adapters.broker.server import EmbeddedBroker
from streamer.adapters.demo.exchange import Arrival
from streamer.adapters.demo.receiver import DemoReceiver
from streamer.adapters.kafka import topics as on_cluster
from streamer.adapters.kafka.appender import Appender
from streamer.cli.cluster import Installation
from streamer.cli.demo_tasks import DemoRecord, opening, trickle
from streamer.cli.up_follow import Following
from streamer.cli.up_settings import as_toml
from streamer.cli.up_try import addresses, commands
from streamer.cli.up_voice import Voice
from streamer.cli.up_workers import Workers
from streamer.settings.load import environment_with_secrets
from streamer.wire.outgoing import OutRecord

_TRICKLE_S = 1.0
_LOOK_S = 0.5


@dataclass(slots=True)
class Stage:
    """One run. ``begun_s`` is its start by the monotonic clock; ``hurried`` is set by a second signal.

    ``ends_after_s`` counts from the moment at which every worker is ready; None goes on until a signal.
    """

    place: Installation
    broker: EmbeddedBroker
    voice: Voice
    root: Path
    begun_s: float
    receiver_port: int
    quiet: bool
    ends_after_s: float | None
    hurried: bool = False
    _sent: int = 0
    _delivered: bool = False
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _workers: Workers | None = None

    @property
    def config(self) -> Path:
        """The settings file for the workers, and for the commands of a second terminal."""
        return self.root / "up.toml"

    async def run(self) -> str | None:
        """Run until a signal, the end of the time allowed, or a failure; return what failed."""
        self._listen_for_signals()
        following = Following(self.place, self.voice, time.time_ns() // 1_000_000)
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(self._receiver())
            await self._make_topics()
            appender = await stack.enter_async_context(self._appender())
            watched = await stack.enter_async_context(_running(following))
            workers = await stack.enter_async_context(self._running_workers())
            rows = addresses(self.place, self.broker, url)
            self.voice.panel("Streamer is up", rows, commands(self.config, self.place, url))
            await self._send(appender, opening(url, time.time_ns() // 1_000_000))
            reason = await _first_of(
                self._stop.wait(),
                self._time_is_up(workers),
                self._broker_ended(),
                asyncio.shield(workers.failure),
                asyncio.shield(watched),
                self._trickle(workers, appender, url),
            )
            self.voice("stopping", "stopping: no new tasks, running calls have 8 s to end")
        told = ", ".join([f"sent {self._sent}", *following.summary()])
        self.voice("stopped", f"stopped: {told}", sent=self._sent, seen=dict(following.seen))
        return reason

    @asynccontextmanager
    async def _receiver(self) -> AsyncIterator[str]:
        receiver = DemoReceiver(self.receiver_port, on_arrival=self._arrived)
        yield await receiver.start()
        await receiver.stop()

    @asynccontextmanager
    async def _appender(self) -> AsyncIterator[Appender]:
        appender = Appender(self.place.options)
        try:
            yield appender
        finally:
            await appender.close()

    @asynccontextmanager
    async def _running_workers(self) -> AsyncIterator[Workers]:
        def ready(number: int, pid: int) -> None:
            self.voice("worker_ready", f"worker {number} is ready (pid {pid})", number=number, pid=pid)

        self.config.write_text(as_toml(self.place.settings), "utf-8")
        workers = Workers(
            self.config,
            self.root,
            self.place.settings.worker.processes,
            environment_with_secrets(self.place.settings),
            ready,
        )
        self._workers = workers
        try:
            await workers.start()
            yield workers
        finally:
            await workers.stop()

    async def _make_topics(self) -> None:
        topics = self.place.topics
        created = await on_cluster.create_missing(self.broker.bootstrap, topics.specs())
        text = f"{len(topics.specs())} topics {topics.prefix}*, {len(created)} of them new"
        self.voice("topics_ready", text, topics=len(topics.specs()), created=len(created))

    async def _send(self, appender: Appender, records: Sequence[DemoRecord]) -> None:
        await appender.append([OutRecord(self.place.topics.requests, record.value) for record in records])
        self._sent += len(records)
        if len(records) > 1:
            what = list(dict.fromkeys(record.what for record in records))
            self.voice("sent", f"sent {len(records)} demo tasks", count=len(records), what=what)

    async def _trickle(self, workers: Workers, appender: Appender, url: str) -> None:
        await workers.ready.wait()
        if self.quiet:
            await asyncio.Event().wait()
        for record in trickle(url):
            await asyncio.sleep(_TRICKLE_S)
            await self._send(appender, [record])

    async def _time_is_up(self, workers: Workers) -> None:
        await workers.ready.wait()
        await (asyncio.Event().wait() if self.ends_after_s is None else asyncio.sleep(self.ends_after_s))

    async def _broker_ended(self) -> str:
        while (failure := self.broker.failure()) is None:  # noqa: ASYNC110 - a process gives a loop no signal
            await asyncio.sleep(_LOOK_S)
        return str(failure)

    def _arrived(self, arrival: Arrival, status: int | None) -> None:
        if status == 200 and arrival.path == "/ok" and not self._delivered:
            self._delivered = True
            after_s = round(time.monotonic() - self.begun_s, 1)
            text = f"first delivered call after {after_s:g} s: {arrival.method} {arrival.path}"
            self.voice("first_delivery", text, "bold green", after_s=after_s, path=arrival.path)

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._signalled)

    def _signalled(self) -> None:
        if self._stop.is_set():
            self.hurried = True
            if self._workers is not None:
                self._workers.kill()
        self._stop.set()


@asynccontextmanager
async def _running(following: Following) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(following.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _first_of(*jobs: Awaitable[object]) -> str | None:
    """Wait for the first job to end and cancel the others; return what it says is wrong."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    done, running = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    for task in done:
        error = task.exception()
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if error is not None:
            return str(error) or type(error).__name__
        if isinstance(said := task.result(), str):
            return said
    return None
