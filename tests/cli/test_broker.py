"""`streamer broker` in a process of its own: it says where it listens, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.adapters.broker import ports, probe

PROGRAM = "import typer; from streamer.cli.broker import broker; typer.run(broker)"
DEADLINE_S = 30


def command(*arguments: str) -> list[str]:
    """Return the command line that runs the broker command alone."""
    return [sys.executable, "-c", PROGRAM, *arguments]


def test_a_taken_port_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    """The operator reads the port and the option, and no traceback."""
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        arguments = ["--port", str(port), "--data-dir", str(tmp_path)]
        done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith(f"error: port {port} on 127.0.0.1 is already in use")
    assert "Traceback" not in done.stderr


@pytest.mark.broker
def test_the_broker_runs_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """One line of JSON when it serves; SIGTERM ends it with exit code 0, and its Java with it."""
    port = ports.pick()
    arguments = ["--port", str(port), "--data-dir", str(tmp_path), "--json"]
    with subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        assert facts["bootstrap"] == f"127.0.0.1:{port}"
        assert facts["data_dir"] == str(tmp_path)
        assert probe.answers(ports.LOOPBACK, port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(facts["pid"], 0)
    assert not ports.is_taken(port)
