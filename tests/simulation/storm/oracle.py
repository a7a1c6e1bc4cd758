"""Watches every call, every record that lands and every commit from outside, and holds them to the rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from streamer.core.command import Command
from streamer.core.delivery import Delivery
from streamer.core.emit import Claim, DeadLetterOf, Due, Emit, FirstPass, Held, ResultOf
from streamer.core.entry import Entry, supersedes
from streamer.core.health import health_of
from streamer.core.identity import task_digest
from streamer.core.lifecycle import State
from streamer.core.outcome import Failure, Outcome, Response
from streamer.core.policy_book import PolicyBook
from tests.core.samples import NOW_MS
from tests.simulation.storm.broker import DELIVERIES, DUE, home_of
from tests.simulation.storm.lane_watch import LaneWatch
from tests.simulation.storm.plan import PARTITIONS
from tests.simulation.storm.rules import Rule, Violation
from tests.simulation.storm.view import View

#: An entry is kept for an hour at least.
_KEEP_S = 3_600


class Oracle:
    """Collects violations. ``lost`` counts, for each partition, how often its work may have been cut off in the middle.

    It knows the records' values, the policies in force and the targets' answers; nothing of the product's machines.
    """

    def __init__(self, now_ms: Callable[[], float], book: PolicyBook, *, journal: bool = False) -> None:
        self.violations: list[Violation] = []
        self.counts: Counter[str] = Counter()
        self.views: dict[str, View] = {}
        self.by_digest: dict[bytes, View] = {}
        self.open_tasks = 0
        self.lost = [0] * PARTITIONS
        self.answered_commands: set[str] = set()
        self.taken: set[tuple[int, int]] = set()
        self.passed: set[tuple[int, int]] = set()
        self.lanes: dict[str, LaneWatch] = {}
        #: What happened to which task, for stories; None where nobody will read it.
        self.journal: list[tuple[int, str, str]] | None = [] if journal else None
        self._now_ms = now_ms
        self._book = book

    def broken(self, rule: Rule, what: str, task_id: str | None = None) -> None:
        """Note that a rule was broken."""
        self.violations.append(Violation(rule, int(self._now_ms()), what, task_id))
        self.note(task_id, f"VIOLATION {rule.name}: {what}")

    def note(self, task_id: str | None, what: str) -> None:
        """Write what happened into the journal, if one is kept."""
        if self.journal is not None:
            self.journal.append((int(self._now_ms()), task_id or "", what))

    # What comes

    def accepted(self, task_id: str) -> View:
        """Note that a request was acknowledged that makes this task, or is one more of it."""
        view = self.views.get(task_id)
        if view is None:
            view = self.views[task_id] = View(task_id, task_digest(task_id))
            self.by_digest[view.digest] = view
            self.open_tasks += 1
        self.note(task_id, "request appended")
        return view

    # What lands

    def landed(self, emit: Emit, *, late: bool = False) -> None:
        """Judge a record that has landed; ``late`` is one whose sender had lost the partition before."""
        if isinstance(emit, ResultOf):
            self._told(emit, late)
        elif isinstance(emit, FirstPass):
            self._first_pass(emit.delivery)
        elif isinstance(emit, Held | Due):
            self._laid(emit.delivery)
        elif isinstance(emit, Claim):
            self.taken.add(_origin(emit.delivery))
        elif isinstance(emit, DeadLetterOf):
            self._dead_letter(emit)

    def _first_pass(self, delivery: Delivery) -> None:
        origin = _origin(delivery)
        self.taken.add(origin)
        self.passed.add(origin)
        view = self._laid(delivery)
        if delivery.generation > 1:
            return
        if view.origin is None:
            view.origin, view.first_due_ms = origin, delivery.due_at_ms
        elif view.origin != origin:
            self.broken(Rule.TWO_TASKS, f"{origin} beside {view.origin}", delivery.task_id)
        view.first_due_ms = min(view.first_due_ms, delivery.due_at_ms)

    def _laid(self, delivery: Delivery) -> View:
        view = self.views[delivery.task_id]
        step = (delivery.generation, delivery.attempt)
        view.copies[step] = view.copies.get(step, 0) + 1
        view.firsts += not delivery.seen
        newest = view.newest
        if newest is None or step >= (newest.generation, newest.attempt):
            view.newest = delivery
        if self.journal is not None:
            wait_ms = delivery.due_at_ms - NOW_MS - int(self._now_ms())
            why = f" ({delivery.why.value})" if delivery.why else ""
            self.note(delivery.task_id, f"laid: generation {step[0]}, attempt {step[1]}, due in {wait_ms} ms{why}")
        return view

    def relayed(self, delivery: Delivery) -> None:
        """Note that hold wrote a record on, whose copy on the tier is still there."""
        view = self.views[delivery.task_id]
        view.firsts += not delivery.seen
        step = (delivery.generation, delivery.attempt)
        view.copies[step] = view.copies.get(step, 0) + 1

    def _told(self, result: ResultOf, late: bool) -> None:
        if result.command_id is not None and result.attempt == 0:
            self.answered_commands.add(result.command_id)
        if result.origin is not None and result.outcome in (Outcome.DUPLICATE, Outcome.REJECTED):
            self.passed.add((result.origin.partition, result.origin.offset))
        if self.journal is not None:
            said = f"{result.outcome.value}, state {result.state.word if result.state else None}"
            self.note(result.task_id, f"told: generation {result.generation}, attempt {result.attempt}: {said}")
        view = self.views.get(result.task_id)
        if view is None or result.state is None or not result.final:
            return
        self._ended(view, result, result.state, late)

    def _ended(self, view: View, result: ResultOf, state: State, late: bool) -> None:
        generation = result.generation
        delivery = result.delivery or view.newest
        lost = self.lost[home_of(delivery)] + view.excused if delivery is not None else 0
        # Of a late one nobody who works now knows: it was decided before the partition was lost.
        first = view.ends.setdefault(generation, (state, -1 if late else lost))
        # What is written down holds, and is told again; an end that was told and not written may be followed by another.
        sealed = view.sealed.get(generation)
        known = sealed if sealed is not None else first[0] if first[1] == lost else state
        if known is not state and not late:
            self.broken(Rule.DOUBLE_END, f"generation {generation}: {known.word}, then {state.word}", view.task_id)
        good = view.good.get(generation)
        if state is State.SUCCEEDED and good is None:
            self.broken(Rule.PHANTOM_SUCCESS, f"generation {generation}", view.task_id)
        elif state in (State.FAILED, State.EXPIRED) and good == lost:
            self.broken(Rule.HIDDEN_SUCCESS, f"generation {generation}: {state.word}", view.task_id)
        if state is State.FAILED and result.because.reason == "exhausted" and result.delivery is not None:
            intervals = result.delivery.request.retry.intervals_ms
            wanted = range(1, len(intervals) + 2) if intervals is not None else range(1, result.attempt + 1)
            if any((generation, attempt) not in view.calls for attempt in wanted):
                self.broken(Rule.WAIT_COUNTED, f"generation {generation} after {result.attempt} attempts", view.task_id)

    def _dead_letter(self, letter: DeadLetterOf) -> None:
        last = letter.last
        if last.state is State.FAILED and (last.generation, last.attempt) not in self.views[last.task_id].failed:
            self.broken(Rule.OUR_FAULT, letter.reason, last.task_id)

    # What is written of tasks

    def wrote(self, number: int, key: bytes, entry: Entry) -> None:
        """Judge an entry that has landed in a partition's changelog, written by its owner."""
        view = self.by_digest.get(key)
        if view is None:
            return
        before = view.entries.get(number)
        if before is None or supersedes(entry, before):
            view.entries[number] = entry
        if before is not None:
            self._followed(view, before, entry)
        if self.journal is not None:
            what = f"generation {entry.generation}, {entry.state.word}, {entry.attempt} attempts, epoch {entry.epoch}"
            self.note(view.task_id, f"entry in {number}: {what}")
        view.forgotten.discard(number)
        if entry.pre_entry or entry.moved:
            return
        if entry.terminal:
            view.sealed[entry.generation] = entry.state
            if entry.state is not State.CANCELLED and entry.generation not in view.ends:
                self.broken(Rule.STATE_FIRST, f"{entry.state.word}, and nothing told", view.task_id)
        elif not view.copies.get((entry.generation, entry.attempt + 1)):
            self.broken(Rule.STATE_FIRST, f"attempt {entry.attempt + 1} is to follow and is nowhere", view.task_id)
        self._opened(view)

    def _followed(self, view: View, before: Entry, entry: Entry) -> None:
        if before.generation != entry.generation or before.moved or before.pre_entry:
            return
        if before.terminal and entry.state is not before.state:
            self.broken(Rule.DOUBLE_END, f"entry {before.state.word}, then {entry.state.word}", view.task_id)
        elif before.epoch == entry.epoch and entry.attempt < before.attempt:
            self.broken(Rule.ATTEMPT_BACK, f"entry of {entry.attempt} after {before.attempt}", view.task_id)

    def _opened(self, view: View) -> None:
        newest = view.newest_entry()
        if newest is None or newest.pre_entry:
            return
        is_open = not newest.terminal or newest.moved
        if is_open is not view.open:
            view.open = is_open
            self.open_tasks += 1 if is_open else -1

    def recovered(self, number: int, key: bytes, entry: Entry | None) -> None:
        """Note what a new owner read of a task, where somebody else's late write may have changed it."""
        view = self.by_digest.get(key)
        if view is not None and entry is not None:
            view.entries[number] = entry
            if entry.terminal and not entry.moved and not entry.pre_entry:
                view.sealed[entry.generation] = entry.state
            self._opened(view)

    def forgot(self, number: int, key: bytes) -> None:
        """Judge a tombstone."""
        view = self.by_digest.get(key)
        entry = view.entries.pop(number, None) if view is not None else None
        if view is None or entry is None:
            return
        view.forgotten.add(number)
        kept_s = (NOW_MS + self._now_ms()) / 1000 - entry.updated_s
        first_open = view.origin is not None and view.firsts > 0
        if not entry.terminal or kept_s < _KEEP_S or (first_open and not entry.pre_entry and entry.generation == 1):
            self.broken(Rule.FORGOTTEN, f"{entry.state.word} for {kept_s:.0f} s", view.task_id)
        self.note(view.task_id, f"entry in {number} forgotten")

    # What is committed

    def committed(self, topic: str, partition: int, record: Delivery) -> None:
        """Judge a delivery that a committed offset has passed: another copy stands, or nothing is left to do."""
        view = self.views[record.task_id]
        step = (record.generation, record.attempt)
        left = view.copies[step] = view.copies.get(step, 0) - 1
        view.firsts -= not record.seen
        if left > 0 or topic not in (DELIVERIES, DUE):
            return
        entry = view.entries.get(partition)
        if entry is None:
            current = not record.seen and partition not in view.forgotten
        else:
            after_move = entry.moved and record.generation > entry.generation
            current = (not entry.terminal and step == (entry.generation, entry.attempt + 1)) or after_move
        if current:
            self.broken(Rule.OFFSET_OVERRUN, f"{topic} of {partition}: step {step}", record.task_id)

    def answered_by_commit(self, command: Command) -> None:
        """Judge a command that a committed offset has passed."""
        if command.command_id not in self.answered_commands:
            self.broken(Rule.UNANSWERED, f"{command.verb} {command.command_id}", command.task_id)

    # What is sent

    def called(self, owner: object, delivery: Delivery) -> None:
        """Judge a call that begins."""
        now_ms = NOW_MS + self._now_ms()
        task_id, generation = delivery.task_id, delivery.generation
        step = (generation, delivery.attempt)
        view = self.views[task_id]
        home = home_of(delivery)
        self.counts["calls"] += 1
        self.note(task_id, f"called: generation {generation}, attempt {delivery.attempt}")
        first_due_ms = view.first_due_ms if step == (1, 1) else 0
        if now_ms < max(delivery.due_at_ms, first_due_ms, view.not_before_ms.get(step, 0)):
            self.broken(Rule.EARLY, f"step {step}", task_id)
        expires_ms = delivery.request.expires_at_ms
        if expires_ms is not None and now_ms >= expires_ms:
            self.broken(Rule.EXPIRED_SENT, f"step {step}", task_id)
        entry = view.entries.get(home)
        if generation in view.sealed or (
            entry is not None and (entry.generation, entry.terminal and not entry.moved) > (generation, False)
        ):
            self.broken(Rule.AFTER_END, f"step {step}, entry {entry}", task_id)
        elif entry is not None and entry.generation == generation and entry.attempt >= delivery.attempt:
            self.broken(Rule.ATTEMPT_BACK, f"step {step}, entry {entry}", task_id)
        if delivery.attempt > 1 and (generation, delivery.attempt - 1) not in view.calls:
            self.broken(Rule.ATTEMPT_SKIPPED, f"step {step}", task_id)
        lost = self.lost[home] + view.excused
        if view.calls.get(step) == lost:
            self.broken(Rule.SENT_TWICE, f"step {step}", task_id)
        elif step in view.calls:
            self.counts["calls again"] += 1
        view.calls[step] = lost
        if rule := self._lane(delivery).began(owner, self._now_ms()):
            self.broken(rule, _lane_key(delivery), task_id)

    def answered(
        self, owner: object, delivery: Delivery, end: Response | Failure, begun_ms: float, pause_ms: int | None
    ) -> None:
        """Note an answer that its caller has got."""
        view = self.views[delivery.task_id]
        now_ms = NOW_MS + int(self._now_ms())
        step = (delivery.generation, delivery.attempt)
        if isinstance(end, Response) and 200 <= end.status < 300:
            view.good[delivery.generation] = self.lost[home_of(delivery)] + view.excused
        else:
            view.failed.add(step)
            intervals = delivery.request.retry.intervals_ms
            if intervals is not None and delivery.attempt <= len(intervals):
                at_ms = now_ms + intervals[delivery.attempt - 1]
                following = (delivery.generation, delivery.attempt + 1)
                view.not_before_ms[following] = min(at_ms, view.not_before_ms.get(following, at_ms))
        self.note(delivery.task_id, f"answered: {end}")
        self._lane(delivery).ended(owner, begun_ms, self._now_ms(), health_of(end), pause_ms)

    def cut_off(self, owner: object, delivery: Delivery, begun_ms: float) -> None:
        """Note a call of which nobody learned how it ended."""
        self._lane(delivery).ended(owner, begun_ms, self._now_ms(), None, None)

    def _lane(self, delivery: Delivery) -> LaneWatch:
        key = _lane_key(delivery)
        watch = self.lanes.get(key)
        if watch is None:
            watch = self.lanes[key] = LaneWatch(self._book.lane(delivery.lane))
        return watch

    # The end

    def close(self) -> None:
        """Judge what is left when nothing happens any more."""
        for view in self.views.values():
            if view.open:
                self.broken(Rule.LOST, f"{view.newest_entry()}, copies {view.copies}", view.task_id)


def _origin(delivery: Delivery) -> tuple[int, int]:
    return delivery.origin.partition, delivery.origin.offset


def _lane_key(delivery: Delivery) -> str:
    return f"{delivery.lane}#{delivery.shard}"
