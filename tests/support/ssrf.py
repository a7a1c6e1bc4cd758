"""The corpus of URLs: ways inside that must be refused, and legal ones that must not be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
