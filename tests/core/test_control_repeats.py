"""Commands that are read again, and what holds for any row of commands."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streamer.core.command import Command, Verb
from streamer.core.control import Applied, Conflict, answer
from streamer.core.currency import Currency, currency
from streamer.core.delivery import Delivery
from streamer.core.entry import MOVED, NO_PARTITION, PRE_ENTRY, Entry, supersedes
from streamer.core.identity import command_mark
from streamer.core.lifecycle import TERMINAL, State
from tests.core.samples import NOW_MS, a_delivery

CONTENT = bytes(8)
HERE, BESIDE, THERE = "receiver.example", "beside.example", "other.example"
#: The first two share a partition, and so the task's entry.
PARTITION = {HERE: 0, BESIDE: 0, THERE: 1}


def command(verb: Verb, generation: int | None, *, id_: str = "cmd_1", lane: str = HERE, to: str = "") -> Command:
    delivery = None if verb is Verb.CANCEL else replace(a_delivery(), lane=to or lane)
    return Command(id_, verb, "tsk_1", lane, generation, delivery, "ops", NOW_MS, force=True)


def entry_after(asked: Command, got: Applied, before: Entry | None) -> Entry:
    """Return the entry that deliver writes for an answer."""
    state = State.CANCELLED if got.delivery is None or got.moved else State.PENDING
    flags = PRE_ENTRY * got.pre_entry | MOVED * got.moved
    known = got.delivery is not None or before is not None
    return Entry(
        generation=got.generation,
        epoch=1,
        attempt=before.attempt if before and got.delivery is None else 0,
        state=state,
        flags=flags,
        updated_s=0,
        due_s=0,
        content=CONTENT,
        lane=0,
        request_partition=0 if known else NO_PARTITION,
        request_offset=7 if known else 0,
        command=command_mark(asked.command_id),
    )


@pytest.mark.parametrize("to", ["", THERE])
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("verb", Verb)
def test_command_read_again_gets_the_same_answer(verb: Verb, known: bool, to: str) -> None:
    """RULES 8, 25: a worker that dies between entry and answer leaves a command whose answer is still owed, not a conflict."""
    asked = command(verb, 1, to=to if verb is Verb.UPDATE else "")
    before = Entry(1, 1, 0, State.SCHEDULED, 0, 0, 0, CONTENT, 0, 0, 7) if known else None
    first = answer(asked, before, NOW_MS, 1, shard=2)
    assert isinstance(first, Applied)
    assert not first.repeated
    again = answer(asked, entry_after(asked, first, before), NOW_MS, 1, shard=2)
    assert again == replace(first, repeated=True)
    other = answer(replace(asked, command_id="cmd_2"), entry_after(asked, first, before), NOW_MS, 1)
    assert isinstance(other, Conflict)


def test_repeat_is_known_by_its_command_until_another_takes_the_generation() -> None:
    """A mark stands for one command in one generation."""
    asked = command(Verb.UPDATE, 1)
    later = Entry(3, 1, 0, State.PENDING, 0, 0, 0, CONTENT, 0, 0, 7, command_mark("cmd_1"))
    assert answer(asked, later, NOW_MS, 1) == Conflict("generation is 3, not 1")
    assert answer(command(Verb.CANCEL, None), later, NOW_MS, 1) == Applied(3, State.CANCELLED, None)


def test_no_command_has_no_mark() -> None:
    """An entry without a command is never taken for one of a command."""
    assert command_mark(None) == 0
    assert 0 < command_mark("cmd_1") < 1 << 32
    assert command_mark("cmd_1") != command_mark("cmd_2")


@dataclass(slots=True)
class Places:
    """A task in the lanes of two partitions, each with its entry, and every record of it that was ever published."""

    entries: list[Entry | None] = field(default_factory=lambda: [None, None])
    records: list[Delivery] = field(default_factory=list)
    newest: int = 1

    def read(self, record: Delivery) -> None:
        """Read a delivery as deliver does: the current one is begun."""
        found = self.entries[PARTITION[record.lane]]
        if currency(record, CONTENT, found) is Currency.CURRENT:
            mark = command_mark(record.command_id)
            begun = Entry(record.generation, 1, record.attempt - 1, State.SCHEDULED, 0, 0, 0, CONTENT, 0, 0, 7, mark)
            assert found is None or supersedes(begun, found)
            self.entries[PARTITION[record.lane]] = begun

    def obey(self, asked: Command) -> Applied | Conflict:
        """Carry a command out."""
        place, delivery = PARTITION[asked.lane], asked.delivery
        before = self.entries[place]
        leaves = delivery is not None and PARTITION[delivery.lane] != place
        got = answer(asked, before, NOW_MS, 1, leaves=leaves)
        if isinstance(got, Applied) and not got.repeated:
            after = entry_after(asked, got, before)
            assert before is None or supersedes(after, before)
            self.entries[place] = after
        if isinstance(got, Applied) and got.delivery is not None and (got.moved or not got.repeated):
            self.records.append(got.delivery)
            self.newest = max(self.newest, got.generation)
        return got

    @property
    def sendable(self) -> list[Delivery]:
        """Every record that would be sent if it were read now."""
        return [
            record
            for record in self.records
            if currency(record, CONTENT, self.entries[PARTITION[record.lane]]) is Currency.CURRENT
        ]


STEPS = st.lists(
    st.tuples(st.sampled_from(Verb), st.sampled_from([*PARTITION]), st.sampled_from([*PARTITION]), st.integers(0, 9)),
    max_size=8,
)


@given(STEPS, st.data())
def test_one_form_of_a_task_at_most_may_be_sent(steps: list[tuple[Verb, str, str, int]], data: st.DataObject) -> None:
    """RULES 7, 8: whatever commands come, in whatever order records are read, the newest generation alone goes on, in one lane."""
    places = Places(records=[a_delivery()])
    places.read(places.records[0])
    for number, (verb, lane, to, record) in enumerate(steps):
        entry = places.entries[PARTITION[lane]]
        if entry is None:
            continue  # nobody sends a command to a lane where the task has never been
        asked = command(verb, entry.generation, id_=f"cmd_{number}", lane=lane, to=to if verb is Verb.UPDATE else "")
        got = places.obey(asked)
        if data.draw(st.booleans(), label="read again"):
            again = places.obey(asked)
            assert isinstance(again, Applied) == isinstance(got, Applied)
        places.read(places.records[record % len(places.records)])
        for each in places.records:
            if each.generation == places.newest:
                places.read(each)
        sendable = {(each.generation, each.lane) for each in places.sendable}
        assert len(sendable) <= 1
        assert all(generation == places.newest for generation, _ in sendable)
        if isinstance(got, Applied) and got.delivery is None:
            assert sendable == set()
        assert sum(found is not None and found.state not in TERMINAL for found in places.entries) <= 1
        if isinstance(got, Applied) and got.delivery is not None:
            begun = places.entries[PARTITION[got.delivery.lane]]
            assert begun is not None
            assert (begun.generation, begun.terminal) == (places.newest, False)
