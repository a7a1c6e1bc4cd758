"""The oracle's eye on attempts: calls that were made again, and numbers that were passed over or came back."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from bench.oracle_values import Anomaly, Call, Finding, Told

#: Generation and attempt: what numbers each attempt of a task.
Number = tuple[int, int]


def is_success(status: int | None) -> bool:
    """Tell whether an answer was a success."""
    return status is not None and 200 <= status < 300


def numbered(calls: Iterable[Call], told: Iterable[Told]) -> list[tuple[Number | None, Call]]:
    """Return a task's calls with their numbers; None where nobody noted it.

    A call whose generation is not known is of the only one, where there is no more than one.
    """
    generations = {each.generation for each in told} or {1}
    only = next(iter(generations)) if len(generations) == 1 else 0
    return [
        ((generation, call.attempt) if call.attempt and (generation := call.generation or only) else None, call)
        for call in calls
    ]


def repeated(calls: Sequence[tuple[Number | None, Call]], told: Iterable[Told]) -> list[Call]:
    """Return the calls beyond the recorded attempts: as many as are too many, those whose number had been called before.

    Where numbers do not tell which, it is the last ones.
    """
    too_many = max(0, len(calls) - len({each.event_id for each in told if each.attempted}))
    seen: set[Number | None] = set()
    again: list[Call] = []
    for number, call in calls:
        if number is not None and number in seen:
            again.append(call)
        seen.add(number)
    if len(again) < too_many:
        return [call for _, call in calls[len(calls) - too_many :]]
    return again[len(again) - too_many :]


def resent(calls: Sequence[Call]) -> int:
    """Return how many calls came after one that had been answered with success."""
    first = next((number for number, call in enumerate(calls) if is_success(call.status)), len(calls))
    return max(0, len(calls) - first - 1)


def misnumbered(
    told: Mapping[str, Sequence[Told]], calls: Mapping[str, Sequence[tuple[Number | None, Call]]]
) -> Iterator[Finding]:
    """Find attempts whose numbers are not 1, 2, 3 … within their generation.

    An attempt is only begun when the one before it is told: whatever bears the number n, an attempt, a call, or a wait for
    the n-th attempt, says that all below n were told. A repeat of an event is no attempt of its own.
    """
    for task in told.keys() | calls.keys():
        yield from _skips(task, told.get(task, ()), calls.get(task, ()))
        yield from _steps_back(task, "told of", _told_numbers(told.get(task, ())))
        numbers = (number for number, _ in calls.get(task, ()) if number)
        # A call may be slower on its way than the next attempt, once its worker has given it up and told of it.
        slow = _all_told(calls.get(task, ()), told.get(task, ()))
        yield from _steps_back(task, "called", numbers, slow)


def _skips(task: str, told: Sequence[Told], calls: Sequence[tuple[Number | None, Call]]) -> Iterator[Finding]:
    made: dict[int, set[int]] = defaultdict(set)
    highest: dict[int, int] = defaultdict(int)
    for each in told:
        if each.attempt:
            highest[each.generation] = max(highest[each.generation], each.attempt)
            if each.attempted:
                made[each.generation].add(each.attempt)
    for number, _ in calls:
        if number is not None:
            highest[number[0]] = max(highest[number[0]], number[1])
    for generation, most in sorted(highest.items()):
        if missing := [number for number in range(1, most) if number not in made[generation]]:
            story = f"generation {generation} came to attempt {most}, and nobody told of {missing}"
            yield Finding(Anomaly.ATTEMPT_SKIP, task, story)


def _told_numbers(told: Iterable[Told]) -> Iterator[Number]:
    seen: set[str] = set()
    for each in told:
        if each.attempted and each.attempt and each.event_id not in seen:
            yield each.generation, each.attempt
        seen.add(each.event_id)


def _all_told(calls: Iterable[tuple[Number | None, Call]], told: Iterable[Told]) -> set[Number]:
    """Return the numbers whose calls were all told of."""
    attempts = Counter(number for number, _ in {((e.generation, e.attempt), e.event_id) for e in told if e.attempted})
    called = Counter(number for number, _ in calls if number is not None)
    return {number for number, count in called.items() if count <= attempts[number]}


def _steps_back(task: str, how: str, numbers: Iterable[Number], excused: Collection[Number] = ()) -> Iterator[Finding]:
    most: Number = (0, 0)
    for number in numbers:
        if number < most and number not in excused:
            story = f"attempt {number[1]} of generation {number[0]} was {how} after {most[1]} of {most[0]}"
            yield Finding(Anomaly.ATTEMPT_REGRESS, task, story)
            return
        most = max(most, number)
