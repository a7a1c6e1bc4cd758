"""The ledgers of a run as files in a directory, and how they are read back to be judged, then or later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bench.ledger_file import read_lines
from bench.ledgers import calls_of, told_of
from bench.oracle import Verdict, judge
from bench.oracle_values import Asked, Bound, Call, Commit, Evidence, LaneSaid, Limit, ProcessEvent, Standing, Told
from streamer.wire.instants import parse_instant
from streamer.wire.lane_record import lane_name
from tests.support.arrival_log import read_arrivals

TERMS, ACCEPTED, ARRIVALS, RESULTS = "terms.json", "accepted.jsonl", "arrivals.jsonl", "results.jsonl"
STANDING, COMMITS, LANES, LETTERS = "standing.jsonl", "commits.jsonl", "lanes.jsonl", "dead-letters.jsonl"
PROCESSES, WAITING = "processes.jsonl", "waiting.jsonl"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a run was set to do, as far as it is judged by that; stands in ``terms.json``.

    ``readers`` names the group that commits each topic. ``texts`` are the files, as patterns, in which no canary may
    stand. What is left empty is not judged.
    """

    readers: Mapping[str, str] = field(default_factory=dict)
    limits: Sequence[Limit] = ()
    marks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    canaries: Mapping[str, str] = field(default_factory=dict)
    texts: Sequence[str] = (RESULTS, LANES, "*.out", "*.err", "*.prom")
    bound: Bound | None = None
    slack_ms: int = 0

    def write(self, directory: Path) -> None:
        """Write them down; the canaries are secrets of the run alone."""
        (directory / TERMS).write_bytes(orjson.dumps(self))

    @classmethod
    def read(cls, directory: Path) -> Terms:
        """Read them back; without a file nothing is set."""
        path = directory / TERMS
        fields: dict[str, Any] = orjson.loads(path.read_bytes()) if path.exists() else {}
        if fields.get("bound"):
            fields["bound"] = Bound(**fields["bound"])
        return cls(**fields | {"limits": [Limit(**limit) for limit in fields.get("limits", ())]})


@dataclass(frozen=True, slots=True)
class Texts:
    """The lines of the files in which people read; each time anew."""

    directory: Path
    patterns: Sequence[str]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for path in sorted({path for pattern in self.patterns for path in self.directory.glob(pattern)}):
            with path.open(encoding="utf-8", errors="replace") as file:
                for number, line in enumerate(file, 1):
                    yield f"{path.name}:{number}", line


@dataclass(frozen=True, slots=True)
class Ledgers:
    """Everything that was written down of a run."""

    accepted: Sequence[str]
    calls: Sequence[Call]
    told: Sequence[Told]
    waiting: Sequence[str]
    evidence: Evidence

    @classmethod
    def read(cls, directory: Path) -> Ledgers:
        """Read the files of a run; FileNotFoundError where none was kept there."""
        if not (directory / ACCEPTED).exists():
            raise FileNotFoundError(f"{directory} holds no {ACCEPTED}: name the directory of one run")
        accepted = list(read_lines(directory / ACCEPTED))
        lanes = directory / LANES
        terms = Terms.read(directory)
        evidence = Evidence(
            asked=[Asked(line["task_id"], line["due_at_ms"], line["business"]) for line in accepted],
            standing=[_standing(line) for line in (*accepted, *read_lines(directory / STANDING))],
            commits=[Commit(**line) for line in read_lines(directory / COMMITS)],
            readers=terms.readers,
            limits=terms.limits,
            lanes=[_lane_said(line["figures"]) for line in read_lines(lanes)] if lanes.exists() else None,
            marks=terms.marks,
            canaries=terms.canaries,
            texts=Texts(directory, terms.texts),
            processes=[ProcessEvent(**line) for line in read_lines(directory / PROCESSES)],
            bound=terms.bound,
            slack_ms=terms.slack_ms,
        )
        return cls(
            accepted=[line["task_id"] for line in accepted],
            calls=calls_of(read_arrivals(directory / ARRIVALS)),
            told=[told_of(line["result"]) for line in read_lines(directory / RESULTS)],
            waiting=[line["task_id"] for line in read_lines(directory / WAITING)],
            evidence=evidence,
        )

    def judged(self) -> Verdict:
        """Return what they say."""
        return judge(self.accepted, self.calls, self.told, self.waiting, self.evidence)


def _standing(line: Mapping[str, Any]) -> Standing:
    return Standing(line["task_id"], line["topic"], line["partition"], line["offset"], line["stamp_ms"])


def _lane_said(figures: Mapping[str, Any]) -> LaneSaid:
    until = figures["open_until"]
    return LaneSaid(
        lane_name(figures["domain"], figures["shard"]),
        parse_instant(figures["at"]),
        figures["breaker"],
        parse_instant(until) if until else 0,
    )
