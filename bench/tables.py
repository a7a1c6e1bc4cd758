"""Figures as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

Row = Sequence[object]


def plain(title: str, columns: Sequence[str], rows: Sequence[Row]) -> Table:
    """Return a table; the first column is text, the others are figures."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, min_width=len(title))
    for number, column in enumerate(columns):
        made.add_column(column, justify="right" if number else "left", no_wrap=not number)
    for row in rows:
        made.add_row(*["-" if cell is None else str(cell) for cell in row])
    return made


#: What every measurement of deliveries tells; CPU in ms per delivery.
_COLUMNS = ("", "/s", "all-in ms", "work", "broker", "receiver", "publisher", "peak MiB", "put off", "again", "others")


def deliveries(title: str, rows: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return a table with a row for each measurement."""
    return plain(title, _COLUMNS, [_row(name, figures) for name, figures in rows.items()])


def _row(name: str, figures: Mapping[str, Any]) -> Row:
    spent = figures["cpu_ms"]
    return (
        name,
        round(figures["per_s"]),
        f"{figures['all_in_ms']:.3f}",
        *(f"{spent.get(one, spent.get('parts', 0)):.3f}" for one in ("worker", "broker", "receiver", "publisher")),
        round(work_peak_mib(figures)),
        figures.get("put_off"),
        figures["beyond_one"],
        figures["others_cores"],
    )


def work_peak_mib(figures: Mapping[str, Any]) -> float:
    """Return the most memory that one of the processes which do the work has held."""
    peaks = [held["peak"] for name, held in figures["memory_mib"].items() if name.startswith(("worker", "parts"))]
    return float(max(peaks))


def spreads(title: str, rows: Mapping[str, Mapping[str, float]], unit: str) -> Table:
    """Return a table of how values are spread."""
    shares = ("mean", "p50", "p90", "p99", "max")
    return plain(
        title, (unit, *shares), [(name, *(spread.get(share) for share in shares)) for name, spread in rows.items()]
    )
