"""A run's figures as a table or lines for people, and as a file."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from rich.table import Table

from bench.machine import facts

RESULTS = Path(__file__).parent / "results"
#: More than the machine's own housekeeping.
BUSY_CORES = 0.15


@dataclass(frozen=True, slots=True)
class Shown:
    """One line of what a test shows; ``holds`` is None where nothing is promised."""

    text: str
    holds: bool | None = None

    def __str__(self) -> str:
        """Return the line, its verdict first."""
        verdict = {None: "", True: "ok", False: "FALLS SHORT"}[self.holds]
        return f"  {verdict:<11}  {self.text}"


def conclude(module: str, shown: Sequence[Shown], figures: Mapping[str, Any], others_cores: float) -> NoReturn:
    """Write a test's figures down, tell what they were measured on, and end with 1 if a promise is not kept."""
    machine = facts()
    report = {"command": " ".join([f"python -m {module}", *sys.argv[1:]]), "machine": machine, "figures": figures}
    write(report, f"{module.rpartition('.')[2]}-{time.strftime('%Y%m%dT%H%M%S')}")
    changed = f" with {machine['changed_files']} files changed" if machine["changed_files"] else ""
    print(f"{machine['cores']} cores, of which others used {others_cores}; commit {machine['commit']}{changed}")
    short = sum(each.holds is False for each in shown)
    print(f"{short} of {sum(each.holds is not None for each in shown)} fall short" if short else "all hold")
    sys.exit(1 if short else 0)


def write(report: Mapping[str, Any], name: str) -> None:
    """Write a run's figures to ``bench/results``."""
    RESULTS.mkdir(exist_ok=True)
    # Figures of one machine at one time: nothing for the history of the code.
    (RESULTS / ".gitignore").write_text("*\n", "ascii")
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    print(f"wrote {path.relative_to(RESULTS.parents[1])}", file=sys.stderr)


def table(report: Mapping[str, Any]) -> Iterator[Table | str]:
    """Yield what to print: the figures, then what they were measured on."""
    figures = report["figures"]
    yield _table(figures)
    receiver, machine = figures["receiver_limit"], report["machine"]
    limit = f"{receiver['per_s']}/s ({receiver['by']})" if receiver["per_s"] else receiver["by"]
    yield f"receiver alone: {limit}; a worker is ready {figures['start']['ready_s']} s after its start"
    idle = figures["idle"]["cores"]
    yield f"waiting for work: worker {idle['worker']} cores, broker {idle['broker']} cores"
    yield f"a POST alone, its client only: {figures['parts_limit']['post_alone_us']} µs of CPU; compare machines by this"
    if max(figures[name]["others_cores"] for name in ("parts_limit", "backlog", "at_once", "steady")) > BUSY_CORES:
        yield "BUSY: other programs used this machine; rates and latencies are worse than they would be; measure again"
    yield (
        f"{machine['cores']} cores, load {machine['load_1m_before']} before; Python {machine['python']}, "
        f"Kafka {machine['kafka']}, commit {machine['commit']}"
        + (f" with {machine['changed_files']} files changed" if machine["changed_files"] else "")
    )
    yield f"{report['command']}, {figures['took_s']} s"


def _table(figures: Mapping[str, Any]) -> Table:
    parts, backlog, once, steady = (figures[name] for name in ("parts_limit", "backlog", "at_once", "steady"))
    made = Table(box=None, pad_edge=False, header_style="bold")
    made.add_column("", no_wrap=True)
    for name in ("parts alone", "from a backlog", "publish + deliver", f"at {steady['per_s']:g}/s"):
        made.add_column(name, justify="right")
    columns = (parts, backlog, once, steady)
    made.add_row("deliveries/s", *(str(each["per_s"]) for each in columns[:3]), "-")
    made.add_row("ratio to the parts alone", "1", str(backlog["ratio_to_parts"] or "busy"), "-", "-")
    made.add_row("the same ratio in CPU, all-in", "1", str(backlog["cpu_ratio_to_parts"]), "-", "-")
    process = [each["cpu_ms"].get("worker", each["cpu_ms"].get("process")) for each in columns]
    made.add_row("CPU ms per delivery: worker", *map(str, process))
    made.add_row("CPU ms per delivery: broker", *(str(each["cpu_ms"]["broker"]) for each in columns))
    made.add_row("CPU ms per delivery: publisher", "-", "-", str(once["cpu_ms"]["publisher"]), "-")
    made.add_row("cores that others used meanwhile", *(str(each["others_cores"]) for each in columns))
    made.add_row("peak memory, MiB", *(str(each.get("peak_rss_mib", "-")) for each in columns))
    made.add_row("calls beyond one a task", "-", *(str(each["calls"] - each["tasks"]) for each in columns[1:]))
    for share, value in steady["ms"].items():
        made.add_row(f"produce → arrival {share}, ms", "-", "-", "-", str(value))
    return made
