"""The log of a process, as lines for people and as JSON."""

from __future__ import annotations

import json
import subprocess
import sys

_SAY = """
import logging
from streamer.cli.logs import set_up_log
set_up_log("info", "{form}", attempts={attempts})
log = logging.getLogger("streamer.test")
log.debug("unheard")
log.info("two %s", "words", extra={{"fields": {{"task_id": "tsk_1", "reason": "two words", "status": 200}}}})
logging.getLogger("streamer.attempts").info("attempt")
logging.getLogger("faust").warning("noise")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("with a trace")
"""


def _said(form: str, *, attempts: bool = False) -> list[str]:
    command = [sys.executable, "-c", _SAY.format(form=form, attempts=attempts)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()


def test_json_lines_are_whole_objects() -> None:
    """Each line is one object, a trace included, and noise below error of the libraries is left out."""
    first, second = (json.loads(line) for line in _said("json"))
    assert (first["level"], first["logger"], first["message"]) == ("info", "streamer.test", "two words")
    assert (first["task_id"], first["reason"], first["status"]) == ("tsk_1", "two words", 200)
    assert "ZeroDivisionError" in second["trace"]


def test_text_is_for_people() -> None:
    """A line has the level, the logger, the sentence, and what it is about; a trace stands below it."""
    first, second, *trace = _said("text")
    assert first.endswith('INFO streamer.test: two words task_id=tsk_1 reason="two words" status=200')
    assert second.endswith("ERROR streamer.test: with a trace")
    assert trace[-1] == "ZeroDivisionError: division by zero"


def test_attempts_have_a_word_of_their_own() -> None:
    """They are logged when they are asked for, and only then."""
    assert [json.loads(line)["message"] for line in _said("json", attempts=True)][1] == "attempt"
    assert [json.loads(line)["message"] for line in _said("json")] == ["two words", "with a trace"]
