"""The list of what takes a rule out of the code fits the code; `make rules` plays it."""

from __future__ import annotations

import pytest

from tests.architecture.source import ROOT
from tools.docs_rules import RULES, TESTS, mentions
from tools.rules.cut import Cut, all_cuts

CUTS = all_cuts()
MENTIONS = mentions(TESTS)


def test_every_rule_has_a_piece_that_can_be_taken_out() -> None:
    """None is proved by its name alone."""
    assert {cut.rule for cut in CUTS} == set(range(1, len(RULES) + 1))


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: f"{cut.rule}: {cut.what}")
def test_a_piece_stands_once_and_its_tests_are_the_rules(cut: Cut) -> None:
    """What has moved is noticed when it moves; what fails is what the table of rules names as the rule's tests."""
    assert cut.found_in(ROOT) == 1
    assert cut.old != cut.new
    assert set(cut.tests) <= {*MENTIONS.get(cut.rule, ()), *RULES[cut.rule - 1].tests}
