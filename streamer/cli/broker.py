"""`streamer broker`: a real Kafka of one node in the foreground, until Ctrl-C."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from streamer.adapters.broker.config import BrokerOptions
from streamer.adapters.broker.errors import BrokerError
from streamer.adapters.broker.server import EmbeddedBroker

DEFAULT_DATA_DIR = Path.home() / ".local" / "share" / "streamer" / "broker"


def broker(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port for clients, on 127.0.0.1.")] = 9092,
    controller_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the controller; a free one if not given.")
    ] = None,
    data_dir: Annotated[Path, typer.Option(help="Where records are kept between runs.")] = DEFAULT_DATA_DIR,
    heap_mb: Annotated[int, typer.Option(min=128, help="Memory of the Java heap, MiB.")] = 512,
    cache_dir: Annotated[
        Path | None, typer.Option(help="Where the jars of Apache Kafka are kept; in ~/.cache if not given.")
    ] = None,
    mirror: Annotated[str | None, typer.Option(help="Base URL of the Maven repository to fetch them from.")] = None,
    java_home: Annotated[
        Path | None, typer.Option(envvar="JAVA_HOME", help="The Java to use; the one on PATH if not given.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print one line of JSON when ready.")] = False,
) -> None:
    """Run a real Apache Kafka of one node on this machine, until Ctrl-C."""
    options = BrokerOptions(
        data_dir=data_dir,
        port=port,
        controller_port=controller_port,
        heap_mb=heap_mb,
        cache_dir=cache_dir,
        mirror=mirror,
        java_home=java_home,
    )
    server = EmbeddedBroker(options, report=lambda message: typer.echo(message, err=True))
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _run(server, json_output)
    except BrokerError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None


def _run(server: EmbeddedBroker, json_output: bool) -> None:
    """Start the broker and wait for its end, or for ours; a second Ctrl-C does not wait for the broker."""
    try:
        server.start()
        _announce(server, json_output)
        server.wait()
        failure = server.failure()
        if failure is not None:
            raise failure
    except KeyboardInterrupt:
        typer.echo("stopping", err=True)
        try:
            server.stop()
        except KeyboardInterrupt:
            server.kill()
    finally:
        server.kill()


def _announce(server: EmbeddedBroker, json_output: bool) -> None:
    if json_output:
        facts = {"bootstrap": server.bootstrap, "data_dir": str(server.data_dir), "pid": server.pid}
        typer.echo(json.dumps(facts))
        return
    typer.echo(f"Kafka is ready on {server.bootstrap}")
    typer.echo(f"records in {server.data_dir}; Ctrl-C stops it")


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
