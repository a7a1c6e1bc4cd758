"""The corpus of ways inside, from the command line over Kafka to the sender: none is called, and no legal URL refused."""

from __future__ import annotations

import asyncio
import json

import pytest
from msgspec.structs import replace

from streamer.core.command import Verb
from streamer.core.emit import Emit
from streamer.core.outcome import Failure
from streamer.core.reading import Accepted, Refused
from streamer.wire.command_record import decode_command
from streamer.wire.limits import DEFAULT_LIMITS
from streamer.wire.outgoing import OutRecord
from streamer.wire.request_reader import read_request
from streamer.wire.topics import Topics
from tests.cli.conftest import Cli
from tests.cli.records import a_dead_letter, a_delivery, read, write
from tests.support.broker import RunningKafka
from tests.support.listener import trap
from tests.support.recording import RecordProperty
from tests.support.ssrf import CASES, REFUSED, UrlCase

pytestmark = pytest.mark.broker

NOW_MS = 1_790_000_000_000


def lines(cases: dict[str, str]) -> str:
    """Write requests, one a line, each with the number of its case."""
    return "\n".join(json.dumps({"url": url, "metadata": {"case": number}}) for number, url in cases.items())


def test_what_has_no_meaning_or_two_is_refused_at_once(
    cli: Cli, kafka: RunningKafka, topics: Topics, record_property: RecordProperty
) -> None:
    """Of all the corpus exactly the URLs that cannot be read stay off the topic, with the field named."""
    record_property("cases", len(CASES))
    run = cli("send", "--json", "--file", "-", stdin=lines({str(n): case.url for n, case in enumerate(CASES)}))
    refused = {each["line"] - 1: each["refused"]["field"] for each in run.objects if "refused" in each}
    unreadable = [n for n, case in enumerate(CASES) if case.refused_by == "url"]
    assert run.code == 1
    assert refused == dict.fromkeys(unreadable, "url")
    assert len(read(kafka.bootstrap, topics.requests)) == len(CASES) - len(unreadable)


def test_no_record_leads_inside(cli: Cli, kafka: RunningKafka, topics: Topics, record_property: RecordProperty) -> None:
    """Records that a producer has written unchecked are refused by their reader or by the sender; the trap is not hit."""
    record_property("cases", len(REFUSED))
    asyncio.run(_none_leads_inside(cli, kafka, topics))


async def _none_leads_inside(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    async with trap("127.0.0.1", "::1") as inside:
        urls = {str(number): case.at_port(inside.port) for number, case in enumerate(REFUSED)}
        run = await asyncio.to_thread(cli, "send", "--json", "--no-check", "--file", "-", stdin=lines(urls))
        assert run.code == 0, run.stderr
        records = await asyncio.to_thread(read, kafka.bootstrap, topics.requests)
        assert len(records) == len(REFUSED)
        for record in records:
            case = REFUSED[int(json.loads(record.value or b"")["metadata"]["case"])]
            await _is_refused(case, record.value or b"")


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


def test_no_update_brings_in_what_a_record_may_not(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    """A URL of no meaning ends the command as wrong usage with the field named, and nothing is written."""
    write(kafka.bootstrap, topics, [a_dead_letter(a_delivery("task-a"))])
    for url in ("http://127.1/", "http://user:secret@example.com/", "file:///etc/passwd"):
        run = cli("tasks", "update", "task-a", "--url", url, "--no-wait")
        assert run.code == 2, run
        assert "url" in run.stderr
    assert read(kafka.bootstrap, topics.control) == []


def test_no_replay_leads_inside(cli: Cli, kafka: RunningKafka, topics: Topics, record_property: RecordProperty) -> None:
    """A dead letter whose address may not be called any more, or never might, is replayed to be refused at its sending."""
    record_property("cases", len(REFUSED))
    asyncio.run(_no_replay_leads_inside(cli, kafka, topics))


async def _no_replay_leads_inside(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    async with trap("127.0.0.1", "::1") as inside:
        letters: list[Emit | OutRecord] = []
        for number, case in enumerate(REFUSED):
            dead = a_delivery(f"case-{number}")
            letters.append(a_dead_letter(replace(dead, request=replace(dead.request, url=case.at_port(inside.port)))))
        await asyncio.to_thread(write, kafka.bootstrap, topics, letters)
        run = await asyncio.to_thread(cli, "dead-letters", "replay", "--yes", "--rate", "1000/s", "--json")
        assert run.code == 0, run.stderr
        commands = [
            decode_command(each.value) for each in await asyncio.to_thread(read, kafka.bootstrap, topics.control)
        ]
        assert sorted(command.task_id for command in commands) == sorted(f"case-{n}" for n in range(len(REFUSED)))
        for command in commands:
            assert command.verb is Verb.REPLAY
            assert command.delivery is not None
            case = REFUSED[int(command.task_id.partition("-")[2])]
            exchange = await case.call(command.delivery.request.url)
            assert isinstance(exchange.end, Failure), case
            assert not exchange.end.begun
