"""The oracle's eye on lanes: calls beyond a domain's rate, and calls while its breaker was told open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from bench.oracle_attempts import Number
from bench.oracle_values import Anomaly, Call, Finding, LaneSaid, Limit, Told

_WINDOW_MS = 1_000
#: A call that nobody told of, because its worker died, may have begun so long before it arrived.
_ON_THE_WAY_MS = 250
_OPEN = "open"


def rate_breaches(calls: Iterable[Call], limits: Iterable[Limit]) -> Iterator[Finding]:
    """Find lanes where more calls arrived within a second than one second's rate and the burst."""
    at_ms: dict[str, list[int]] = defaultdict(list)
    for call in calls:
        at_ms[call.lane].append(call.at_ms)
    for limit in limits:
        until_ms = limit.until_ms
        within = sorted(at for at in at_ms[limit.lane] if limit.from_ms <= at and (until_ms is None or at < until_ms))
        most, begun_ms = _fullest(within)
        if most > (allowed := limit.per_s * (_WINDOW_MS + limit.way_ms) / 1000 + limit.burst):
            story = f"{most} calls within a second from {begun_ms}, allowed are {allowed:g}"
            yield Finding(Anomaly.RATE_BREACH, limit.lane, story)


def _fullest(at_ms: Sequence[int]) -> tuple[int, int]:
    """Return the most instants within any second, and when it begins."""
    most, begun_ms, first = 0, 0, 0
    for number, at in enumerate(at_ms):
        while at - at_ms[first] >= _WINDOW_MS:
            first += 1
        if number - first + 1 > most:
            most, begun_ms = number - first + 1, at_ms[first]
    return most, begun_ms


def openings(said: Iterable[LaneSaid]) -> dict[str, list[tuple[int, int]]]:
    """Return the spans in which each lane's breaker was surely open: from when that was told until it was to end.

    What is told is up to a second old. So where a breaker was told otherwise before its time, as after an operator's reset,
    the span ends with the last word that it was open.
    """
    by_lane: dict[str, list[LaneSaid]] = defaultdict(list)
    for each in said:
        by_lane[each.lane].append(each)
    return {lane: list(_spans(words)) for lane, words in by_lane.items()}


def _spans(words: Sequence[LaneSaid]) -> Iterator[tuple[int, int]]:
    for word, after in pairwise([*words, None]):
        if word is None or word.breaker != _OPEN:
            continue
        if after is None or after.at_ms >= word.open_until_ms:
            yield word.at_ms, word.open_until_ms
        elif after.breaker == _OPEN:
            yield word.at_ms, min(after.at_ms, word.open_until_ms)


def breaker_breaches(
    said: Iterable[LaneSaid],
    told: Mapping[str, Sequence[Told]],
    calls: Mapping[str, Sequence[tuple[Number | None, Call]]],
    slack_ms: int,
) -> Iterator[Finding]:
    """Find calls that began while their lane's breaker was told open.

    When a call began is what its worker told; a call that nobody told of began a moment before it arrived. Lanes with
    shards are left out: each shard has a breaker of its own, and a call does not say by which it came.
    """
    said = list(said)
    sharded = {each.lane.partition("#")[0] for each in said if "#" in each.lane}
    spans = openings(each for each in said if "#" not in each.lane and each.lane not in sharded)
    for task, numbered in calls.items():
        begun = _begun(numbered, told.get(task, ()))
        for (_, call), least_ms in zip(numbered, begun, strict=True):
            for from_ms, until_ms in spans.get(call.lane, ()):
                # The last ms is the rounding of the instant at which it half-opens.
                if from_ms + slack_ms < least_ms and call.at_ms < until_ms - 1 - slack_ms:
                    story = f"{task} was called at {call.at_ms}, and the breaker was open from {from_ms} to {until_ms}"
                    yield Finding(Anomaly.BREAKER_BREACH, call.lane, story)


def _begun(calls: Sequence[tuple[Number | None, Call]], told: Iterable[Told]) -> list[int]:
    """Return when each call began: what is told accounts for one call, the first one after it of that number."""
    begun = [call.at_ms - _ON_THE_WAY_MS for _, call in calls]
    taken: set[int] = set()
    for each in sorted((each for each in told if each.started_ms is not None), key=lambda each: each.started_ms or 0):
        its = each.generation, each.attempt
        for index, (number, call) in enumerate(calls):
            if index not in taken and number == its and each.started_ms is not None and each.started_ms <= call.at_ms:
                begun[index] = each.started_ms
                taken.add(index)
                break
    return begun
