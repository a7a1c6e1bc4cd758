"""The watchdog: when it lets a process go on, and when it ends it (RULES 36)."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time

from streamer.adapters.kafka.watchdog import EXIT_CODE, Progress, Watchdog, any_answers


class Place:
    """What a watchdog sees of a process, as a test sets it."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.progress = Progress(0, 0)
        self.answers = True
        self.ended = 0
        self.dog = Watchdog(
            lambda: self.progress,
            lambda: self.answers,
            patience_s=60,
            end=self.end,
            monotonic=lambda: self.now_s,
        )
        self.dog.look()

    def end(self) -> None:
        """Count."""
        self.ended += 1

    def after(self, passed_s: float) -> bool:
        """Look again when time has passed."""
        self.now_s += passed_s
        return self.dog.look()


def test_process_without_work_is_left_alone() -> None:
    """No progress is made where none is owed."""
    assert not Place().after(1_000)


def test_process_that_owes_and_finishes_nothing_is_ended() -> None:
    """But not before its patience is over."""
    place = Place()
    place.progress = Progress(5, 3)
    assert [place.after(30), place.after(30), place.after(31), place.ended] == [False, False, True, 1]


def test_every_finished_record_renews_its_patience() -> None:
    """A deferral finishes a record like an end does: a lane that puts everything off makes progress."""
    place = Place()
    for finished in range(5):
        place.progress = Progress(finished, 3)
        assert not place.after(50)


def test_while_the_broker_is_away_nobody_is_ended() -> None:
    """And what waited for it has its whole patience once it is back."""
    place = Place()
    place.progress, place.answers = Progress(1, 3), False
    assert not any(place.after(100) for _ in range(5))
    place.answers = True
    assert [place.after(30), place.after(31)] == [False, True]


def test_broker_answers_where_one_of_its_places_takes_a_connection() -> None:
    """The first may be down."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert any_answers(f"127.0.0.1:1, 127.0.0.1:{port}")()
    assert not any_answers(f"127.0.0.1:{port}")()


def test_thread_looks_by_itself_and_stops() -> None:
    """It runs beside a loop that is stuck."""
    ended = threading.Event()
    finished = iter([0, *[1] * 1_000])
    dog = Watchdog(lambda: Progress(next(finished), 1), lambda: True, patience_s=0.05, end=ended.set)
    dog.start()
    assert ended.wait(5)
    dog.stop()


def test_process_that_was_stopped_has_its_whole_patience_when_it_goes_on() -> None:
    """A debugger, or a machine that slept, is no reason to end; no progress after that is one."""
    ended, ahead_s = threading.Event(), 0.0
    dog = Watchdog(
        lambda: Progress(0, 1),
        lambda: True,
        patience_s=2.0,
        end=ended.set,
        monotonic=lambda: time.monotonic() + ahead_s,
    )
    dog.start()
    ahead_s = 1_000.0
    assert not ended.wait(1.0)
    assert ended.wait(20)
    dog.stop()


def test_process_ends_with_its_own_code_and_says_where_it_stood() -> None:
    """Whoever looks for the cause finds the stacks of all threads."""
    code = (
        "import threading\n"
        "from streamer.adapters.kafka.watchdog import Progress, Watchdog\n"
        "says = 'deliver: {owed} records are owed and none was finished for {for_s:.0f} s'\n"
        "Watchdog(lambda: Progress(0, 1), lambda: True, patience_s=0.05, says=says).start()\n"
        "threading.Event().wait(20)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == EXIT_CODE
    assert "deliver: 1 records are owed and none was finished for 0 s" in done.stderr
    assert "File" in done.stderr
