"""The embedded broker itself: it keeps its records, its address and its identity, and tells why it cannot run."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streamer.adapters.broker.config import BrokerOptions
from streamer.adapters.broker.errors import (
    BrokerDied,
    BrokerError,
    BrokerNotReady,
    DataDirLocked,
    DiskFull,
    PortTaken,
)
from streamer.adapters.broker.server import COMPILE_LIGHTLY, EmbeddedBroker
from tests.support.broker import RunningKafka

pytestmark = pytest.mark.broker

TOPIC = "kept"
DEADLINE_S = 20


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> BrokerOptions:
    """Return options with a data directory that the tests of this file share."""
    return BrokerOptions(tmp_path_factory.mktemp("broker"))


@pytest.fixture(scope="module")
def broker(options: BrokerOptions) -> Iterator[EmbeddedBroker]:
    """Start a broker that these tests may kill."""
    with EmbeddedBroker(options) as running:
        yield running


async def write(bootstrap: str, values: list[bytes]) -> str:
    """Append the values to the topic, making it if need be; returns the cluster's id."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, 1, 1)])
        cluster_id: str = (await admin.describe_cluster())["cluster_id"]
    finally:
        await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        for value in values:
            await producer.send_and_wait(TOPIC, value)
    return cluster_id


async def read(bootstrap: str, count: int) -> list[bytes]:
    """Return the first values of the topic."""
    values: list[bytes] = []
    async with AIOKafkaConsumer(TOPIC, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        async with asyncio.timeout(DEADLINE_S):
            while len(values) < count:
                values.append((await consumer.getone()).value)
    return values


def test_records_outlive_a_kill(broker: EmbeddedBroker) -> None:
    """After a kill from outside and a restart, the address, the cluster and the acknowledged records are the same."""
    address = broker.bootstrap
    cluster = asyncio.run(write(address, [b"a", b"b"]))
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGKILL)
    assert broker.wait(DEADLINE_S)
    assert isinstance(broker.failure(), BrokerDied)
    assert "exit code -9" in str(broker.failure())
    broker.restart()
    assert (broker.bootstrap, broker.failure()) == (address, None)
    assert asyncio.run(write(address, [b"c"])) == cluster
    assert asyncio.run(read(address, 3)) == [b"a", b"b", b"c"]


def test_only_a_short_lived_broker_is_compiled_lightly(broker: EmbeddedBroker, kafka: RunningKafka) -> None:
    """The tests' own broker starts with less; one that may run for weeks has all of Java's compilers."""
    told = [Path(f"/proc/{each.pid}/cmdline").read_text().split("\0") for each in (broker, kafka.broker)]
    assert [COMPILE_LIGHTLY in each for each in told] == [False, True]


def test_a_data_directory_has_one_broker(broker: EmbeddedBroker) -> None:
    """A second broker on the same directory is refused at once, and the first goes on."""
    with pytest.raises(DataDirLocked, match="--data-dir"):
        EmbeddedBroker(BrokerOptions(broker.data_dir)).start()
    assert broker.pid is not None


def test_a_running_broker_is_not_started_again(broker: EmbeddedBroker) -> None:
    """The second start is refused with the address."""
    with pytest.raises(BrokerError, match=broker.bootstrap):
        broker.start()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """The error names the port and the option, for clients' port and controller's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: int = server.getsockname()[1]
        options = BrokerOptions(tmp_path, port=taken)
        with pytest.raises(PortTaken, match=rf"port {taken} on 127.0.0.1 .* with --port$"):
            EmbeddedBroker(options).start()
        options = replace(options, port=None, controller_port=taken)
        with pytest.raises(PortTaken, match=rf"port {taken} .* with --controller-port$"):
            EmbeddedBroker(options).start()


def test_a_disk_without_room_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """The check comes first, and the directory is free for the next try."""
    broker = EmbeddedBroker(BrokerOptions(tmp_path, min_free_mib=1_000_000_000))
    for _ in range(2):
        with pytest.raises(DiskFull):
            broker.start()
    assert broker.pid is None


def test_a_broker_that_dies_at_its_start_shows_its_log(tmp_path: Path) -> None:
    """Settings that Kafka refuses come back in its own words."""
    broker = EmbeddedBroker(BrokerOptions(tmp_path, overrides={"num.io.threads": "0"}))
    with pytest.raises(BrokerDied, match=r"num\.io\.threads"):
        broker.start()
    assert broker.pid is None


def test_a_broker_that_does_not_answer_in_time_is_ended(options: BrokerOptions, tmp_path: Path) -> None:
    """The error tells the time allowed, and no process is left."""
    broker = EmbeddedBroker(replace(options, data_dir=tmp_path, start_timeout_s=0.0))
    with pytest.raises(BrokerNotReady, match="after 0 s"):
        broker.start()
    assert broker.pid is None


def test_a_broker_has_no_address_before_its_first_start(tmp_path: Path) -> None:
    """An address that could still change is not given out."""
    with pytest.raises(BrokerError, match=r"start\(\)"):
        _ = EmbeddedBroker(BrokerOptions(tmp_path)).bootstrap
