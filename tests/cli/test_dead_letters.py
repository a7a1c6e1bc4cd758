"""`streamer dead-letters`: list, show and replay, and that no replay happens twice, on the real broker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.core.command import Command, Verb
from streamer.core.emit import Emit
from streamer.core.lifecycle import State
from streamer.core.partitioning import partition_of
from streamer.wire.command_record import decode_command
from streamer.wire.outgoing import OutRecord
from streamer.wire.topics import Topics
from tests.cli.conftest import Cli, environment
from tests.cli.records import a_dead_letter, a_delivery, a_result, an_unreadable, write
from tests.cli.records import read as read_topic
from tests.support.broker import RunningKafka

pytestmark = pytest.mark.broker

A, B, LATER = a_delivery("task-a"), a_delivery("task-b", "slow.example:8443"), a_delivery("task-c", generation=3)


@pytest.fixture
def places(kafka: RunningKafka, topics: Topics) -> list[str]:
    """Write five dead letters, one of them unreadable itself, and return where each stands."""
    items: list[Emit | OutRecord] = [
        a_dead_letter(A),
        a_dead_letter(B, "gone"),
        a_dead_letter(LATER),
        an_unreadable(),
        OutRecord(topics.dead_letter, b"nonsense", b"x"),
    ]
    return [f"{at.partition}:{at.offset}" for at in write(kafka.bootstrap, topics, items)]


def commands(kafka: RunningKafka, topics: Topics) -> list[Command]:
    """Return the commands on `control`, checked to stand in their lane's partition under its key."""
    found = []
    for record in read_topic(kafka.bootstrap, topics.control):
        command = decode_command(record.value)
        assert record.key == command.lane.encode()
        assert record.partition == partition_of(command.lane, topics.partitions)
        assert record.headers == (("v", b"1"),)
        found.append(command)
    return sorted(found, key=lambda command: command.task_id)


def test_ls(cli: Cli, places: list[str]) -> None:
    """A line per dead letter in the order of time, the unreadable ones among them."""
    run = cli("dead-letters", "ls")
    assert run.code == 0
    lines = run.lines[1:]
    assert [line.split()[1] for line in lines] == places
    assert lines[0].split()[2:] == ["task-a", "1", "example.com", "exhausted", "500"]
    assert lines[1].split()[2:] == ["task-b", "1", "slow.example:8443", "gone", "500"]
    assert "(record)" in lines[3]
    assert "cannot be replayed" in lines[3]
    assert "the dead letter is no JSON" in lines[4]


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        (("--domain", "Example.com"), [0, 2]),
        (("--domain", "slow.example:8443"), [1]),
        (("--domain", "slow.example"), []),
        (("--reason", "gone"), [1]),
        (("--since", "1h", "--reason", "exhausted"), [0, 2]),
        (("--since", "2099-01-01T00:00:00Z"), []),
        (("--limit", "2"), [3, 4]),
        (("--limit", "0"), [0, 1, 2, 3, 4]),
    ],
)
def test_ls_of_some(cli: Cli, places: list[str], flags: tuple[str, ...], found: list[int]) -> None:
    """Each flag leaves out what it says."""
    run = cli("dead-letters", "ls", "--json", *flags)
    assert run.code == 0
    assert [f"{row['partition']}:{row['offset']}" for row in run.objects] == [places[index] for index in found]


def test_show(cli: Cli, places: list[str]) -> None:
    """By task or by place: the request with its secrets masked, and the last result."""
    by_task, by_place = (
        cli("dead-letters", "show", "task-a", "--json"),
        cli("dead-letters", "show", places[0], "--json"),
    )
    assert (by_task.code, by_task.objects) == (0, by_place.objects)
    (shown,) = by_task.objects
    assert (shown["reason"], shown["generation"], shown["attempts"]) == ("exhausted", 1, 5)
    assert shown["request"]["url"] == "https://example.com/hook"
    assert shown["request"]["headers"] == [["Authorization", "***"], ["X-A", "1"]]
    assert shown["request"]["body"] == '{"n":1}'
    assert shown["result"]["status"] == 500
    text = cli("dead-letters", "show", "task-a")
    assert "reason: exhausted" in text.lines
    assert "horse" not in text.stdout


def test_show_of_a_record(cli: Cli, places: list[str]) -> None:
    """What no task could be made of is shown as it came; bytes that are no text in base64."""
    (shown,) = cli("dead-letters", "show", places[3], "--json").objects
    assert (shown["kind"], shown["field"], shown["key"], shown["value"]) == ("record", "urll", "k", '{"urll": 1}')
    assert shown["headers"] == [{"name": "h", "value_base64": "/w=="}]
    assert shown["origin"].startswith("streamer.requests 1:4 at ")


def test_show_of_nothing(cli: Cli, places: list[str]) -> None:
    """What is not there is named, with the command that lists what is."""
    for which in ("task-x", "0:99", "99:0"):
        run = cli("dead-letters", "show", which)
        assert run.code == 1
        assert f"no dead letter {which}: list them with `streamer dead-letters ls`" in run.stderr.replace("\n", " ")


def test_replay_twice(cli: Cli, kafka: RunningKafka, topics: Topics, places: list[str]) -> None:
    """Every task gets one command with its whole delivery; a second run skips all, and says why."""
    first = cli("dead-letters", "replay", "--yes", "--rate", "1000/s")
    assert first.code == 0
    assert sorted(line.split()[0] for line in first.lines) == ["replayed"] * 3 + ["skipped"] * 2
    assert "matched 5, replayed 3, skipped 2 (2 no task: the record could not be read)" in first.stderr
    written = commands(kafka, topics)
    assert [(command.task_id, command.expect_generation) for command in written] == [
        ("task-a", 1), ("task-b", 1), ("task-c", 3),
    ]  # fmt: skip
    assert [command.delivery for command in written] == [A, B, LATER]
    assert {(command.verb, command.force, command.by) for command in written} == {(Verb.REPLAY, False, "cli")}
    second = cli("dead-letters", "replay", "--yes", "--rate", "1000/s", "--json")
    assert second.code == 0
    *told, last = second.objects
    assert [row["note"] for row in told if row["task_id"]] == ["already replayed"] * 3
    skipped = {"already replayed": 3, "no task: the record could not be read": 2}
    assert last["summary"] == {"matched": 5, "replayed": 0, "dry_run": False, "failed": 0, "skipped": skipped}
    assert commands(kafka, topics) == written
    listed = cli("dead-letters", "ls", "--json").objects
    assert [row["note"] for row in listed[:3]] == ["already replayed"] * 3


@pytest.mark.usefixtures("places")
def test_a_replay_of_some_is_completed_by_a_replay_of_all(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    """What a first run left out is what the second run sends; the command ids are those of the dead letters."""
    assert cli("dead-letters", "replay", "--yes", "--id", "task-b").code == 0
    assert [command.task_id for command in commands(kafka, topics)] == ["task-b"]
    rest = cli("dead-letters", "replay", "--yes", "--rate", "1000/s")
    assert "replayed 2, skipped 3" in rest.stderr
    assert len({command.command_id for command in commands(kafka, topics)}) == 3


@pytest.mark.usefixtures("places")
def test_dry_run_writes_nothing(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    """It needs no consent, and names what would go."""
    run = cli("dead-letters", "replay", "--dry-run", "--domain", "example.com")
    assert run.code == 0
    assert sorted(line.split()[3] for line in run.lines) == ["task-a", "task-c"]
    assert all(line.startswith("would replay") for line in run.lines)
    assert "matched 2, would replay 2, skipped 0" in run.stderr
    assert commands(kafka, topics) == []


@pytest.mark.usefixtures("places")
def test_consent_is_needed(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    """Without a terminal to ask, nothing is sent unless --yes is said."""
    run = cli("dead-letters", "replay")
    assert run.code == 2
    assert "3 dead letters would be replayed: say --yes, or look first with --dry-run" in run.stderr.replace("\n", " ")
    assert commands(kafka, topics) == []


def test_a_success_is_never_replayed_unforced(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    """A task that has succeeded by then is marked and skipped; --force sends it, each time anew (RULES 13)."""
    second = a_delivery("task-d", generation=2)
    write(
        kafka.bootstrap,
        topics,
        [
            a_result(A, State.SUCCEEDED, status=200),
            a_dead_letter(A),
            a_result(a_delivery("task-d"), State.SUCCEEDED, status=200),
            a_dead_letter(second),
            a_result(a_delivery("task-b", generation=2), State.SUCCEEDED, status=200),
            a_dead_letter(B),
        ],
    )
    notes = {row["task_id"]: row["note"] for row in cli("dead-letters", "ls", "--json").objects}
    gone_on = "task has gone on, in generation 2"
    assert notes == {"task-a": "task has succeeded", "task-d": "task has succeeded", "task-b": gone_on}
    run = cli("dead-letters", "replay", "--yes")
    assert "matched 3, replayed 0, skipped 3" in run.stderr
    assert commands(kafka, topics) == []
    forced = cli("dead-letters", "replay", "--yes", "--force", "--id", "task-a")
    assert forced.code == 0
    again = cli("dead-letters", "replay", "--yes", "--force", "--id", "task-a")
    assert again.code == 0
    one, two = commands(kafka, topics)
    assert one.force
    assert two.force
    assert one.command_id != two.command_id


def test_a_dead_letter_written_twice_is_replayed_once(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    """A worker that died before its state was written leaves two; one command is sent, forced or not."""
    write(kafka.bootstrap, topics, [a_dead_letter(A), a_dead_letter(A)])
    run = cli("dead-letters", "replay", "--yes", "--force", "--rate", "1000/s")
    assert "matched 2, replayed 1, skipped 1 (1 written twice)" in run.stderr
    assert len(commands(kafka, topics)) == 1


def test_an_interrupted_replay_goes_on(kafka: RunningKafka, topics: Topics, cli: Cli, own_directory: Path) -> None:
    """Ctrl-C in the wait between two commands ends at once with a summary; the next run sends the rest, none twice."""
    write(kafka.bootstrap, topics, [a_dead_letter(a_delivery(f"task-{n}")) for n in range(4)])
    env = {**os.environ, **environment(kafka.bootstrap, topics), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "streamer", "dead-letters", "replay", "--yes", "--json", "--rate", "1/h"]
    with subprocess.Popen(
        command, env=env, cwd=own_directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            assert json.loads(process.stdout.readline())["action"] == "replayed"
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 130
    assert json.loads(stdout)["summary"]["replayed"] == 1
    assert stderr == "error: interrupted; run the same command again to go on\n"
    rest = cli("dead-letters", "replay", "--yes", "--rate", "1000/s")
    assert "matched 4, replayed 3, skipped 1 (1 already replayed)" in rest.stderr
    assert [command.task_id for command in commands(kafka, topics)] == [f"task-{n}" for n in range(4)]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--rate", "0/s"), "--rate: '0/s' is no rate"),
        (("--rate", "fast"), "--rate: 'fast' is no rate"),
        (("--domain", "a b"), "--domain has ' '"),
        (("--since", "soon"), "--since: 'soon' is no duration"),
    ],
)
def test_wrong_flags(cli: Cli, flags: tuple[str, ...], words: str) -> None:
    """A flag that cannot be understood is named with what is allowed, and nothing is read or sent."""
    run = cli("dead-letters", "replay", "--yes", *flags)
    assert run.code == 2
    assert words in run.stderr.replace("\n", " ")
