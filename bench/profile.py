"""Where does a worker's CPU go? A flame graph of one that works off a backlog, and its functions by their share.

``python -m bench.profile --py-spy PATH`` writes bench/results/profile-<time>.svg and .txt; `make bench-profile` brings py-spy.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.backlog import warm_up
from bench.cell import Conditions, cell
from bench.publish import hidden_backlog
from bench.report import RESULTS, ignored
from bench.rig import Rig
from bench.run import Part, alone, parser, say
from bench.tables import plain

#: Until the first calls are made and what they build is built.
_WARM_S = 2.0
_MOST = 40
#: A function of a file, whichever of its lines.
_FRAME = re.compile(r"^(?P<name>.+) \((?P<file>[^()]+?)(?::\d+)?\)$")


@dataclass(frozen=True, slots=True)
class Share:
    """A function's part of all samples, in %: with it on top, and with it anywhere."""

    function: str
    own: float
    total: float


def shares(stacks: Iterable[str]) -> list[Share]:
    """Return functions by their whole share, from folded stacks: frames with ; between them, outermost first, then a count."""
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    samples = 0
    for line in stacks:
        frames, _, times = line.rpartition(" ")
        functions = [*_functions(frames)]
        if not functions:
            continue
        samples += int(times)
        own[functions[-1]] += int(times)
        # One that calls itself is there once.
        total.update(dict.fromkeys(functions, int(times)))
    return [
        Share(name, 100 * own[name] / samples, 100 * all_of_it / samples) for name, all_of_it in total.most_common()
    ]


def _functions(frames: str) -> Iterator[str]:
    for frame in frames.split(";"):
        if (found := _FRAME.match(frame)) is not None:
            # The last two parts of the path tell which file is meant.
            yield f"{found['name']} ({'/'.join(Path(found['file']).parts[-2:])})"


async def _record(py_spy: str, pid: int, seconds: int, form: str, path: Path) -> None:
    words = ("record", "--pid", str(pid), "--duration", str(seconds), "--rate", "250", "--format", form)
    process = await asyncio.create_subprocess_exec(
        *(py_spy, *words, "--output", str(path)), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    if process.returncode != 0:
        sys.exit(
            f"py-spy ended with {process.returncode}: {out.decode().strip()}; it must be allowed to trace processes"
        )


def main() -> None:
    """Record twice over one backlog: the graph, then the stacks."""
    flags = parser("profile", __doc__)
    flags.add_argument("--py-spy", required=True, help="where py-spy is")
    flags.add_argument("--tasks", type=int, default=100_000, help="so many that the worker has work to the end")
    flags.add_argument("--seconds", type=int, default=10, help="of each of the two recordings")
    args = flags.parse_args()
    name = f"profile-{time.strftime('%Y%m%dT%H%M%S')}"

    async def measure(rig: Rig) -> dict[str, Part]:
        await warm_up(rig)
        svg, text, raw = (ignored(RESULTS) / f"{name}.{suffix}" for suffix in ("svg", "txt", "raw"))
        async with cell(rig, Conditions(seed=args.seed)) as made:
            say(f"a backlog of {args.tasks} tasks")
            async with hidden_backlog(rig.hidden, made.topic, made.requests(args.tasks)):
                pass
            await asyncio.sleep(_WARM_S)
            pid = made.crew["worker-0"]
            for form, path in (("flamegraph", svg), ("raw", raw)):
                say(f"py-spy, {form}, {args.seconds} s")
                await _record(args.py_spy, pid, args.seconds, form, path)
            called = (await made.receiver.stats())["tasks"]
            if called >= args.tasks:
                say("the backlog ended before the recording: ask for more --tasks")
        rows = [(one.function, f"{one.own:.1f}", f"{one.total:.1f}") for one in shares(raw.read_text().splitlines())]
        raw.unlink()
        text.write_text("".join(f"{own:>6} {total:>6}  {function}\n" for function, own, total in rows))
        say(f"wrote {svg.name} and {text.name} in {RESULTS}")
        rows.sort(key=lambda row: -float(row[1]))
        columns = ("function, by its own share", "own %", "total %")
        return {"profile": Part([plain("where a worker's CPU goes", columns, rows[:_MOST])], {"svg": svg.name})}

    alone("profile", args, measure)


if __name__ == "__main__":
    main()
