"""`streamer results`: which results are shown, in which order and shape, on the real broker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.core.lifecycle import State
from streamer.wire.instants import format_instant
from streamer.wire.outgoing import OutRecord
from streamer.wire.topics import Topics
from tests.cli.conftest import Cli, environment
from tests.cli.records import a_delivery, a_result, write
from tests.support.broker import RunningKafka

pytestmark = pytest.mark.broker

DUE_AT_MS = 1_800_000_000_000


@pytest.fixture
def written(kafka: RunningKafka, topics: Topics) -> None:
    """Write five results of three tasks and one record that is no result."""
    a, b, c = a_delivery("task-a"), a_delivery("task-b"), a_delivery("task-c", generation=2)
    write(
        kafka.bootstrap,
        topics,
        [
            a_result(a, State.RETRYING, due_at_ms=DUE_AT_MS),
            a_result(b, State.RETRYING, due_at_ms=DUE_AT_MS, detail="\x1b[2J[red]boo"),
            a_result(a, State.SUCCEEDED, status=204),
            OutRecord(topics.results, b"nonsense", b"task-a"),
            a_result(b, State.FAILED),
            a_result(c, State.SUCCEEDED, status=200),
        ],
    )


@pytest.mark.usefixtures("written")
def test_a_line_per_result_in_the_order_of_time(cli: Cli) -> None:
    """What people want to know, in columns; a later generation is marked, control characters are not passed on."""
    run = cli("results")
    assert run.code == 0
    header, *lines = run.lines
    assert header.split() == ["at", "task", "attempt", "outcome", "state", "status", "why", "next", "due"]
    assert [line.split()[1] for line in lines] == ["task-a", "task-b", "task-a", "task-b", "task-c"]
    due = format_instant(DUE_AT_MS)
    assert lines[0].split()[2:] == ["5", "server_error", "retrying", "500", "retry", "(default.5xx)", due]
    assert "�[2J[red]boo" in lines[1]
    assert lines[4].split()[2:6] == ["5", "(g2)", "success", "succeeded"]
    assert run.stderr == "1 records could not be read as results\n"


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize(
    ("flags", "tasks"),
    [
        (("--task", "task-a"), ["task-a", "task-a"]),
        (("--task", "task-a", "--final"), ["task-a"]),
        (("--final",), ["task-a", "task-b", "task-c"]),
        (("--limit", "2"), ["task-b", "task-c"]),
        (("--limit", "1", "--final"), ["task-c"]),
        (("--since", "1h", "--limit", "1"), ["task-c"]),
        (("--since", "2099-01-01T00:00:00Z"), []),
        (("--since", "1h", "--follow", "--limit", "5"), ["task-a", "task-a", "task-b", "task-b", "task-c"]),
        (("--limit", "0"), ["task-a", "task-a", "task-b", "task-b", "task-c"]),
    ],
)
def test_what_is_shown(cli: Cli, flags: tuple[str, ...], tasks: list[str]) -> None:
    """Each flag leaves out what it says, and JSON has the whole record."""
    run = cli("results", "--json", *flags)
    assert run.code == 0
    shown = run.objects
    ids = [row["task_id"] for row in shown]
    # Without sorting by time partitions come as they are read.
    assert (sorted(ids) if len(tasks) == 5 else ids) == tasks
    assert all(row["v"] == 1 and "why" in row for row in shown)


def test_a_wrong_instant(cli: Cli) -> None:
    """The flag is named with what is allowed."""
    run = cli("results", "--since", "yesterday")
    assert run.code == 2
    assert "--since: 'yesterday' is no duration" in run.stderr


def test_follow_until_interrupted(kafka: RunningKafka, topics: Topics, own_directory: Path) -> None:
    """What is written from then on is printed as it comes, what stood there before is not; Ctrl-C ends with 0."""
    write(kafka.bootstrap, topics, [a_result(a_delivery("before"), State.FAILED)])
    env = {**os.environ, **environment(kafka.bootstrap, topics), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "streamer", "results", "--follow"]
    with subprocess.Popen(
        command, env=env, cwd=own_directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert process.stderr.readline().startswith(f"following {topics.results}")
            assert process.stdout.readline().split()[0] == "at"
            for task in ("one", "two"):
                write(kafka.bootstrap, topics, [a_result(a_delivery(task), State.SUCCEEDED)])
                assert process.stdout.readline().split()[1] == task
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=20)
        finally:
            process.kill()
    assert (process.returncode, stdout, stderr) == (0, "", "")
