"""What the settings add to the names that are masked holds for every command that shows what one can hold."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from streamer.core.emit import DeadLetterOf, FirstPass
from streamer.core.lifecycle import State
from streamer.core.outcome import Exchange, Response
from streamer.wire.topics import Topics
from tests.cli.conftest import Cli
from tests.cli.records import a_delivery, a_result, an_unreadable, now_ms, write
from tests.support.broker import RunningKafka

pytestmark = pytest.mark.broker

ADDED = {
    "STREAMER_MASKING__HEADERS": "x-own",
    "STREAMER_MASKING__QUERY": "pin",
    "STREAMER_MASKING__FIELDS": "card",
}
HIDDEN = ("horse", "battery", "staple", "correct")
URL, HEADERS, BODY = "https://example.com/?pin=horse", (("X-Own", "battery"),), b'{"card": "staple", "n": 1}'
COMMANDS = (
    ("schedules", "show", "s", "--json"),
    ("schedules", "ls", "--json"),
    ("schedules", "pause", "s", "--json"),
    ("domains", "show", "example.com"),
    ("domains", "ls"),
    ("domains", "limit", "example.com", "--rate", "6/s", "--json"),
    ("policies", "show", "gentle"),
    ("policies", "ls"),
    ("tasks", "show", "task-a"),
    ("dead-letters", "show", "task-a"),
    ("results", "--json"),
)
#: Those that show all of it between them.
OPEN = (("tasks", "show", "task-a"), ("results", "--json"))


def test_added_names_are_masked_wherever_they_are_shown(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    """Also in what was written before they were added; without the settings each command shows what it is given."""
    task = a_delivery("task-a")
    task = replace(task, request=replace(task.request, url=URL, headers=HEADERS, body=BODY))
    answer = Response(500, HEADERS, b"card=correct&a=1")
    result = replace(a_result(task, State.FAILED, detail=f"to {URL}"), exchange=Exchange(answer, now_ms(), 1.0))
    unread = replace(
        an_unreadable(json.dumps({"url": URL, "form": {"Card": "staple"}}).encode()), headers=(("X-Own", b"battery"),)
    )
    *_, letter = write(
        kafka.bootstrap, topics, [FirstPass(task), result, DeadLetterOf(task, "exhausted", result, now_ms()), unread]
    )
    flags = ("--header", "X-Own: battery")
    schedule = ("--every", "1h", "--url", URL, *flags, "--json-body", '{"card": "staple"}')
    for command in (
        ("schedules", "set", "s", *schedule),
        ("domains", "limit", "example.com", *flags),
        ("policies", "set", "gentle", *flags),
    ):
        assert cli(*command, **ADDED).code == 0
    for words in (*COMMANDS, ("dead-letters", "show", f"{letter.partition}:{letter.offset}")):
        run = cli(*words, **ADDED)
        assert run.code == 0, run.stderr
        assert [text for text in HIDDEN if text in run.stdout + run.stderr] == [], (words, run.stdout)
    plain = "".join(cli(*command).stdout for command in OPEN)
    assert [text for text in HIDDEN if text not in plain] == []
