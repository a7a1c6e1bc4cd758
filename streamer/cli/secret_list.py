"""Secrets in a terminal: where this machine has each from, and which tasks may name it; never a value."""

from __future__ import annotations

from collections.abc import Mapping

from streamer.adapters.secrets.source import SourceUnreadable
from streamer.bootstrap.secrets import secret_sources
from streamer.cli.console import err
from streamer.cli.words import cell
from streamer.settings.model import Settings


def found_here(settings: Settings) -> dict[str, str]:
    """Return where each secret would be read; what cannot be read is told on stderr."""
    found: dict[str, str] = {}
    for source in secret_sources(settings):
        try:
            for name in source.names():
                found.setdefault(name, source.title)
        except SourceUnreadable as error:
            err.print(str(error), markup=False, soft_wrap=True)
    return found


def cells_of(row: Mapping[str, object]) -> tuple[str, ...]:
    """Return a secret's line: its name, its source, for which domains' and whose tasks it is."""
    domains, businesses = row["domains"], row["businesses"]
    to = ", ".join(domains) if isinstance(domains, list) else "none may name it"
    of = ", ".join(businesses) if isinstance(businesses, list) else "all" if domains else "-"
    return tuple(cell(text) for text in (row["name"], row["source"] or "not on this machine", to, of))
