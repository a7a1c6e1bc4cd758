"""Fail when branch coverage is under its threshold: 95 % for core and flow, 80 % for the rest."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

STRICT_DIRS = ("streamer/core/", "streamer/flow/")
STRICT_PERCENT = 95.0
REST_PERCENT = 80.0


def percent(files: dict[str, Any]) -> float:
    """Lines and branches taken, of all lines and branches, as coverage itself counts them."""
    sums = [file["summary"] for file in files.values()]
    covered = sum(s["covered_lines"] + s["covered_branches"] for s in sums)
    total = sum(s["num_statements"] + s["num_branches"] for s in sums)
    return 100.0 * covered / total if total else 100.0


def main(report: str) -> int:
    """Print both figures, and the files that pull a failing one down; 1 when one is under its threshold."""
    files: dict[str, Any] = json.loads(Path(report).read_text())["files"]
    strict = {name: file for name, file in files.items() if name.startswith(STRICT_DIRS)}
    rest = {name: file for name, file in files.items() if name not in strict}
    failed = False
    for title, group, wanted in (("core and flow", strict, STRICT_PERCENT), ("the rest", rest, REST_PERCENT)):
        reached = percent(group)
        under = reached < wanted
        failed = failed or under
        verdict = "UNDER the" if under else "threshold"
        print(f"coverage of {title}: {reached:.1f} % ({verdict} {wanted:.0f} %)")
        if under:
            for name in sorted(group, key=lambda name: percent({name: group[name]})):
                own = percent({name: group[name]})
                if own < wanted:
                    print(f"  {own:5.1f} %  {name}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
