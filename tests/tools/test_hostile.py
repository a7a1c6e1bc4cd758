"""The table of hostile cases: every row names tests that are there, and a failure, an empty row or a hit cannot hide."""

from __future__ import annotations

import re
from typing import Literal

import pytest

from tests.architecture.source import ROOT, modules
from tools.hostile.__main__ import table
from tools.hostile.rows import ROWS, Row, selected
from tools.hostile.tally import Counted, Tally

ROW = Row("D1", "ways inside", ("tests/a.py", "tests/b.py::test_two"))
NAMES = {module.path: {function.name for function in module.functions()} for module in modules("tests")}


def test_every_way_of_the_plan_has_a_row() -> None:
    """D1 to D9 and E1 to E3, in their order."""
    ids = list(dict.fromkeys(row.id for row in ROWS))
    assert ids == [*(f"D{number}" for number in range(1, 10)), "E1", "E2", "E3"]


@pytest.mark.parametrize("test", selected(ROWS))
def test_every_test_that_is_named_is_there(test: str) -> None:
    """A file that was moved, or a test that was renamed, would leave its row with fewer cases than people think."""
    path, _, name = test.partition("::")
    assert (ROOT / path).is_file()
    names = NAMES[path]
    assert name in names if name else any(re.match("test_", each) for each in names)


def report(
    node: str, outcome: Literal["passed", "failed", "skipped"] = "passed", when: str = "call", **properties: int
) -> pytest.TestReport:
    """Return what pytest tells of a test."""
    return pytest.TestReport(
        nodeid=node,
        location=("a.py", 1, node),
        keywords={},
        outcome=outcome,
        longrepr=None,
        when=when,  # type: ignore[arg-type]
        user_properties=list(properties.items()),
    )


def tally_of(*reports: pytest.TestReport) -> Tally:
    """Return what a run with these tests comes to."""
    tally = Tally()
    for each in reports:
        tally.pytest_runtest_logreport(each)
    return tally


def test_cases_are_counted_where_a_test_has_many() -> None:
    """A test is one case unless it says how many; others' tests, and those whose name begins alike, are not counted."""
    tally = tally_of(
        report("tests/a.py::test_one[x]", cases=150),
        report("tests/a.py::test_one[y]"),
        report("tests/b.py::test_two[z]"),
        report("tests/b.py::test_two_more"),
        report("tests/a.pyx::test_one"),
    )
    assert tally.of(ROW) == Counted(passed=152)
    assert tally.of(ROW).good


@pytest.mark.parametrize("when", ["setup", "call", "teardown"])
def test_a_test_that_failed_has_passed_no_case(when: str) -> None:
    """Nobody knows how far it came; a fixture that breaks down afterwards counts as well."""
    tally = tally_of(
        report("tests/a.py::test_one", cases=150), report("tests/a.py::test_one", "failed", when, cases=150)
    )
    assert tally.of(ROW) == Counted(failed=150)
    assert not tally.of(ROW).good


def test_a_row_without_a_case_is_not_good() -> None:
    """Neither one that nothing was chosen for, nor one whose tests could not run here."""
    assert not tally_of().of(ROW).good
    skipped = tally_of(report("tests/a.py::test_one", "skipped", "setup"))
    assert skipped.of(ROW) == Counted(skipped=1)
    assert not skipped.of(ROW).good
    verdicts = list(table([ROW], skipped).columns[-1].cells)
    assert verdicts == ["[bold red]NONE[/]"]


def test_traps_are_summed_over_all_tests() -> None:
    """Also those of tests that stand in no row."""
    tally = tally_of(report("tests/a.py::t", traps=2, trap_hits=0), report("tests/c.py::t", traps=1, trap_hits=3))
    assert (tally.traps, tally.hits) == (3, 3)
