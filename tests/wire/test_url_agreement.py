"""The lane key and the HTTP client see the same host and port in a URL, or the key would limit another target."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import astuple
from pyreqwest.http import Url

from streamer.adapters.http.httpx_client.plain_url import read_plain_url
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


_HOSTS = ["a.test", "A.Test.", "127.0.0.1", "127.0.0.1.", "[::1]", "[2001:DB8:0::1]", "bücher.example", "a_b.test"]
_PORTS = ["", ":80", ":443", ":8080", ":"]
_REST = [*"/.?#%&=;:@!$'()*+,[]{}|^`~<>\"-_aZ0üé日", "%2e", "%2E", "..", "/../", "/./", "//", "%00", "%zz"]


def test_random_paths() -> None:
    """Both libraries send the same for a URL that both read: scheme, host, port, path and query."""
    chance = random.Random(11)
    agreed = 0
    for _ in range(20_000):
        rest = "".join(chance.choices(_REST, k=chance.randint(0, 8)))
        url = chance.choice(("http://", "HTTPS://")) + chance.choice(_HOSTS) + chance.choice(_PORTS)
        url += chance.choice("/?#") + rest if rest else ""
        try:
            read, plain = Url(url), read_plain_url(url)
        except ValueError:
            continue
        assert (read.scheme, read.host_str, read.port_or_known_default) == astuple(plain.target), url
        query = read.query_string
        assert plain.resource == read.path + ("" if query is None else f"?{query}"), url
        assert str(plain) == str(read).partition("#")[0], url
        agreed += 1
    assert agreed > 15_000
