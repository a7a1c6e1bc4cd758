"""Kafka's own producer perf test against our broker: what a broker of this machine takes from a good client."""

from __future__ import annotations

import asyncio
import os
import re
import time
from typing import Any

from bench.machine import cpu
from bench.rig import Rig
from streamer.adapters.broker import artifacts, java
from streamer.adapters.broker.artifacts import Artifact
from streamer.adapters.broker.errors import BrokerError

#: The broker runs without it; it must be of the broker's version.
_TOOLS = Artifact(
    "org.apache.kafka", "kafka-tools", "4.1.2", "cb7aedcd2e418b86079c4b35257c8e37800eea84723c78c8b90f535bd589888e"
)
_RATE = re.compile(r"(\d+) records sent, ([\d.]+) records/sec \(([\d.]+) MB/sec\)")


async def producer_perf(rig: Rig, topic: str, records: int, record_bytes: int) -> dict[str, Any]:
    """Run it; where its jar cannot be had, the figures say why there are none."""
    try:
        command = await asyncio.to_thread(_command)
    except BrokerError as error:
        return {"by": f"not measured: {error}", "per_s": None}
    words = ("--topic", topic, "--num-records", str(records), "--record-size", str(record_bytes), "--throughput", "-1")
    # As our producers are.
    props = (f"bootstrap.servers={rig.bootstrap}", "acks=all", "linger.ms=2", "batch.size=262144")
    before, begun_s = cpu(rig.broker_pid), time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *(*command, *words, "--producer-props", *props),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out = (await process.communicate())[0].decode()
    if process.returncode != 0:
        raise RuntimeError(f"kafka's producer perf test ended with {process.returncode}:\n{out}")
    return told(out) | {
        "by": "org.apache.kafka.tools.ProducerPerformance",
        "broker_us": round(cpu(rig.broker_pid).since(before).ms * 1000 / records, 2),
        "took_s": round(time.monotonic() - begun_s, 1),
        "record_bytes": record_bytes,
    }


def told(out: str) -> dict[str, Any]:
    """Return what its last line of figures says: the sum over the whole run."""
    found = _RATE.findall(out)
    if not found:
        raise ValueError(f"kafka's producer perf test told no rate:\n{out}")
    records, per_s, mb_per_s = found[-1]
    return {"records": int(records), "per_s": round(float(per_s)), "mb_per_s": float(mb_per_s)}


def _command() -> list[str]:
    if _TOOLS.version != artifacts.kafka_version():
        raise BrokerError(f"bench/perf_tool.py names {_TOOLS.version}, and the broker is {artifacts.kafka_version()}")
    jars = artifacts.ensure(artifacts.default_cache_dir(), (*artifacts.pinned(), _TOOLS))
    path = os.pathsep.join(str(jar) for jar in jars)
    return [str(java.find().path), "-Xmx256m", "-cp", path, "org.apache.kafka.tools.ProducerPerformance"]
