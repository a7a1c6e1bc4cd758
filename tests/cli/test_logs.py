"""The log of a process, as lines for people and as JSON."""

from __future__ import annotations

import json
import subprocess
import sys

_SAY = """
import logging
from streamer.cli.logs import set_up_log
set_up_log("info", "{form}")
log = logging.getLogger("streamer.test")
log.debug("unheard")
log.info("two %s", "words")
logging.getLogger("faust").warning("noise")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("with a trace")
"""


def _said(form: str) -> list[str]:
    run = subprocess.run([sys.executable, "-c", _SAY.format(form=form)], capture_output=True, text=True, check=True)
    return run.stderr.splitlines()


def test_json_lines_are_whole_objects() -> None:
    """Each line is one object, a trace included, and noise below error of the libraries is left out."""
    first, second = (json.loads(line) for line in _said("json"))
    assert (first["level"], first["logger"], first["message"]) == ("info", "streamer.test", "two words")
    assert "ZeroDivisionError" in second["trace"]


def test_text_is_for_people() -> None:
    """A line has the level, the logger and the sentence."""
    assert _said("text")[0].endswith("INFO streamer.test: two words")
