"""`streamer tasks` on the real broker: which command it writes, where, and when it writes none; no worker answers here."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from streamer.cli.replay import control_record
from streamer.core.command import Command, Verb
from streamer.core.control import Applied, answer
from streamer.core.delivery import Delivery
from streamer.core.emit import Because, Emit, FirstPass
from streamer.core.lifecycle import State
from streamer.core.outcome import Outcome
from streamer.core.partitioning import partition_of
from streamer.flow.results import of_command
from streamer.wire.command_record import decode_command
from streamer.wire.outgoing import OutRecord
from streamer.wire.topics import Topics
from tests.cli.conftest import Cli, runs
from tests.cli.records import a_delivery, a_result, now_ms, write
from tests.cli.records import read as read_topic
from tests.support.broker import RunningKafka

pytestmark = pytest.mark.broker

#: What the task had, one set anew, and what says that the new body is text.
HEADERS = (("Authorization", "Bearer horse"), ("X-A", "2"), ("Content-Type", "text/plain; charset=utf-8"))
LATER_MS = now_ms() + 3_600_000


def first_pass(task_id: str, lane: str = "example.com", **changed: object) -> Delivery:
    first: Delivery = replace(a_delivery(task_id, lane), attempt=1, seen=False, **changed)
    return first


A, B, NEW, ENDED = first_pass("task-a"), first_pass("task-b", "slow.example"), first_pass("new"), first_pass("ended")
#: A task in the second shard of its lane.
SHARDED = first_pass("sharded", shard=1)


def commanded(command: Command, topics: Topics, status: Applied) -> list[Emit | OutRecord]:
    """Return a command and its answer, as they stand when it was applied."""
    because = Because(command.verb, "deliver", reason="moved" if status.moved else "applied")
    result = of_command(command, status.generation, Outcome.CONTROL, State.PENDING, because, now_ms(), status.delivery)
    return [control_record(command, topics.control, topics.partitions, 0), result]


@pytest.fixture
def tasks(kafka: RunningKafka, topics: Topics) -> None:
    """Write tasks that wait, one that nothing is told of yet, one that has ended, and one that was updated."""
    updated = Command("cmd_u", Verb.UPDATE, "task-b", "slow.example", 1, with_body(B, b"second"), "ops", now_ms())
    done = answer(updated, None, now_ms(), 1)
    assert isinstance(done, Applied)
    items: list[Emit | OutRecord] = [
        *map(FirstPass, (A, B, NEW, ENDED, SHARDED, with_body(A, b"a second record of the same id"))),
        a_result(A, State.RETRYING, due_at_ms=LATER_MS),
        a_result(ENDED, State.SUCCEEDED, status=200),
        a_result(SHARDED, State.RETRYING),
        *commanded(updated, topics, done),
    ]
    write(kafka.bootstrap, topics, items)


def with_body(delivery: Delivery, body: bytes) -> Delivery:
    return replace(delivery, request=replace(delivery.request, body=body))


def commands(kafka: RunningKafka, topics: Topics) -> dict[str, Command]:
    """Return the commands that were asked for, by task, each checked to stand where its task is owned."""
    found = {}
    for record in read_topic(kafka.bootstrap, topics.control):
        command = decode_command(record.value)
        assert record.key == command.lane.encode()
        assert record.partition == partition_of(command.lane, topics.partitions, command.task_id == "sharded")
        if command.by != "ops":
            found[command.task_id] = command
    return found


@pytest.mark.usefixtures("tasks")
def test_cancel_of_many(cli: Cli, kafka: RunningKafka, topics: Topics, tmp_path: Path) -> None:
    """Each task gets one cancel in its own partition; what has ended or is not known is told and gets none."""
    ids = tmp_path / "ids"
    ids.write_text("task-b\nnew\n\nsharded\ntask-a\n")
    run = cli("tasks", "cancel", "task-a", "ended", "nobody", "--ids-from", str(ids), "--no-wait", "--by", "me")
    assert run.code == 1
    told = dict(line.split("  ", 1) for line in run.lines)
    assert told.pop("ended") == "not: task has ended: succeeded"
    assert told.pop("nobody").startswith(
        "not: no such task is told of on results, deliveries or control; with --domain"
    )
    assert told == dict.fromkeys(("task-a", "task-b", "new", "sharded"), "asked")
    written = commands(kafka, topics)
    assert written.keys() == told.keys()
    assert {(command.verb, command.expect_generation, command.by) for command in written.values()} == {
        (Verb.CANCEL, None, "me")
    }


@pytest.mark.usefixtures("tasks")
def test_update_carries_the_task_as_it_shall_go_on(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    """It builds on the newest delivery, also of a task that was updated before, and keeps the time that it waits for."""
    words = ("--body", "third", "--header", "X-A=2", "--timeout", "5s", "--no-wait", "--json")
    run = cli("tasks", "update", "task-a", "task-b", "--domain", "example.com", *words)
    assert (run.code, [row["applied"] for row in run.objects]) == (1, [False, None])
    assert run.objects[0]["answer"] == "not: the task is of the domain slow.example"
    assert cli("tasks", "update", "task-b", "--priority", "1", "--no-wait").code == 0
    written = commands(kafka, topics)
    first, second = written["task-a"], written["task-b"]
    assert (first.expect_generation, second.expect_generation) == (1, 2)
    assert first.delivery == replace(
        A,
        due_at_ms=LATER_MS,
        request=replace(A.request, body=b"third", timeout_ms=5_000, headers=HEADERS),
    )
    assert second.delivery is not None
    assert (second.delivery.request.body, second.delivery.request.priority) == (b"second", 1)
    assert (second.delivery.generation, second.delivery.revision) == (2, 2)


@pytest.mark.usefixtures("tasks")
def test_what_is_told_and_the_exit_code(cli: Cli) -> None:
    """0 for what was asked, 1 for what cannot be, 3 for what nobody has answered."""
    for words, code, text in (
        (("run-now", "ended"), 1, "not: task has ended: succeeded"),
        (("retry", "ended"), 1, "not: task has succeeded; force it to send it again"),
        (("retry", "task-a", "--expect-generation", "7"), 1, "not: generation is 1, not 7"),
        (("retry", "ended", "--force", "--no-wait"), 0, "asked"),
        (("retry", "new", "--wait-for", "100ms"), 3, "no answer within 0.1 s; is a worker running?"),
        (("cancel", "nobody", "--domain", "slow.example", "--no-wait"), 0, "asked"),
    ):
        run = cli("tasks", *words)
        assert (run.code, text in run.stdout) == (code, True), (words, run)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("cancel",), "name the tasks: ids, or --ids-from FILE"),
        (("cancel", "x", "--wait-for", "soon"), "the time to wait"),
        (("cancel", "x", "--domain", ""), "--domain"),
        (("cancel", "--ids-from", "missing"), "--ids-from missing: cannot be read"),
        (("cancel", "a\tb"), "is no id"),
        (("update", "x"), "nothing to change: an update changes url, headers, body"),
        (("update", "x", "--method", "PUT"), "method cannot be changed; an update changes url, headers, body"),
        (("update", "x", "--business=b"), "business cannot be changed"),
        (("update", "x", "--url", "ftp://x"), "url"),
        (("update", "x", "--timeout", "soon"), "--timeout"),
        (("update", "x", "--priority", "11"), "priority must be a whole number from 1"),
        (("update", "x", "--body-file", "missing"), "--body-file missing: cannot be read"),
    ],
)
def test_wrong_usage_is_named(own_directory: Path, words: tuple[str, ...], text: str) -> None:
    """What cannot be asked is said before Kafka is, with what is allowed."""
    run = runs({})("tasks", *words)
    assert run.code == 2
    assert text in run.stderr.replace("\n", " ")


@pytest.mark.usefixtures("tasks")
def test_show(cli: Cli) -> None:
    """Where a task stands and what it is, its secrets masked; of a new one there is no result, of an unknown one nothing."""
    (shown,) = cli("tasks", "show", "task-a", "--json").objects
    assert (shown["state"], shown["generation"], shown["domain"], shown["last"]) == (
        "retrying",
        1,
        "example.com",
        "500",
    )
    assert shown["waits"] == "retry (default.5xx)"
    assert shown["due_at"].startswith("20")
    assert shown["request"]["headers"][0] == ["Authorization", "***"]
    text = cli("tasks", "show", "task-b", "--domain", "slow.example")
    assert {"generation: 2", "state: pending", "webhook_id: task-b-g2", "command_id: cmd_u"} <= set(text.lines)
    assert "horse" not in text.stdout
    assert "state: accepted: no result yet" in cli("tasks", "show", "new").lines
    assert "ended" in cli("tasks", "show", "ended", "--json").objects[0]
    unknown = cli("tasks", "show", "nobody")
    assert (unknown.code, "no task nobody is told of" in unknown.stderr) == (1, True)
