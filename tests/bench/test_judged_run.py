"""A worker without any fault, judged by everything that the oracle can look at: it finds nothing."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from bench.oracle import Anomaly, Verdict
from bench.oracle_values import Limit
from bench.recording import recorded
from bench.run_ledgers import ARRIVALS, Ledgers, Terms
from streamer.core.lane_key import lane_key
from streamer.wire.config_record import encode_config
from tests.support.broker import RunningKafka
from tests.support.domains import many_domains
from tests.support.installation import Installation, installed
from tests.support.worker import worker_process

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

RATE, BURST = 10, 3
DELAY_MS = 3_000
#: A receiver beside other tests may take so long to note an arrival.
WAY_MS = 200
TOKENS = {"red": "Bearer red-0123456789abcdef", "blue": "Bearer blue-0123456789abcdef"}


@pytest.fixture
async def place(kafka: RunningKafka, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Installation]:
    """Make an installation with short tiers, and delete its topics afterwards."""
    async with installed(Installation(kafka.bootstrap, topic_prefix, tmp_path)) as made:
        yield made


def requests(plain: str, limited: str, broken: str) -> Iterator[dict[str, Any]]:
    """Yield tasks of two businesses: plain ones, delayed ones, retried ones, those of a rate, and those behind a breaker."""
    for number in range(15):
        business = ("red", "blue")[number % 2]
        common = {"business": business, "headers": {"Authorization": TOKENS[business]}}
        yield {"url": f"{plain}/{number}", **common}
        yield {"url": f"{plain}/delayed/{number}", "delay": f"{DELAY_MS}ms", **common}
        yield {"url": f"{plain}/fail/1/425", "retry": {"intervals": ["1s"]}, **common}
        yield {"url": f"{limited}/{number}", **common}
        yield {"url": f"{limited}/more/{number}", **common}
        # Five failures open it. What comes back then is answered well, or it would stay open ever longer.
        failing = "fail/1/500" if number < 5 else "fine"
        yield {"url": f"{broken}/{failing}", "retry": {"intervals": ["1s"]}, **common}


async def judged(place: Installation) -> Verdict:
    """Run the tasks to their ends, and return what the ledgers say."""
    async with AsyncExitStack() as stack:
        log = place.directory / ARRIVALS
        domains = await stack.enter_async_context(many_domains(3, log, heads=True))
        limited, broken = lane_key(domains.urls[1]), lane_key(domains.urls[2])
        terms = Terms(
            limits=[Limit(limited, RATE, BURST, way_ms=WAY_MS)],
            marks={name: [token] for name, token in TOKENS.items()},
            canaries={f"{name}'s token": token.partition(" ")[2] for name, token in TOKENS.items()},
        )
        recording = await stack.enter_async_context(recorded(place, terms))
        producer = AIOKafkaProducer(bootstrap_servers=place.bootstrap, acks="all")
        await producer.start()
        stack.push_async_callback(producer.stop)
        limits: dict[str, dict[str, Any]] = {
            limited: {"rate": f"{RATE}/s", "burst": BURST},
            broken: {"breaker": {"open": "2s"}},
        }
        for lane, fields in limits.items():
            await producer.send_and_wait(place.topics.config, encode_config(fields), f"domain:{lane}".encode())
        worker = await stack.enter_async_context(worker_process(place))
        await worker.ready()
        for request in requests(*domains.urls):
            metadata = await producer.send_and_wait(place.topics.requests, json.dumps(request).encode())
            delay_ms = DELAY_MS if "delay" in request else None
            recording.accepted.add(metadata, None, delay_ms=delay_ms, business=request["business"])
        await recording.until_ended(60)
        worker.terminate()
        recording.ledgers.process(worker.name, "exited", str(await worker.ended()))
    return recording.judged()


async def test_a_run_without_faults_is_clean(place: Installation) -> None:
    """Every kind of anomaly is judged, none is found, and nothing is sent twice; the breaker was told open meanwhile."""
    began_ms = time.time_ns() // 1_000_000
    verdict = await judged(place)
    assert verdict.stories == []
    assert verdict.judged == set(Anomaly)
    assert (verdict.tasks, verdict.ends) == (90, {"succeeded": 90})
    assert verdict.duplicate_calls == 0
    # 15 delayed ones, 15 that are tried again, and the five that open the breaker.
    assert verdict.lateness.calls == 35
    evidence = Ledgers.read(place.directory).evidence
    assert any(said.breaker == "open" and said.open_until_ms > began_ms for said in evidence.lanes or ())
