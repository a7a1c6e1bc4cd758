"""The forty rules: what each demands, how far it is kept, and where code and tests name it (`RULES n`)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

CODE, TESTS = "streamer/**/*.py", "tests/**/test_*.py"

_MENTION = re.compile(r"RULES (\d+(?:[–-]\d+)?(?:(?:,| and) \d+(?:[–-]\d+)?)*)")
_NUMBERS = re.compile(r"(\d+)(?:[–-](\d+))?")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `kept` begins with "in", "part" or "not yet"; `tests` prove it without naming its number."""

    text: str
    kept: str = "in"
    tests: tuple[str, ...] = ()


def numbers(text: str) -> set[int]:
    """Return every rule that a text names, alone, in a list or in a range."""
    found: set[int] = set()
    for mention in _MENTION.findall(text):
        for first, last in _NUMBERS.findall(mention):
            found.update(range(int(first), int(last or first) + 1))
    return found


def mentions(pattern: str) -> Mapping[int, Sequence[str]]:
    """Return by rule the files that name it, of those that a pattern finds from the root."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for path in sorted(ROOT.glob(pattern)):
        for number in numbers(path.read_text(encoding="utf-8")):
            found[number].append(path.relative_to(ROOT).as_posix())
    return found


def rules_table() -> str:
    """Return all rules as a Markdown table, with links from `docs/`."""
    code, tests = mentions(CODE), mentions(TESTS)
    lines = ["| | rule | kept | code | tests |", "|---|---|---|---|---|"]
    for number, rule in enumerate(RULES, start=1):
        proved = sorted({*rule.tests, *tests.get(number, ())})
        cells = (number, rule.text, rule.kept, _links(code.get(number, ())), _links(proved) or "none yet")
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def _links(paths: Sequence[str]) -> str:
    shown = (path.removeprefix("streamer/").removeprefix("tests/") for path in paths)
    return ", ".join(f"[`{text}`](../{path})" for text, path in zip(shown, paths, strict=True))


RULES = (
    Rule(
        "Only what intake or claim wrote may be the first record of its task. All that deliver writes is marked `seen`; "
        "a seen record without an entry is dropped."
    ),
    Rule(
        "State is written only after result, retry or dead letter are acknowledged. Entries that are overdue are counted.",
        "in; overdue tasks are counted, not listed",
    ),
    Rule(
        "Offsets of our topics are contiguous: a hole is read again. Each assignment has its own window, and a record "
        "keeps the one it was read under.",
        tests=("tests/core/test_window.py", "tests/core/test_window_model.py"),
    ),
    Rule(
        "The right to send and to write is a lease on the last good heartbeat. At its loss all work is cancelled and the "
        "producer aborted. Recovery orders entries by owner's epoch, task generation, attempt, terminal before open. "
        "What was written late is written over before compaction keeps it alone.",
        "in; a call that is still connecting may yet go out ([0002](decisions/0002-pyreqwest.md))",
        tests=("tests/scenarios/test_a_stopped_worker_wins_nothing.py",),
    ),
    Rule("The table is recovered by batches into a store of ours; a kept partition is read on from where it was."),
    Rule(
        "A window bounds unfinished records and their bytes, not the span. Every call has a deadline of its own.",
        tests=("tests/core/test_window.py", "tests/adapters/http/test_deadlines.py"),
    ),
    Rule(
        "State is held per partition and dropped whole when the partition goes; there are no standby replicas.",
    ),
    Rule(
        "Cancel, update, run now, retry and replay are records on `control`. All but cancel carry the whole delivery and "
        "the generation they expect; another one is a conflict.",
        tests=("tests/scenarios/test_a_failing_task_climbs_the_tiers_into_the_dead_letters_and_is_replayed.py",),
    ),
    Rule(
        "A deferral is a promise of a slot; beyond the horizon due times are spread. While a breaker is open waits double, "
        "and one record comes back to ask the target.",
    ),
    Rule(
        "Draining at a revoke has a deadline of 8 s; then work is abandoned, and its offsets are not committed.",
        tests=("tests/scenarios/test_sigterm_under_load_sends_nothing_twice.py",),
    ),
    Rule(
        "An entry is forgotten when it is an hour old, intake has committed its request and deliver has committed all "
        "that was read before. A group without offsets does not start by itself on a topic that holds records.",
        tests=("tests/scenarios/test_a_worker_refuses_to_start.py",),
    ),
    Rule(
        "A claim stores who made it; the same record is let through again. First what it lets through is written, then the "
        "claim, then the commit. Claims are on disk, with a cap per business.",
        tests=(
            "tests/scenarios/test_the_same_business_id_with_another_domain.py",
            "tests/scenarios/test_a_duplicate_record_makes_one_call.py",
        ),
    ),
    Rule(
        "The first final result of a generation is its end. A dead letter of a task that has succeeded is marked, and not "
        "replayed unforced.",
        "in for the command line; the ledger is not in yet",
    ),
    Rule(
        "An unexpected error defers its record without using up an attempt. After an unclean exit the unfinished span runs "
        "one by one; a record found twice in hand alone is set aside."
    ),
    Rule(
        "The agents never wait for capacity; a full window only keeps its partition from being fetched; `control` never."
    ),
    Rule(
        "Intake reads every compression of ordinary producers, committed records only, and passes over a batch that cannot "
        "be decoded, with a dead letter.",
        tests=("tests/scenarios/test_a_record_produced_by_kcat.py",),
    ),
    Rule(
        "A static member that the group does not know ends its process; an instance id is locked on its machine.",
        tests=("tests/scenarios/test_a_worker_refuses_to_start.py",),
    ),
    Rule("A lane taken over begins with an empty bucket; none opens before its settings and state are read."),
    Rule(
        "Hold looks at `release_at` alone, keeps what it fetched, and never seeks back.",
    ),
    Rule("What comes back comes on `due`; hold stops releasing into a partition where deliver is far behind."),
    Rule(
        "A tier takes every wait from 5 s less than its delay up to its delay, so that a usual wait is one hop.",
        tests=("tests/core/test_ladder.py",),
    ),
    Rule(
        "A lane's queue is bounded by what it can do in 5 s, and by bytes; when it is full the worst is deferred.",
        "in; a lane without a rate may hold six times that while its partition's window is less than half full",
    ),
    Rule("Shards of a hot domain have fixed partitions, and share pause and breaker."),
    Rule("A limit that several lanes share is reserved before queueing."),
    Rule(
        "A cancel for a task not seen yet is remembered, and any other command becomes the task; a task on the wire is "
        "waited for, one that waits in its lane is not. Each is answered on `results`, once its entry stands.",
    ),
    Rule(
        "Intake publishes `rejected`; the ledger folds and prunes by event time.",
        "part: `rejected` is in, no ledger",
        ("tests/flow/test_intake.py",),
    ),
    Rule("A key has 16 bytes and an entry at most 48; very many open tasks live on disk.", "part: memory only"),
    Rule(
        "There is one changelog: claims and lanes live in it under a prefix.",
        tests=("tests/adapters/kafka/test_recovery.py",),
    ),
    Rule("Fetches wait 50 ms at most where they leave a partition out, 500 ms where they ask for all."),
    Rule("At a revoke the finished prefixes are committed, then the windows dropped."),
    Rule(
        "A derived id is a digest of cluster, topic, partition, offset and timestamp.",
        tests=("tests/core/test_identity.py",),
    ),
    Rule("An entry keeps a hash of the content; a duplicate with other content is answered, never dropped in silence."),
    Rule(
        "Replay and retry keep `webhook-id` and `Idempotency-Key`; an update makes new ones.",
        tests=("tests/scenarios/test_a_failing_task_climbs_the_tiers_into_the_dead_letters_and_is_replayed.py",),
    ),
    Rule("A producer is aborted before its successor starts."),
    Rule("On disk a change and its changelog offset are one transaction.", "part: claims only; entries are in memory"),
    Rule(
        "A watchdog thread ends a process that has lag and makes no progress.",
        "in",
    ),
    Rule(
        "An entry holds its lane's hash; more partitions mean a new set of topics.", "part: there is no command for it"
    ),
    Rule("A partition fetch takes 128 KiB at most."),
    Rule(
        "Each tier is kept for its delay and 7 days, without a bound in bytes; checked at every start.",
        tests=("tests/adapters/kafka/test_topic_problems.py", "tests/wire/test_topics.py"),
    ),
    Rule("`config` is read to its end before anything is sent.", "in"),
)
