"""What do a thousand calls in flight cost? 50 domains, 20 calls at once each, receivers that take a second.

``python -m bench.seeds`` keeps every slot of every domain busy. Our own overhead is how long a slot stood empty: from the
receiver's answer to one call until the next call of its domain arrives, by the receiver's clock. It holds the way of the
answer to us, what we do, and the way of the next call.
"""

from __future__ import annotations

import argparse
from typing import Any

from bench.cell import Conditions, cell
from bench.measure import Figures, at_once
from bench.rig import Rig
from bench.run import Part, alone, parser, say
from bench.tables import deliveries, plain, spreads, work_peak_mib

DOMAINS, PER_DOMAIN = 50, 20
IN_FLIGHT = DOMAINS * PER_DOMAIN
_TAKES_MS = 1_000.0
#: Two seconds of work wait: less, and slots would stand empty for want of work; more than five, and tasks are put off.
LEAD = 3 * IN_FLIGHT
_WARM_S = 10.0


async def measure(rig: Rig, args: argparse.Namespace) -> dict[str, Part]:
    """Measure; the slots begin evenly over their second.

    Began they all at once, their answers would for ever come at once: what is measured then is a queue of a thousand.
    """
    async with cell(rig, Conditions(DOMAINS, _TAKES_MS, seed=args.seed)) as made:
        say(f"{IN_FLIGHT} in flight for {_WARM_S + args.seconds:g} s")
        warm = round(_WARM_S * 1000 / _TAKES_MS * IN_FLIGHT)
        tasks = warm + round(args.seconds * 1000 / _TAKES_MS * IN_FLIGHT)
        figures = await at_once(made, tasks, LEAD, eased=IN_FLIGHT, gaps_after=warm)
    return {"seeds": Part([*_tables(figures)], figures)}


def _tables(figures: Figures) -> list[Any]:
    over = {name: value - _TAKES_MS for name, value in figures["duration_ms"].items()}
    held = next(held for name, held in figures["memory_mib"].items() if name.startswith("worker"))
    rows = [
        ("calls in flight, at most", figures["most_in_flight"]),
        ("worker: CPU, % of one core", round(figures["cores"]["worker"] * 100, 1)),
        ("worker: MiB now, at its peak", f"{held['now']:.0f}, {work_peak_mib(figures):.0f}"),
    ]
    own = {"a slot stood empty": figures["gap_ms"], "duration_ms in results, less 1,000": _rounded(over)}
    return [
        plain(f"{IN_FLIGHT} calls at once to receivers that take a second", ("", ""), rows),
        spreads("our own overhead", own, "ms"),
        deliveries("the same; CPU in ms per delivery", {"seeds' run": figures}),
    ]


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}


def add_flags(flags: argparse.ArgumentParser) -> None:
    """Add how much of everything."""
    flags.add_argument("--seconds", type=float, default=30.0, help="for which a thousand calls are in flight")


def main() -> None:
    """Measure it once."""
    flags = parser("seeds", __doc__)
    add_flags(flags)
    args = flags.parse_args()
    alone("seeds", args, lambda rig: measure(rig, args))


if __name__ == "__main__":
    main()
