"""What `streamer up` shows: where everything is, and commands that work as they stand in a second terminal."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from streamer.adapters.broker.server import EmbeddedBroker
from streamer.adapters.demo.receiver import PATHS
from streamer.cli.cluster import Installation


def addresses(place: Installation, broker: EmbeddedBroker, receiver_url: str) -> dict[str, str]:
    """Return the places by name."""
    return {
        "Kafka": broker.bootstrap,
        "topics": f"{place.topics.prefix}*  (append requests to {place.topics.requests})",
        "receiver": f"{receiver_url}  ({' '.join(path.path for path in PATHS)})",
        "data": _near(broker.data_dir.parent),
        "stop": "Ctrl-C; records stay",
    }


def commands(config: Path, place: Installation, receiver_url: str) -> dict[str, str]:
    """Return the commands by what they are for."""
    streamer = f"{_program()} --config {shlex.quote(_near(config))}"
    found = {
        "send a task": f"""{streamer} send {receiver_url}/ok --json-body '{{"hello": 1}}'""",
        "send one that fails": f"{streamer} send {receiver_url}/down --intervals 1s,2s",
        "send one for later": f"{streamer} send {receiver_url}/ok --delay 30s",
        "watch what comes of them": f"{streamer} results --follow",
        "see what was given up": f"{streamer} dead-letters ls",
        "see what a replay would do; without --dry-run it does it": f"{streamer} dead-letters replay --dry-run",
    }
    if shutil.which("kcat"):
        record = f"""{{"url": "{receiver_url}/ok", "json": {{"from": "kcat"}}}}"""
        kcat = f"kcat -P -b {place.settings.kafka.bootstrap_servers} -t {place.topics.requests}"
        found["append a record with any Kafka client"] = f"echo '{record}' | {kcat}"
    return found


def _program() -> str:
    program = Path(sys.executable).parent / "streamer"
    return shlex.quote(_near(program)) if program.exists() else f"{shlex.quote(sys.executable)} -m streamer"


def _near(path: Path) -> str:
    """Return a path as it is seen from here, when it is below."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
