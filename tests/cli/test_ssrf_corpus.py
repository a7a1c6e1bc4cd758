"""The corpus of ways inside, from the command line over Kafka to the sender: none is called, and no legal URL refused."""

from __future__ import annotations

import asyncio
import json

import pytest

from streamer.core.outcome import Failure
from streamer.core.reading import Accepted, Refused
from streamer.wire.limits import DEFAULT_LIMITS
from streamer.wire.request_reader import read_request
from streamer.wire.topics import Topics
from tests.cli.conftest import Cli
from tests.cli.records import read
from tests.support.broker import RunningKafka
from tests.support.listener import listening
from tests.support.ssrf import CASES, REFUSED, UrlCase

pytestmark = pytest.mark.broker

NOW_MS = 1_790_000_000_000


def lines(cases: dict[str, str]) -> str:
    """Write requests, one a line, each with the number of its case."""
    return "\n".join(json.dumps({"url": url, "metadata": {"case": number}}) for number, url in cases.items())


def test_what_has_no_meaning_or_two_is_refused_at_once(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    """Of all the corpus exactly the URLs that cannot be read stay off the topic, with the field named."""
    run = cli("send", "--json", "--file", "-", stdin=lines({str(n): case.url for n, case in enumerate(CASES)}))
    refused = {each["line"] - 1: each["refused"]["field"] for each in run.objects if "refused" in each}
    unreadable = [n for n, case in enumerate(CASES) if case.refused_by == "url"]
    assert run.code == 1
    assert refused == dict.fromkeys(unreadable, "url")
    assert len(read(kafka.bootstrap, topics.requests)) == len(CASES) - len(unreadable)


def test_no_record_leads_inside(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    """Records that a producer has written unchecked are refused by their reader or by the sender; the trap is not hit."""
    asyncio.run(_none_leads_inside(cli, kafka, topics))


async def _none_leads_inside(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    async with listening("127.0.0.1", "::1") as trap:
        urls = {str(number): case.at_port(trap.port) for number, case in enumerate(REFUSED)}
        run = await asyncio.to_thread(cli, "send", "--json", "--no-check", "--file", "-", stdin=lines(urls))
        assert run.code == 0, run.stderr
        records = await asyncio.to_thread(read, kafka.bootstrap, topics.requests)
        assert len(records) == len(REFUSED)
        for record in records:
            case = REFUSED[int(json.loads(record.value or b"")["metadata"]["case"])]
            await _is_refused(case, record.value or b"")
        assert trap.accepted == 0


async def _is_refused(case: UrlCase, record: bytes) -> None:
    reading = read_request(record, (), DEFAULT_LIMITS, NOW_MS)
    if case.refused_by == "url":
        assert isinstance(reading, Refused), case
        assert reading.field == "url"
        return
    assert isinstance(reading, Accepted), case
    exchange = await case.call(reading.request.url)
    assert isinstance(exchange.end, Failure), case
    assert not exchange.end.begun
