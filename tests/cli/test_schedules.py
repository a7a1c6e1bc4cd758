"""`streamer schedules`: set, list, show, pause, run and remove, on the real broker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamer.core.emit import Emit
from streamer.core.identity import firing_id
from streamer.core.schedule import Cursor
from streamer.wire.instants import parse_instant
from streamer.wire.outgoing import OutRecord
from streamer.wire.topics import Topics
from tests.cli.conftest import Cli
from tests.cli.records import read as read_topic
from tests.cli.records import write
from tests.support.broker import RunningKafka

pytestmark = pytest.mark.broker

URL = "https://API.example.com/report"
FIRED_MS = 1_767_225_600_000


def test_set_and_ls(cli: Cli, kafka: RunningKafka, topics: Topics, own_directory: Path) -> None:
    """A schedule is written as it was asked for, changed field by field, and listed with its next and last instant."""
    request = own_directory / "request.json"
    request.write_text(json.dumps({"url": URL, "headers": {"Authorization": "Bearer secret"}}))
    run = cli(
        "schedules", "set", "nightly", "--cron", "30 2 * * *", "--time-zone", "Europe/Zurich", "--request", request
    )
    assert run.code == 0, run.stderr
    assert run.stdout.startswith("schedule nightly: 30 2 * * * Europe/Zurich, to api.example.com; next at 2")
    assert cli("schedules", "set", "tick", "--every", "90s", "--url", URL, "--header", "Cookie: c").code == 0
    assert cli("schedules", "set", "nightly", "--overlap", "skip", "--misfire", "all").code == 0
    last = read_topic(kafka.bootstrap, topics.config)[-1]
    assert last.key == b"schedule:nightly"
    assert json.loads(last.value or b"") == {
        "v": 1,
        "cron": "30 2 * * *",
        "time_zone": "Europe/Zurich",
        "request": {"url": URL, "headers": {"Authorization": "Bearer secret"}},
        "misfire": "all",
        "overlap": "skip",
    }
    write(kafka.bootstrap, topics, [Cursor("tick", "x", FIRED_MS, FIRED_MS, FIRED_MS)])
    nightly, tick = cli("schedules", "ls", "--json").objects
    assert nightly["record"]["request"]["headers"] == {"Authorization": "***"}
    assert (nightly["when"], nightly["last"], nightly["paused"]) == ("30 2 * * * Europe/Zurich", None, False)
    assert tick["record"]["request"]["headers"] == [["Cookie", "***"]]
    assert (tick["when"], tick["last"]) == ("every 1m30s", "2026-01-01T00:00:00.000Z")
    assert tick["last_task_id"] == firing_id("tick", FIRED_MS)
    assert parse_instant(tick["next"]) % 90_000 == 0
    listed = cli("schedules", "ls").lines
    assert listed[0].split() == ["schedule", "when", "to", "next", "last"]
    assert [line.split()[0] for line in listed[1:]] == ["nightly", "tick"]


def test_pause_resume_show_and_rm(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    """A pause and its end are records of their own; a removed schedule leaves nothing."""
    cli("schedules", "set", "tick", "--every", "1h", "--url", URL)
    assert cli("schedules", "pause", "tick").stdout == "schedule tick: every 1h, to api.example.com; paused\n"
    assert cli("schedules", "pause", "tick").code == 0
    assert "paused" in cli("schedules", "ls").lines[1]
    shown = json.loads(cli("schedules", "show", "tick").stdout)
    assert (shown["paused"], shown["next"], shown["coming"]) == (True, None, [])
    assert "next at" in cli("schedules", "resume", "tick").stdout
    (shown,) = cli("schedules", "show", "tick", "--json").objects
    assert len(shown["coming"]) == 5
    assert cli("schedules", "rm", "tick").stdout == "schedule tick: removed\n"
    written = [(record.key, record.value is None) for record in read_topic(kafka.bootstrap, topics.config)]
    assert written == [(b"schedule:tick", False)] * 3 + [(b"schedule:tick", True), (b"fired:tick", True)]
    assert cli("schedules", "ls", "--json").objects == []


def test_run(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    """A firing by hand is a request like those of the instants, with an id of its own instant, also in a pause."""
    cli("schedules", "set", "tick", "--every", "1h", "--url", URL)
    cli("schedules", "pause", "tick")
    (run,) = cli("schedules", "run", "tick", "--json").objects
    (record,) = read_topic(kafka.bootstrap, topics.requests)
    assert cli("schedules", "run", "tick").stdout.startswith("sch_")
    assert run["id"] == firing_id("tick", parse_instant(run["instant"]))
    assert (run["partition"], run["offset"]) == (record.partition, record.offset)
    assert json.loads(record.value or b"") == {
        "url": URL,
        "id": run["id"],
        "metadata": {"schedule": "tick", "scheduled_at": run["instant"]},
    }


def test_unset_and_rivals(cli: Cli) -> None:
    """`--every` takes the place of the cron expression; a field can be taken out again."""
    cli("schedules", "set", "tick", "--cron", "* * * * *", "--time-zone", "Europe/Zurich", "--url", URL)
    (told,) = cli("schedules", "set", "tick", "--every", "5m", "--unset", "time_zone", "--json").objects
    assert told["record"] == {"every": "5m", "request": {"url": URL}}


#: What `set` refuses → what it says of it.
REFUSED = {
    ("new", "--url", URL): "give cron or every: one of the two",
    ("new", "--every", "1m"): "request is required",
    ("new", "--every", "1m", "--cron", "* * * * *", "--url", URL): "give cron or every: one of the two",
    ("new", "--every", "500ms", "--url", URL): "1s to 365d is allowed",
    ("new", "--cron", "@daily", "--url", URL): "five fields",
    ("new", "--every", "1m", "--url", "ftp://x"): "request: url",
    ("new", "--every", "1m", "--body", "x"): "go with --url",
    ("new", "--every", "1m", "--url", URL, "--request", "-"): "one of the two",
    ("new", "--every", "1m", "--request", "absent.json"): "cannot be read",
    ("new", "--every", "1m", "--request", "-"): "must hold a JSON object",
    ("new", "--every", "1m", "--url", URL, "--header", "x"): "--header must be",
    ("new", "--unset", "cron"): "has no such field",
    ("a b", "--every", "1m", "--url", URL): "letters, digits",
}


def test_what_set_refuses(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    """Nothing is written that a worker would refuse; the field or flag is named, and what is allowed."""
    runs = {flags: cli("schedules", "set", *flags, stdin="[]") for flags in REFUSED}
    assert {flags: run.code for flags, run in runs.items()} == dict.fromkeys(REFUSED, 2)
    assert [run.stderr for flags, run in runs.items() if REFUSED[flags] not in run.stderr] == []
    assert "is no JSON" in cli("schedules", "set", "new", "--every", "1m", "--request", "-", stdin="x").stderr
    assert read_topic(kafka.bootstrap, topics.config) == []


def test_a_policy_that_is_not_known(cli: Cli) -> None:
    """Every firing would be refused for it."""
    run = cli(
        "schedules", "set", "new", "--every", "1m", "--request", "-", stdin=json.dumps({"url": URL, "policy": "p"})
    )
    assert run.code == 2
    assert "nothing is said of policy 'p'" in run.stderr


def test_a_schedule_that_is_not_there(cli: Cli) -> None:
    """Every command says so, and how to find those that are."""
    for command in ("show", "pause", "resume", "run", "rm"):
        run = cli("schedules", command, "none")
        assert run.code == 1
        assert "no schedule none: list them with `streamer schedules ls`" in run.stderr


def test_records_that_no_worker_takes(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    """A bad record beside a good one leaves the good one in force; alone it does not fire; both are told, and removed."""
    cli("schedules", "set", "tick", "--every", "1h", "--url", URL)
    items: list[Emit | OutRecord] = [
        OutRecord(topics.config, b'{"every":"1h"}', b"schedule:tick"),
        OutRecord(topics.config, b"nonsense", b"schedule:bad"),
        OutRecord(topics.config, b"nonsense", b"fired:tick"),
    ]
    write(kafka.bootstrap, topics, items)
    run = cli("schedules", "ls")
    assert [line.split()[0] for line in run.lines[1:]] == ["tick"]
    assert "schedule tick: the newest record is refused, what it said before holds: request" in run.stderr
    assert "schedule bad: the newest record is refused, it does not fire: the record is no JSON" in run.stderr
    assert "its record is refused" in cli("schedules", "show", "bad").stderr
    assert cli("schedules", "rm", "bad", "--json").objects == [{"name": "bad", "removed": True}]
    assert "bad" not in cli("schedules", "ls").stderr
