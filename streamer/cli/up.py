"""`streamer up`: a real Kafka, topics, workers, a receiver with faults and demo tasks, until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from streamer.adapters.broker import artifacts, errors, ports
from streamer.adapters.broker.config import BrokerOptions
from streamer.adapters.broker.server import EmbeddedBroker
from streamer.adapters.kafka.clients import client_options
from streamer.cli.cluster import INTERRUPTED, Installation, kafka_errors
from streamer.cli.console import FAILURE, USAGE, JsonFlag, complain, err, fail, given
from streamer.cli.setup import kafka_options, topics_of
from streamer.cli.up_settings import load_for_up, on_broker
from streamer.cli.up_stage import Stage
from streamer.cli.up_voice import Voice
from streamer.core.duration import parse_duration_ms
from streamer.settings.load import Loaded, SettingsError

#: A fixed port, so that the tasks that an earlier run left on the tiers find their target again.
RECEIVER_PORT = 9080


@dataclass(frozen=True, slots=True)
class Asked:
    """What the flags say beside the settings."""

    root: Path
    receiver_port: int | None
    quiet: bool
    ends_after_s: float | None
    mirror: str | None
    java_home: Path | None


def up(
    ctx: typer.Context,
    processes: Annotated[int | None, typer.Option(min=1, max=64, help="Worker processes.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Kafka's port, else broker.port; 0: a free one.")
    ] = None,
    receiver_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help=f"The demo receiver's port, {RECEIVER_PORT} if not given; 0: a free one."),
    ] = None,
    data_dir: Annotated[Path, typer.Option(help="Where records, state and logs are kept between runs.")] = Path(
        ".streamer"
    ),
    quiet: Annotated[bool, typer.Option("--quiet", help="Send only the first demo tasks, and no more.")] = False,
    for_: Annotated[
        str | None, typer.Option("--for", help='End by itself when it has been up for this long: "20s".', metavar="AGE")
    ] = None,
    mirror: Annotated[str | None, typer.Option(help="Base URL of the Maven repository to fetch Kafka from.")] = None,
    java_home: Annotated[
        Path | None, typer.Option(envvar="JAVA_HOME", help="The Java to use; the one on PATH if not given.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Run everything on this machine: Kafka, topics, workers, and a receiver with faults; print what happens.

    Demo tasks show each way that a task can go. Ctrl-C stops everything; the records stay for the next run.
    """
    begun_s = time.monotonic()
    asked = Asked(data_dir.absolute(), receiver_port, quiet, _seconds(for_), mirror, java_home)
    flags = {"worker.processes": processes, "broker.port": port}
    try:
        loaded = load_for_up(given(ctx).config, asked.root, flags)
    except SettingsError as error:
        fail(*error.problems, code=USAGE)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    raise typer.Exit(_run(loaded, asked, Voice(as_json), begun_s))


def _run(loaded: Loaded, asked: Asked, voice: Voice, begun_s: float) -> int:
    receiver_port = _receiver_port(asked.receiver_port)
    broker = EmbeddedBroker(_broker_options(loaded, asked), report=_note)
    stage: Stage | None = None
    try:
        _start(broker, asked.root, voice, begun_s)
        loaded = on_broker(loaded, broker.bootstrap)
        place = Installation(loaded, topics_of(loaded.settings), client_options(**kafka_options(loaded.settings)))
        stage = Stage(place, broker, voice, asked.root, begun_s, receiver_port, asked.quiet, asked.ends_after_s)
        with kafka_errors(place):
            reason = asyncio.run(stage.run())
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        _end(broker, hurried=stage is None or stage.hurried)
    if reason is not None:
        complain(reason)
    return FAILURE if reason is not None else 0


def _start(broker: EmbeddedBroker, root: Path, voice: Voice, begun_s: float) -> None:
    if not voice.as_json:
        err.print("starting Apache Kafka ...")
    try:
        broker.start()
    except errors.DataDirLocked:
        fail(f"another `streamer up` runs on {root}: stop it, or choose another directory with --data-dir")
    except errors.BrokerError as error:
        fail(str(error))
    after_s = round(time.monotonic() - begun_s, 1)
    text = f"Kafka {artifacts.kafka_version()} is ready on {broker.bootstrap} after {after_s:g} s"
    voice("broker_ready", text, bootstrap=broker.bootstrap, pid=broker.pid, after_s=after_s)


def _end(broker: EmbeddedBroker, *, hurried: bool) -> None:
    """Stop the broker, at once when a person has asked a second time."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if not hurried:
            broker.stop()
    except KeyboardInterrupt:
        pass
    finally:
        broker.kill()


def _broker_options(loaded: Loaded, asked: Asked) -> BrokerOptions:
    own = loaded.settings.broker
    return BrokerOptions(
        data_dir=own.data_dir.absolute(),
        port=_kafka_port(own.port, by_default=loaded.source("broker.port") == "default"),
        heap_mb=own.heap_mb,
        max_message_bytes=loaded.settings.topics.max_message_bytes,
        cache_dir=own.cache_dir.expanduser() / "kafka" / artifacts.kafka_version(),
        mirror=asked.mirror,
        java_home=asked.java_home,
    )


def _kafka_port(port: int, *, by_default: bool) -> int | None:
    if port == 0:
        return None
    if ports.is_taken(port) and by_default:
        _note(f"port {port} is taken: Kafka takes a free one; choose one with --port")
        return None
    return port


def _receiver_port(port: int | None) -> int:
    if port is None:
        if not ports.is_taken(RECEIVER_PORT):
            return RECEIVER_PORT
        _note(f"port {RECEIVER_PORT} is taken: the receiver takes a free one; choose one with --receiver-port")
        return 0
    if port and ports.is_taken(port):
        fail(f"port {port} on 127.0.0.1 is already in use: choose another with --receiver-port, or 0 for a free one")
    return port


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else parse_duration_ms(text) / 1000
    except ValueError as error:
        fail(f"--for: {error}", code=USAGE)


def _note(text: str) -> None:
    err.print(text, markup=False, soft_wrap=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
