"""The corpus of URLs: ways inside that must be refused, and legal ones that must not be."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.library import HttpLibrary
from streamer.adapters.http.sender import HttpSender
from streamer.core.outcome import Exchange
from streamer.core.request import Request
from tests.support.libraries import PYREQWEST
from tests.support.sending import WallClock, delivery_of

_HOST = re.compile(r"(://(?:\[[^\]]*\]|[^/:?#\[]+))(/|$)")
_FILE = Path(__file__).parent.parent / "data" / "ssrf.tsv"


@dataclass(frozen=True, slots=True)
class UrlCase:
    """One URL: the check that refuses it, None for a legal one; where its name leads, None where nobody asks."""

    url: str
    refused_by: str | None
    leads_to: tuple[str, ...] | None
    kind: str

    async def look_up(self, host: str) -> tuple[str, ...]:
        """Answer as the name server of this case does."""
        if self.leads_to is None:
            raise OSError(f"{host} is not known")
        return self.leads_to

    def at_port(self, port: int) -> str:
        """Return the URL with a port, where it has a host and none."""
        return _HOST.sub(rf"\1:{port}\2", self.url, count=1)

    async def call(self, url: str, library: HttpLibrary = PYREQWEST) -> Exchange:
        """Send a request with default rules, as the name server of this case answers."""
        # What the corpus has no name for may yet be one to the client's parser: then it leads inside.
        known = self if self.leads_to is not None else replace(self, leads_to=("127.0.0.1", "::1"))
        sender = HttpSender(WallClock(), AddressPolicy(), library, look_up=known.look_up)
        exchange = await sender.send(delivery_of(Request(url)))
        await sender.close()
        return exchange


def url_cases() -> list[UrlCase]:
    """Read the corpus."""
    rows = [line.split("\t") for line in _FILE.read_text("ascii").splitlines() if not line.startswith("#")]
    return [
        UrlCase(
            url.encode().decode("unicode_escape"),
            None if refused_by == "-" else refused_by,
            None if not leads_to else () if leads_to == "-" else tuple(leads_to.split()),
            kind,
        )
        for url, refused_by, leads_to, kind in rows
    ]


CASES = url_cases()
REFUSED = [case for case in CASES if case.refused_by is not None]
LEGAL = [case for case in CASES if case.refused_by is None]
