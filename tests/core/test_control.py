"""What a command does to a task: verb by state by generation."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from streamer.core.command import Command, Verb
from streamer.core.control import REMEMBERED_MS, Applied, Conflict, answer
from streamer.core.delivery import Delivery, Origin, Why
from streamer.core.entry import MOVED, NO_PARTITION, PRE_ENTRY, Entry
from streamer.core.lifecycle import TERMINAL, State
from tests.core.samples import NOW_MS, a_delivery

LATER_MS = NOW_MS + 60_000
WITH_DELIVERY = [verb for verb in Verb if verb is not Verb.CANCEL]


def entry(state: State = State.SCHEDULED, generation: int = 3, flags: int = 0, command: int = 0) -> Entry:
    return Entry(generation, 1, 1, state, flags, 0, 0, bytes(8), 0, 0, 7, command)


def command(
    verb: Verb, generation: int | None = 3, *, bare: bool = False, force: bool = False, **changed: object
) -> Command:
    delivery = replace(a_delivery(attempt=4), due_at_ms=LATER_MS, generation=generation or 3, **changed)
    given = None if bare or verb is Verb.CANCEL else delivery
    return Command("cmd_1", verb, "tsk_1", "receiver.example", generation, given, "ops", NOW_MS, force)


def applied(asked: Command, found: Entry | None) -> Delivery:
    """Return what a task goes on as."""
    got = answer(asked, found, NOW_MS, 9)
    assert isinstance(got, Applied)
    assert got.delivery is not None
    assert (got.generation, got.state) == (got.delivery.generation, State.PENDING)
    return got.delivery


def conflict(asked: Command, found: Entry | None) -> str:
    """Return why a command is refused."""
    got = answer(asked, found, NOW_MS, 9)
    assert isinstance(got, Conflict)
    return got.reason


def holds(verb: Verb, state: State, *, force: bool) -> bool:
    """Tell by the words of the documentation whether a verb holds for a task in a state."""
    if verb is Verb.RETRY:
        return force or state is State.RETRYING or state in TERMINAL - {State.SUCCEEDED}
    if verb is Verb.REPLAY:
        return force or state in TERMINAL - {State.SUCCEEDED}
    return state not in TERMINAL


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("generation", [2, 3])
@pytest.mark.parametrize("force", [False, True])
def test_verb_by_state_by_generation(verb: Verb, state: State, generation: int, force: bool) -> None:
    """RULES 8: a command holds for the generation it saw, in the states that allow it; force widens the states alone."""
    got = answer(command(verb, generation, force=force), entry(state), NOW_MS, 9)
    assert isinstance(got, Applied) == (generation == 3 and holds(verb, state, force=force))
    if isinstance(got, Applied):
        assert got.generation == (3 if verb is Verb.CANCEL else 4)
    elif generation == 2:
        assert got.reason == "generation is 3, not 2"
    else:
        assert state.word in got.reason or "has succeeded" in got.reason


@pytest.mark.parametrize("generation", [None, 3])
def test_cancel_ends_an_open_task_in_its_generation(generation: int | None) -> None:
    """A cancel names the generation it saw, or none."""
    assert answer(command(Verb.CANCEL, generation), entry(), NOW_MS, 9) == Applied(3, State.CANCELLED, None)


@pytest.mark.parametrize(("generation", "kept"), [(None, 1), (2, 2)])
def test_cancel_of_an_unknown_task_waits_for_it(generation: int | None, kept: int) -> None:
    """RULES 25: the command is kept as a pre-entry."""
    unknown = answer(command(Verb.CANCEL, generation), None, NOW_MS, 9)
    assert unknown == Applied(kept, State.CANCELLED, None, pre_entry=True)


def test_cancel_that_comes_too_late_or_for_another_generation_is_a_conflict() -> None:
    """A task ends once, and the answer says how."""
    assert conflict(command(Verb.CANCEL), entry(State.FAILED)) == "task has ended: failed"
    assert conflict(command(Verb.CANCEL), entry(State.SUCCEEDED)) == "task has ended: succeeded"
    assert conflict(command(Verb.CANCEL, 2), entry()) == "generation is 3, not 2"


@pytest.mark.parametrize(
    ("verb", "due_at_ms", "revision"),
    [(Verb.UPDATE, LATER_MS, 4), (Verb.RUN_NOW, NOW_MS, 2), (Verb.RETRY, NOW_MS, 2), (Verb.REPLAY, NOW_MS, 2)],
)
def test_task_goes_on_as_a_new_generation(verb: Verb, due_at_ms: int, revision: int) -> None:
    """RULES 8, 33: generation + 1, attempts from 1, seen, by this owner; only an update has a due time and revision of its own."""
    again = applied(command(verb, force=True, revision=2), entry())
    assert (again.generation, again.attempt, again.seen, again.epoch) == (4, 1, True, 9)
    assert (again.due_at_ms, again.why, again.command_id) == (due_at_ms, Why.CONTROL, "cmd_1")
    assert again.revision == revision


def test_update_into_the_past_is_due_now() -> None:
    """A due time that has passed is now."""
    assert applied(replace(command(Verb.UPDATE), delivery=a_delivery()), entry()).due_at_ms == NOW_MS
    past = replace(a_delivery(), due_at_ms=1)
    assert applied(replace(command(Verb.UPDATE), delivery=past), entry()).due_at_ms == NOW_MS


def test_what_was_cancelled_before_it_was_seen_can_be_sent_again() -> None:
    """A pre-entry is an end like another: only a retry or replay goes on from it."""
    kept = replace(entry(State.CANCELLED, 1, PRE_ENTRY), request_partition=NO_PARTITION, request_offset=0)
    assert applied(command(Verb.RETRY, 1), kept).generation == 2
    assert conflict(command(Verb.UPDATE, 1), kept) == "task has ended: cancelled"


def test_no_generation_is_used_twice_of_a_task_that_was_forgotten() -> None:
    """RULES 8: its end was forgotten, and a pre-entry begins at 1 again; what is sent goes on from its delivery's."""
    kept = replace(entry(State.CANCELLED, 1, PRE_ENTRY), request_partition=NO_PARTITION, request_offset=0)
    again = replace(command(Verb.REPLAY, 1), delivery=replace(a_delivery(), generation=2))
    assert applied(again, kept).generation == 3
    assert applied(again, None).generation == 3


@pytest.mark.parametrize("verb", WITH_DELIVERY)
def test_every_verb_but_cancel_needs_the_delivery_and_the_right_generation(verb: Verb) -> None:
    """RULES 8: the table has no bodies, and a command must say which generation it saw."""
    assert conflict(command(verb, bare=True), entry()) == f"{verb} needs the whole delivery"
    assert conflict(command(verb, None), entry(State.FAILED)) == "generation is 3, not None"


@pytest.mark.parametrize("verb", WITH_DELIVERY)
def test_delivery_of_another_request_record_is_refused(verb: Verb) -> None:
    """An id stays with the request that made the task: a command cannot put another task in its place."""
    asked = command(verb, force=True, origin=Origin("requests", 0, 8, NOW_MS))
    why = "the task came from the request record 0:7, the command's delivery from 0:8"
    assert conflict(asked, entry()) == why


# A task that nothing is known of


@pytest.mark.parametrize("verb", WITH_DELIVERY)
def test_command_that_precedes_its_task_becomes_the_task(verb: Verb) -> None:
    """RULES 25: a command is not lost because control is read before deliveries; what comes later is not current."""
    assert applied(command(verb, 1), None).generation == 2


@pytest.mark.parametrize("verb", WITH_DELIVERY)
def test_command_without_a_generation_goes_on_from_its_deliverys(verb: Verb) -> None:
    """Who names no generation means the one that the delivery carries."""
    assert applied(command(verb, None), None).generation == 4


@pytest.mark.parametrize("verb", [Verb.UPDATE, Verb.RUN_NOW])
def test_old_unknown_task_may_have_ended_and_been_forgotten(verb: Verb) -> None:
    """An update must not send again what has ended: an entry is kept for an hour, so an older task may have had one."""
    old_ms = NOW_MS - REMEMBERED_MS
    why = "not known: not seen yet, or ended and forgotten; force it to send it"
    assert conflict(command(verb, accepted_at_ms=old_ms), None) == why
    assert applied(command(verb, force=True, accepted_at_ms=old_ms), None).generation == 4
    assert applied(command(Verb.REPLAY, accepted_at_ms=old_ms), None).generation == 4


# A move


def test_update_to_another_domain_is_a_first_pass_there() -> None:
    """RULES 7: the old partition ends the task here and publishes it where it goes on, with its shard there."""
    got = answer(command(Verb.UPDATE, lane="other.example", shard=5), entry(), NOW_MS, 9, shard=2)
    assert isinstance(got, Applied)
    assert got.delivery is not None
    assert (got.moved, got.generation, got.state) == (True, 4, State.PENDING)
    assert (got.delivery.seen, got.delivery.generation, got.delivery.revision) == (False, 4, 4)
    assert (got.delivery.lane, got.delivery.shard, got.delivery.due_at_ms) == ("other.example", 2, LATER_MS)


def test_update_to_another_lane_of_the_same_partition_goes_on_in_its_table() -> None:
    """RULES 7: both lanes share one entry for the task: it goes on under it, and does not end first."""
    asked = command(Verb.UPDATE, lane="other.example", shard=5)
    got = answer(asked, entry(), NOW_MS, 9, shard=2, leaves=False)
    assert isinstance(got, Applied)
    assert got.delivery is not None
    assert (got.moved, got.generation, got.delivery.seen) == (False, 4, True)
    assert (got.delivery.lane, got.delivery.shard) == ("other.example", 2)


@pytest.mark.parametrize("verb", [verb for verb in WITH_DELIVERY if verb is not Verb.UPDATE])
def test_only_an_update_changes_the_domain(verb: Verb) -> None:
    """A task that goes on in two lanes would end twice."""
    why = f"{verb} keeps the domain receiver.example; only update may change it"
    assert conflict(command(verb, force=True, lane="other.example"), entry()) == why


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("generation", [None, 3, 4])
def test_task_that_has_moved_takes_no_command_here(verb: Verb, generation: int | None) -> None:
    """RULES 7: the task lives in its new lane alone, and the answer says so."""
    asked = command(verb, generation, force=True)
    assert conflict(asked, entry(State.CANCELLED, 4, MOVED)) == "moved to another domain"
