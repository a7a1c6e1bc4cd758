"""What measures one stage by itself uses values as the stages make them."""

from __future__ import annotations

import os

from bench.samples import changes, deliveries, entry_of, results
from bench.watch import Watch
from streamer.core.entry import pack, unpack
from streamer.core.ladder import DEFAULT_TIERS
from streamer.core.lifecycle import State
from streamer.wire.outgoing import Encoder
from streamer.wire.result_record import decode_result
from streamer.wire.topics import Topics


def test_sample_results_are_those_of_tasks_that_succeeded() -> None:
    """Each is of a task of its own, and final."""
    encode = Encoder(Topics("t.", 12, DEFAULT_TIERS))
    told = [decode_result(encode(result).value) for result in results(3)]
    assert len({each["task_id"] for each in told}) == 3
    assert {(each["outcome"], each["state"], each["final"], each["status"]) for each in told} == {
        ("success", "succeeded", True, 200)
    }


def test_sample_tasks_are_over_all_domains() -> None:
    """As many lanes as domains, 300 bytes each."""
    made = deliveries(40)
    assert len({delivery.lane for delivery in made}) == 20
    assert {len(delivery.request.body) for delivery in made} == {300}


def test_sample_entries_are_what_the_changelog_keeps() -> None:
    """Those of waiting tasks are open and due in a day; those that deliver logs have ended."""
    key, entry = entry_of(7, 3, State.RETRYING)
    assert len(key) == 16
    assert unpack(pack(entry)) == entry
    assert not entry.terminal
    assert entry.due_s - entry.updated_s == 86_400
    logged = changes(50, 12)
    assert {partition for partition, _, _ in logged} <= set(range(12))
    assert len({key for _, key, _ in logged}) == 50
    assert all(getattr(value, "terminal", False) for _, _, value in logged)


def test_a_watch_accounts_for_processes_by_name() -> None:
    """CPU per task and memory of each, the product's apart from what measures it."""
    watch = Watch({"worker-0": os.getpid(), "publisher": os.getpid()})
    until = os.times().user + 0.05
    while os.times().user < until:
        pass
    used = watch.used(10)
    assert used["cpu_ms"]["worker"] >= 4
    assert used["all_in_ms"] == used["cpu_ms"]["worker"] == used["cpu_ms_by_process"]["worker-0"]
    assert 0 < used["memory_mib"]["worker-0"]["now"] <= used["memory_mib"]["worker-0"]["peak"]
