"""Takes each rule out of a copy of the code, piece by piece, and sees a test fail: ``python -m tools.rules --only 4,12``."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.docs_rules import ROOT
from tools.rules.cut import Cut, all_cuts

#: A test that waits for what never comes has failed after so long; all of them, with nothing taken out, may take longer.
_PATIENCE_S, _PATIENCE_WITH_ALL_S = 120, 1_800
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
_SUM = re.compile(r"^.*\d+ passed.*$", re.MULTILINE)
_PASSED, _TESTS_FAILED = 0, 1


def main() -> int:
    """Take out what was asked for; 1 when no test noticed it."""
    parser = argparse.ArgumentParser(prog="python -m tools.rules", description=__doc__)
    parser.add_argument("--only", default="", help="rules, as 4,12 (default: all)")
    only = {int(number) for number in parser.parse_args().only.split(",") if number}
    cuts = [cut for cut in all_cuts() if not only or cut.rule in only]
    with tempfile.TemporaryDirectory(prefix="streamer-rules-") as directory:
        root = Path(directory)
        _copy(root)
        tests = sorted({test for cut in cuts for test in cut.tests})
        code, told = _pytest(root, tests, _PATIENCE_WITH_ALL_S)
        if code != _PASSED:
            _say(f"with nothing taken out: {told}")
            return 1
        _say(f"with nothing taken out: {told}\n")
        missed = sum(not _noticed(root, cut) for cut in cuts)
    _say(f"\n{len(cuts)} pieces of {len({cut.rule for cut in cuts})} rules taken out, {missed} of them unnoticed")
    return 1 if missed else 0


def _copy(root: Path) -> None:
    """Copy what git knows of, or would know of."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)


def _noticed(root: Path, cut: Cut) -> bool:
    whole = cut.apply(root)
    try:
        code, told = _pytest(root, cut.tests)
    finally:
        (root / cut.file).write_text(whole)
    noticed = code == _TESTS_FAILED
    _say(f"{cut.rule:2}  {'noticed' if noticed else 'UNNOTICED':9}  {cut.what}: {told}")
    return noticed


def _pytest(root: Path, tests: Sequence[str], patience_s: int = _PATIENCE_S) -> tuple[int, str]:
    """Run tests until one fails; return how pytest ended, and which failed."""
    # The copy's code, with the packages of the environment that runs this.
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", *tests]
    try:
        done = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True, timeout=patience_s)
    except subprocess.TimeoutExpired:
        return _TESTS_FAILED, f"not done after {patience_s} s"
    if failed := _FAILED.search(done.stdout):
        return done.returncode, failed[1]
    passed = _SUM.search(done.stdout)
    return done.returncode, (passed[0] if passed else done.stdout[-300:] + done.stderr[-300:]).strip()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
