"""`streamer up` as a person runs it: a process that brings everything up, tells what happens, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from streamer.adapters.broker import ports
from streamer.cli.demo_tasks import opening, trickle
from streamer.cli.up_settings import as_toml, load_for_up, on_broker
from streamer.core.reading import Accepted, Refused
from streamer.settings.load import SettingsError, environment_with_secrets, load
from streamer.wire.limits import DEFAULT_LIMITS
from streamer.wire.request_reader import read_request
from tests.support.installation import environment, uncounted

COMMAND = (sys.executable, "-m", "streamer")
FREE_PORTS = ("--port", "0", "--receiver-port", "0")
DEADLINE_S = 90

Event = dict[str, Any]


@contextmanager
def up(directory: Path, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """Run it in a directory; it is told to stop when the context ends, and has ended after that."""
    with subprocess.Popen(
        [*COMMAND, "up", "--json", *FREE_PORTS, *flags],
        cwd=directory,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(DEADLINE_S)


def events(process: subprocess.Popen[str], last: Callable[[Event], object] = lambda _: False) -> list[Event]:
    """Return what it says, up to the event that is looked for, or to its end."""
    out: IO[str] = process.stdout  # type: ignore[assignment]
    found: list[Event] = []
    for line in out:
        found.append(json.loads(line))
        if last(found[-1]):
            break
    return found


def named(name: str, found: list[Event]) -> list[Event]:
    """Return the events of one name."""
    return [event for event in found if event["event"] == name]


def runs(pid: int) -> bool:
    """Tell whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.broker
@pytest.mark.scenario
@pytest.mark.slow
def test_a_run_shows_each_way_leaves_nothing_behind_and_the_next_goes_on(tmp_path: Path) -> None:
    """It delivers, retries and gives up; its commands work; SIGTERM ends all of it, and what waited is delivered next."""
    missing = {"exhausted", "/down failed"}

    def seen_enough(event: Event) -> bool:
        missing.discard(event.get("reason", ""))
        missing.discard(f"{event.get('path')} {event.get('state')}")
        return not missing

    with up(tmp_path, "--processes", "2") as process:
        found = events(process, seen_enough)
        assert_each_way(found)
        later = assert_commands_work(tmp_path, process, named("up", found)[0]["try"])
        process.send_signal(signal.SIGTERM)
        assert named("stopped", events(process))[0]["sent"] > 12
        assert process.wait(DEADLINE_S) == 0
    pids = [event["pid"] for event in found if "pid" in event]
    assert len(pids) == 3
    assert [pid for pid in pids if runs(pid)] == []
    with up(tmp_path, "--quiet", "--for", "4s") as process:
        # Its receiver has another port now: what matters is that the task is not forgotten.
        outcomes = [event["outcome"] for event in events(process) if event.get("task_id") == later]
        assert "network_error" in outcomes
        assert process.wait(DEADLINE_S) == 0


def assert_each_way(found: list[Event]) -> None:
    """Look for every outcome that the demo tasks are there to show."""
    results = named("result", found)
    assert named("first_delivery", found)[0]["path"] == "/ok"
    outcomes = {result["outcome"] for result in results}
    assert {"success", "server_error", "network_error", "client_error", "rejected", "duplicate", "deferred"} <= outcomes
    down = [(each["attempt"], each["tier"]) for each in results if each["path"] == "/down"]
    assert down == [(1, "1s"), (2, "2s"), (3, "5s"), (4, None)]
    assert {"exhausted", "client_error"} <= {letter["reason"] for letter in named("dead_letter", found)}


def assert_commands_work(directory: Path, process: subprocess.Popen[str], commands: list[str]) -> str:
    """Paste the commands that end; return the id of a task that still waits."""
    sent = pasted(directory, next(line for line in commands if "--json-body" in line)).split()[0]
    found = events(process, lambda event: event.get("task_id") == sent)
    assert found[-1]["outcome"] == "success"
    assert "would replay" in pasted(directory, next(line for line in commands if "--dry-run" in line))
    delayed = next(line for line in commands if "--delay 30s" in line)
    later = pasted(directory, delayed.replace("30s", "8s")).split()[0]
    events(process, lambda event: event.get("task_id") == later and event["outcome"] == "deferred")
    return later


def pasted(directory: Path, line: str) -> str:
    """Run a line as a shell would, and return its output."""
    done = subprocess.run(
        line,
        shell=True,
        cwd=directory,
        env=uncounted(environment()),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--port", "--receiver-port"])
def test_a_port_that_was_asked_for_and_is_taken(tmp_path: Path, option: str) -> None:
    """One line names the port and the option, nothing is left running, and the exit code is 1."""
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        port = str(server.getsockname()[1])
        done = subprocess.run(
            [*COMMAND, "up", *FREE_PORTS, option, port],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: port {port} on 127.0.0.1 is already in use")
    assert option in last


def test_demo_values_only_where_nobody_set_any(tmp_path: Path) -> None:
    """The user's prefix, tiers and hosts stay; the rest is made for watching, and the worker may go on."""
    config = tmp_path / "streamer.toml"
    config.write_text('tiers = ["3s"]\nkafka.prefix = "mine."\nhttp.allow_hosts = ["db"]\n', "utf-8")
    settings = load_for_up(config, tmp_path / "here", {}).settings
    assert [str(tier) for tier in settings.tiers] == ["3s"]
    assert (settings.kafka.prefix, settings.kafka.group) == ("mine.", "demo")
    assert settings.http.allow_hosts == ("db", "127.0.0.1", "localhost")
    assert settings.worker.from_ == "earliest"
    assert settings.broker.data_dir == tmp_path / "here" / "kafka"


def test_the_file_for_other_commands_says_the_same(tmp_path: Path) -> None:
    """Whoever loads it has exactly the settings of the run."""
    loaded = on_broker(load_for_up(None, tmp_path, {"retry.retry_codes": "503 429"}), "127.0.0.1:1234")
    path = tmp_path / "up.toml"
    path.write_text(as_toml(loaded.settings), "utf-8")
    assert tomllib.loads(path.read_text("utf-8"))["kafka"]["bootstrap_servers"] == "127.0.0.1:1234"
    assert load(path, environ={}).settings == loaded.settings


def test_secrets_reach_the_workers_by_environment_alone(tmp_path: Path) -> None:
    """A password in the user's file stands in no other file, and the workers have it all the same."""
    mine = tmp_path / "mine.toml"
    mine.write_text('redis.url = "redis://127.0.0.1:6379"\nredis.password = "hush"\n', "utf-8")
    settings = load_for_up(mine, tmp_path, {}).settings
    environment = environment_with_secrets(settings)
    assert "hush" not in as_toml(settings)
    path = tmp_path / "up.toml"
    path.write_text(as_toml(settings), "utf-8")
    assert load(path, environ=environment).settings.redis == settings.redis


def test_a_variable_that_would_win_over_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment comes before a file: workers would go to another cluster than the one that was started."""
    monkeypatch.setenv("STREAMER_KAFKA__BOOTSTRAP_SERVERS", "elsewhere:9092")
    with pytest.raises(SettingsError, match="STREAMER_KAFKA__BOOTSTRAP_SERVERS is set"):
        load_for_up(None, tmp_path, {})


def test_all_but_one_of_the_demo_records_are_requests() -> None:
    """What is meant to be invalid is refused with a field, and nothing else is."""
    rest = trickle("http://127.0.0.1:1")
    records = [*opening("http://127.0.0.1:1", 1), *(next(rest) for _ in range(20))]
    read = {record.what: read_request(record.value, (), DEFAULT_LIMITS, 0) for record in records}
    (refused,) = [what for what, each in read.items() if isinstance(each, Refused)]
    assert refused.startswith("an invalid record")
    assert sum(isinstance(each, Accepted) for each in read.values()) == len(read) - 1
