"""A URL in the parts that go on the wire, read so strictly that it can have one meaning only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from streamer.adapters.http.target import Target
from streamer.core.lane_key import lane_key

_PARTS = re.compile(r"(https?)://([^/?#]*)([^?#]*)(\?[^#]*)?", re.IGNORECASE | re.DOTALL)
_PORT = re.compile(r":([0-9]+)\Z")
_DEFAULT_PORT = {"http": 80, "https": 443}
# What the WHATWG URL standard leaves as it is in a path and in a query; a % may be an escape, and is left.
_IN_PATH = "!$%&'()*+,-./:;=@[]^_|~"
_IN_QUERY = "!$%&()*+,-./:;=?@[]^_`{|}~"
_UP = frozenset({"..", ".%2e", "%2e.", "%2e%2e"})
_HERE = frozenset({".", "%2e"})


@dataclass(frozen=True, slots=True)
class PlainUrl:
    """Where a URL leads, and what is asked for there; all of it ASCII, with nothing left to be read twice."""

    target: Target
    resource: str

    @property
    def authority(self) -> str:
        """Return host and port as the Host header has them."""
        target = self.target
        return target.host if target.port == _DEFAULT_PORT[target.scheme] else f"{target.host}:{target.port}"

    def __str__(self) -> str:
        return f"{self.target.scheme}://{self.authority}{self.resource}"


def read_plain_url(url: str) -> PlainUrl:
    """Return a URL in parts; ValueError says why it may not be called whatever its address is.

    Host and port are read by the very function that names lanes, which refuses what two readers could take for two hosts;
    path and query are escaped as the WHATWG URL standard says.
    """
    try:
        key = lane_key(url)
    except ValueError as error:
        raise ValueError(f"url {error}") from None
    match = _PARTS.match(url)
    assert match is not None, "a URL without these parts has no lane"
    scheme, written, path, query = match[1].lower(), match[2], match[3], match[4]
    port = _PORT.search(key)
    host = key[: port.start()] if port else key
    if _PORT.sub("", written.removesuffix(":")).endswith(".") and not host.replace(".", "").isdigit():
        # A name that is said to be whole: resolvers try no other behind it.
        host += "."
    target = Target(scheme, host, int(port[1]) if port else _DEFAULT_PORT[scheme])
    return PlainUrl(target, _path(path) + (quote(query, safe=_IN_QUERY) if query else ""))


def _path(written: str) -> str:
    """Return a path without the steps up and to itself that would be taken by whoever reads it."""
    found: list[str] = []
    segments = written.split("/")[1:] or [""]
    for segment in segments:
        step = segment.lower()
        if step in _UP:
            del found[-1:]
        elif step not in _HERE:
            found.append(quote(segment, safe=_IN_PATH))
    if segments[-1].lower() in _UP | _HERE:
        found.append("")
    return "/" + "/".join(found)
