"""What a library says again and again, as in a broker's absence."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

from streamer.cli.log_repeats import Repeats

_SAY = """
import logging
from streamer.cli.logs import set_up_log
set_up_log("info", "json")
for number in range(500):
    logging.getLogger("aiokafka.cluster").error("Unable to connect to node %s", number)
    logging.getLogger("streamer.test").info("ours %s", number)
"""


def line(at_s: float, text: str = "no node %s", name: str = "aiokafka") -> logging.LogRecord:
    """Return a line that is said at an instant."""
    record = logging.LogRecord(name, logging.ERROR, "", 0, text, (1,), None)
    record.created = at_s
    return record


def test_a_sentence_is_said_once_in_a_while_and_tells_how_often_it_was_not() -> None:
    """The first is written, those soon after it are counted, and the next has their number."""
    repeats = Repeats({"aiokafka"}, every_s=10)
    later = line(110)
    assert [repeats(line(at_s)) for at_s in (100, 100.1, 109.9)] == [True, False, False]
    assert repeats(later)
    assert later.__dict__["fields"] == {"unsaid": 2}


def test_other_sentences_and_other_loggers_are_heard() -> None:
    """Only the same text of the same logger is a repeat."""
    repeats = Repeats({"aiokafka"}, every_s=10)
    assert all(map(repeats, [line(1), line(1, "no leader"), line(1, name="aiokafka.consumer")]))


def test_texts_that_are_never_the_same_do_not_fill_the_memory() -> None:
    """Of sentences without end only so many are remembered."""
    repeats = Repeats({"aiokafka"}, every_s=10)
    assert all(repeats(line(1, f"figure {number}")) for number in range(10_000))
    assert len(repeats._last) <= 256


def test_libraries_are_held_to_it_and_we_are_not() -> None:
    """In the log of a process a library's line stands once, and each of ours."""
    said = subprocess.run([sys.executable, "-c", _SAY], capture_output=True, text=True, check=True).stderr
    loggers = [json.loads(each)["logger"] for each in said.splitlines()]
    assert loggers.count("aiokafka.cluster") == 1
    assert loggers.count("streamer.test") == 500
