"""What the commands that talk to Kafka share: the installation they work on, and its failures in one line."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from streamer.adapters.kafka.appender import NotAcknowledged
from streamer.adapters.kafka.clients import TopicMissing, Unreachable, client_options
from streamer.adapters.kafka.topics import TopicsRefused
from streamer.bootstrap.secrets import SealingKeys, make_sealer, masking_of
from streamer.cli.console import USAGE, fail, load_settings
from streamer.cli.setup import kafka_options, topics_of
from streamer.settings.load import Loaded
from streamer.settings.model import Settings
from streamer.wire.masking import Masking
from streamer.wire.sealed import KeyMissing, Sealer
from streamer.wire.topics import Topics

INTERRUPTED = 130

# The client library logs each refused connection, and Python prints what nobody handles: beside our one line.
for _name in ("aiokafka", "streamer"):
    logging.getLogger(_name).addHandler(logging.NullHandler())

BootstrapFlag = Annotated[
    str | None,
    typer.Option(
        "--bootstrap", help="Brokers to ask first, host:port; else kafka.bootstrap_servers.", metavar="ADDRESSES"
    ),
]


@dataclass(frozen=True, slots=True)
class Installation:
    """One Streamer on one cluster, as the settings have it."""

    loaded: Loaded
    topics: Topics
    options: dict[str, Any]
    sealer: Sealer | None = None

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.loaded.settings

    @property
    def masking(self) -> Masking:
        """What is masked where people look."""
        return masking_of(self.settings)


def installation(ctx: typer.Context, bootstrap: str | None) -> Installation:
    """Read the settings; ends the command when they cannot be used."""
    loaded = load_settings(ctx, kafka__bootstrap_servers=bootstrap)
    try:
        options = client_options(**kafka_options(loaded.settings))
    except OSError as error:
        fail(f"kafka.security.cafile: cannot be read: {error.strerror or error}", code=USAGE)
    try:
        sealer = make_sealer(loaded.settings)
    except SealingKeys as error:
        fail(str(error), code=USAGE)
    return Installation(loaded, topics_of(loaded.settings), options, sealer)


@contextmanager
def kafka_errors(place: Installation) -> Iterator[None]:
    """End the command with one line when the cluster does not play along."""
    try:
        yield
    except Unreachable as error:
        fail(_unreachable(error, place.loaded))
    except TopicMissing as error:
        fail(f"{error}: run `streamer topics create`")
    except (NotAcknowledged, TopicsRefused, KeyMissing) as error:
        fail(str(error))


def _unreachable(error: Unreachable, loaded: Loaded) -> str:
    key = "kafka.bootstrap_servers"
    text = (
        f"Kafka at {error.addresses} cannot be reached ({key}, {loaded.source(key)}): {error.cause}; "
        "is it running? `streamer broker` starts one"
    )
    if loaded.settings.kafka.security.protocol != "PLAINTEXT":
        text += ". It may also refuse kafka.security.*"
    return text
