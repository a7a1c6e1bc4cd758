"""A child process ends with its parent, and its output is kept within bounds."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.adapters.broker import child as child_module
from streamer.adapters.broker.child import Child

DEADLINE_S = 20
TALK = "for n in range(5): print('line', n, flush=True)"
STAY = "import time; print('here', flush=True); time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {STAY}"

# A parent that starts a child in a thread which is long gone when the parent is killed. The child holds the
# other end of a connection, so its death is seen as the end of that.
PARENT = """
import sys, threading
from pathlib import Path
from streamer.adapters.broker.child import Child
code = "import socket, time; s = socket.create_connection(('127.0.0.1', %s)); s.sendall(b'x'); time.sleep(600)"
child = Child([sys.executable, "-c", code % sys.argv[1]], Path(sys.argv[2]))
starter = threading.Thread(target=child.start)
starter.start()
starter.join()
child.wait()
"""


def python(code: str, log: Path) -> Child:
    """Start a child that runs some Python."""
    child = Child([sys.executable, "-c", code], log)
    child.start()
    return child


def test_output_is_kept_in_memory_and_in_the_file(tmp_path: Path) -> None:
    """The last lines and the exit code outlive the child."""
    child = python(TALK, tmp_path / "log")
    assert child.wait(DEADLINE_S)
    assert (child.pid, child.exit_code) == (None, 0)
    assert child.last_lines() == [f"line {n}" for n in range(5)]
    assert (tmp_path / "log").read_text().splitlines() == child.last_lines()


def test_output_without_a_file_is_still_in_memory(tmp_path: Path) -> None:
    """A log file that cannot be written costs the file alone."""
    child = python(TALK, tmp_path / "no" / "such" / "log")
    assert child.wait(DEADLINE_S)
    assert child.last_lines()[-1] == "line 4"


def test_the_file_is_bounded(tmp_path: Path) -> None:
    """A child that talks without end fills two files of the allowed size at most."""
    line_bytes = 1024 * 1024
    lines = 2 * child_module.LOG_BYTES_MAX // line_bytes + 8
    child = python(f"for n in range({lines}): print('x' * {line_bytes - 1})", tmp_path / "log")
    assert child.wait(DEADLINE_S)
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert max(sizes) <= child_module.LOG_BYTES_MAX + line_bytes


def test_stop_asks_first(tmp_path: Path) -> None:
    """A child that listens ends by SIGTERM."""
    child = python(STAY, tmp_path / "log")
    child.stop(DEADLINE_S)
    assert child.exit_code == -signal.SIGTERM


def test_stop_ends_a_deaf_child_by_force(tmp_path: Path) -> None:
    """A child that ignores SIGTERM is killed when its time is over."""
    child = python(DEAF, tmp_path / "log")
    while not child.last_lines():
        assert not child.wait(0.01)
    child.stop(0.05)
    assert child.exit_code == -signal.SIGKILL


def test_a_program_that_is_not_there_says_so(tmp_path: Path) -> None:
    """A wrong path ends the child with the reason in its output."""
    child = Child([str(tmp_path / "nothing")], tmp_path / "log")
    child.start()
    assert child.wait(DEADLINE_S)
    assert child.exit_code != 0
    assert "No such file" in "\n".join(child.last_lines())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_child_ends_with_its_killed_parent(tmp_path: Path) -> None:
    """A parent killed by force leaves no child behind, though the thread that asked for it is gone."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(DEADLINE_S)
        port = server.getsockname()[1]
        with subprocess.Popen([sys.executable, "-c", PARENT, str(port), str(tmp_path / "log")]) as parent:
            connection, _address = server.accept()
            with connection:
                connection.settimeout(DEADLINE_S)
                assert connection.recv(1) == b"x"
                parent.kill()
                assert connection.recv(1) == b""
