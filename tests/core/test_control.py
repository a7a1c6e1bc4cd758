"""What a command does to a task."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamer.core.command import Command, Verb
from streamer.core.control import Applied, Conflict, answer
from streamer.core.delivery import Delivery, Why
from streamer.core.entry import Entry
from streamer.core.lifecycle import State
from tests.core.samples import NOW_MS, a_delivery

LATER_MS = NOW_MS + 60_000


def entry(state: State = State.SCHEDULED, generation: int = 3) -> Entry:
    return Entry(generation, 1, 1, state, 0, 0, 0, bytes(8), 0, 0, 7)


def command(verb: Verb, generation: int | None = 3, *, bare: bool = False, force: bool = False) -> Command:
    delivery = None if bare else replace(a_delivery(attempt=4), due_at_ms=LATER_MS)
    return Command("cmd_1", verb, "tsk_1", "receiver.example", generation, delivery, "ops", NOW_MS, force)


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


@pytest.mark.parametrize("generation", [None, 3])
def test_cancel_ends_an_open_task_in_its_generation(generation: int | None) -> None:
    """A cancel names the generation it saw, or none."""
    asked = command(Verb.CANCEL, generation, bare=True)
    assert answer(asked, entry(), NOW_MS, 9) == Applied(3, State.CANCELLED, None)


def test_cancel_of_an_unknown_task_waits_for_it() -> None:
    """RULES 25: the command is kept as a pre-entry."""
    unknown = answer(command(Verb.CANCEL, None, bare=True), None, NOW_MS, 9)
    assert unknown == Applied(1, State.CANCELLED, None, pre_entry=True)


def test_cancel_that_comes_too_late_or_for_another_generation_is_a_conflict() -> None:
    """A task ends once."""
    assert conflict(command(Verb.CANCEL, 3, bare=True), entry(State.FAILED)) == "task has ended: failed"
    assert conflict(command(Verb.CANCEL, 2, bare=True), entry()) == "generation is 3, not 2"


@pytest.mark.parametrize(("verb", "due_at_ms"), [(Verb.UPDATE, LATER_MS), (Verb.RUN_NOW, NOW_MS)])
def test_open_task_goes_on_as_a_new_generation(verb: Verb, due_at_ms: int) -> None:
    """RULES 8: generation + 1, attempts from 1, seen, by this owner; only an update keeps a due time."""
    again = applied(command(verb), entry())
    assert (again.generation, again.attempt, again.seen, again.epoch) == (4, 1, True, 9)
    assert (again.due_at_ms, again.why, again.command_id) == (due_at_ms, Why.CONTROL, "cmd_1")


def test_update_into_the_past_is_due_now() -> None:
    """A due time that has passed is now."""
    asked = command(Verb.UPDATE)
    assert asked.delivery is not None
    past = replace(asked, delivery=replace(asked.delivery, due_at_ms=1))
    assert applied(past, entry()).due_at_ms == NOW_MS


@pytest.mark.parametrize("verb", [Verb.UPDATE, Verb.RUN_NOW])
def test_commands_for_open_tasks_refuse_ended_and_unknown_ones(verb: Verb) -> None:
    """What has ended is replayed, not updated; what nobody saw cannot be updated."""
    assert conflict(command(verb), entry(State.SUCCEEDED)) == "task has ended: succeeded"
    assert conflict(command(verb), None) == "not seen yet"


@pytest.mark.parametrize("verb", [Verb.RETRY, Verb.REPLAY])
def test_ended_task_is_sent_again_but_a_success_only_by_force(verb: Verb) -> None:
    """RULES 8, 13: a dead letter whose task succeeded, or has not ended, is not sent again unforced."""
    assert applied(command(verb), entry(State.FAILED)).generation == 4
    assert applied(command(verb), None).generation == 4
    assert conflict(command(verb), entry(State.SUCCEEDED)) == "task has succeeded; force it to send it again"
    assert conflict(command(verb), entry(State.RETRYING)) == "task has not ended: retrying"
    assert applied(command(verb, force=True), entry(State.SUCCEEDED)).generation == 4
    assert applied(command(verb, force=True), entry(State.RETRYING)).generation == 4


@pytest.mark.parametrize("verb", [verb for verb in Verb if verb is not Verb.CANCEL])
def test_every_verb_but_cancel_needs_the_delivery_and_the_right_generation(verb: Verb) -> None:
    """RULES 8: the table has no bodies, and a command read twice finds its generation gone."""
    assert conflict(command(verb, bare=True), entry()) == f"{verb} needs the whole delivery"
    assert conflict(command(verb, 2), entry(State.FAILED)) == "generation is 3, not 2"
    assert conflict(command(verb, None), entry(State.FAILED)) == "generation is 3, not None"


def test_replay_of_a_forgotten_task_without_a_generation_is_the_second() -> None:
    """Who does not know the generation of a task that nobody remembers starts after the first."""
    assert applied(command(Verb.REPLAY, None), None).generation == 2
