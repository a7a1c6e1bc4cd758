"""The settings of `streamer up`: the user's, demo values where nobody set others, and the file that says so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from streamer.settings.fields import fields, shown
from streamer.settings.load import Loaded, SettingsError, load
from streamer.settings.model import Settings

#: Taken where a setting is at its default: waits short enough to watch, and names that mix with nobody's.
DEMO: Mapping[str, Any] = {
    "tiers": "1s 2s 5s 10s 30s 1m 2m 5m 10m 30m 1h 6h 1d",
    "kafka.prefix": "demo.",
    "kafka.group": "demo",
    # A broker that starts has to open every partition, and one machine needs few.
    "topics.partitions": 4,
    "retry.intervals": "1s 2s 5s",
}

#: The receiver stands on this machine, which a worker calls only where it is allowed by name.
OWN_HOSTS = ("127.0.0.1", "localhost")

_HEAD = """\
# Written by `streamer up` at each start, for the commands that it names: what differs from the defaults.
"""


def load_for_up(config: Path | None, root: Path, flags: Mapping[str, Any]) -> Loaded:
    """Return the settings before the broker runs; raises SettingsError. Data goes under ``root``."""
    loaded = load(config, flags=flags)
    demo = {
        **DEMO,
        "broker.data_dir": root / "kafka",
        "worker.data_dir": root / "state",
    }
    mine: dict[str, Any] = {key: value for key, value in demo.items() if loaded.source(key) == "default"}
    named = loaded.settings.http.allow_hosts
    own = {
        "http.allow_hosts": [*named, *(host for host in OWN_HOSTS if host not in named)],
        "kafka.security.protocol": "PLAINTEXT",
        "topics.replication": 1,
        # Where a run was cut off before its first commit, the next one must go on and not refuse to start.
        "worker.from": "earliest",
    }
    if clashes := list(_clashes(loaded, own)):
        raise SettingsError(clashes)
    return load(config, flags={**flags, **mine, **own})


def on_broker(loaded: Loaded, bootstrap: str) -> Loaded:
    """Return the settings with the address of the broker that runs now."""
    kafka = loaded.settings.kafka.model_copy(update={"bootstrap_servers": bootstrap})
    return replace(loaded, settings=loaded.settings.model_copy(update={"kafka": kafka}))


def as_toml(settings: Settings) -> str:
    """Return the settings file that gives these settings; secrets are left out, and reach the workers by environment."""
    return _HEAD + "".join(f"{line}\n" for line in _lines(settings))


def _lines(settings: Settings) -> Iterator[str]:
    for key, field in fields().items():
        value = field.value(settings)
        if value != field.default and not isinstance(value, SecretStr):
            # A dotted key is TOML as it stands, and JSON's texts, numbers, booleans and lists are TOML's.
            yield f"{key} = {json.dumps(shown(value), ensure_ascii=False)}"


def _clashes(loaded: Loaded, own: Mapping[str, Any]) -> Iterator[str]:
    """Yield the variables that would reach the workers and every later command over what `up` has to set."""
    for key in ("kafka.bootstrap_servers", *own):
        if (source := loaded.source(key)).startswith("env "):
            yield f"{source.removeprefix('env ')} is set, and `streamer up` sets {key} itself: unset it first"
