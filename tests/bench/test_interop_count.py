"""The count of the interoperability run finds every wrong answer that is planted."""

from __future__ import annotations

import base64

import pytest

from streamer.adapters.http.signing import signature_of
from tools.interop.cases import Case
from tools.interop.count import COLUMNS, Count, count

NOW_S = 1_732_291_200
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def case(number: int, *, valid: bool, body: bytes = b"x") -> Case:
    """Return a call of ours, or one that is taken for none."""
    signature = signature_of([SECRET.encode()], "m", NOW_S, body)
    return Case(number, "kind", valid, SECRET, SECRET, "m", NOW_S, signature, body)


CASES = (case(0, valid=True), case(1, valid=True, body=b"\xff"), case(2, valid=False))
RIGHT = (f"0\tok\tok\t{CASES[0].signature}", "1\trefused\tok\t-", "2\trefused\trefused\t-")


def counted(*answers: str) -> Count:
    """Count the answers to all cases."""
    return count(CASES, answers, NOW_S)


def test_right_answers_pass() -> None:
    """A library that takes text only fails nothing by that, and passes nothing."""
    right = counted(*RIGHT)
    assert right.failures == []
    assert right.text_only == 1
    assert [right.passed[column] for column in COLUMNS] == [1, 1, 1, 2, 1]
    assert right.passed == right.tried


@pytest.mark.parametrize(
    ("number", "answer", "column"),
    [
        (0, "0\trefused\tok\t-", "library verifies ours"),
        (0, f"0\tok\trefused\t{CASES[0].signature}", "example verifies"),
        (0, f"0\tok\tok\t{CASES[1].signature}", "we verify the library's"),
        (1, "1\trefused\trefused\t-", "example verifies"),
        (2, "2\tok\trefused\t-", "library refuses"),
        (2, "2\trefused\tok\t-", "example refuses"),
        (0, "0\tok", "library verifies ours"),
        (2, "", "example refuses"),
    ],
)
def test_a_wrong_or_missing_answer_fails(number: int, answer: str, column: str) -> None:
    """Each is named with its column and its case."""
    answers = [answer if at == number else right for at, right in enumerate(RIGHT)]
    failures = counted(*answers).failures
    assert any(failure.startswith(f"{column}: case {number},") for failure in failures)
