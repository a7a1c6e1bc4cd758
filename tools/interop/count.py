"""What a language's answers to all cases come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from streamer.adapters.http.verification import verify
from tools.interop.cases import Case

#: Columns of the table, in their order.
COLUMNS = ("library verifies ours", "library refuses", "we verify the library's", "example verifies", "example refuses")


@dataclass(slots=True)
class Count:
    """Tried and passed per column, how many bodies the library cannot take, and the first failures in words."""

    tried: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COLUMNS, 0))
    passed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COLUMNS, 0))
    text_only: int = 0
    failures: list[str] = field(default_factory=list)

    def take(self, column: str, case: Case, *, passed: bool) -> None:
        """Count one try."""
        self.tried[column] += 1
        self.passed[column] += passed
        if not passed:
            self.failures.append(f"{column}: case {case.number}, {case.kind}, id {case.message_id}")


def count(cases: Sequence[Case], answers: Sequence[str], now_s: int) -> Count:
    """Compare answers with what must be; an answer that is missing fails."""
    found = {fields[0]: fields[1:] for fields in (answer.split("\t") for answer in answers) if len(fields) == 4}
    counted = Count()
    for case in cases:
        library, example, signed = found.get(str(case.number), ("missing", "missing", "missing"))
        _library(counted, case, library)
        if case.valid and library != "-" and signed != "-":
            headers = {"webhook-id": case.message_id, "webhook-timestamp": str(case.at_s), "webhook-signature": signed}
            reason = verify([case.key.encode()], headers, case.body, now_s)
            if reason is None or case.is_text:
                counted.take("we verify the library's", case, passed=reason is None)
        expected = "ok" if case.valid else "refused"
        counted.take(f"example {'verifies' if case.valid else 'refuses'}", case, passed=example == expected)
    return counted


def _library(counted: Count, case: Case, library: str) -> None:
    if library == "-":
        return
    if case.valid and library == "refused" and not case.is_text:
        counted.text_only += 1
    elif case.valid:
        counted.take("library verifies ours", case, passed=library == "ok")
    else:
        counted.take("library refuses", case, passed=library == "refused")
