"""The lane key and the HTTP client see the same host and port in a URL, or the key would limit another target."""

from __future__ import annotations

import random

import pytest
from pyreqwest.http import Url

from streamer.core.lane_key import lane_key
from tests.core.test_lane_key import KEYS

_PARTS = [
    "a",
    "b",
    "1",
    "0",
    "x",
    "-",
    ".",
    "_",
    "ü",
    "é",
    "日",
    "☃",
    "xn--",
    ":",
    "8",
    "[",
    "]",
    "::",
    "ß",
    "İ",
    "א",
    "~",
]


def client_key(url: str) -> str:
    """Return the key that the client's own reading of a URL gives; ValueError when it takes none of it."""
    read = Url(url)
    host = (read.host_str or "").rstrip(".")
    return host if read.port is None else f"{host}:{read.port}"


@pytest.mark.parametrize(("url", "key"), KEYS)
def test_known_urls(url: str, key: str) -> None:
    """The client connects to the host that the key names."""
    assert client_key(url) == key


def test_random_hosts() -> None:
    """No host has one key here and another there; where only the client refuses, nothing is sent."""
    chance = random.Random(7)
    agreed = 0
    for _ in range(20_000):
        url = "http://" + "".join(chance.choices(_PARTS, k=chance.randint(1, 8))) + chance.choice(("", "/", "/a?b"))
        try:
            keys = lane_key(url), client_key(url)
        except ValueError:
            continue
        assert keys[0] == keys[1], url
        agreed += 1
    assert agreed > 1_000
