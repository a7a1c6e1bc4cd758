"""What benchmarks print is counted and judged as they say."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice

import pytest

from bench.__main__ import promised
from bench.even import evenly
from bench.goals import Better, Goal
from bench.limits import LITTLE, PARTS, WORKERS
from bench.outcomes import Outcomes
from bench.perf_tool import told
from bench.profile import shares
from bench.publish import requests, spread_over
from bench.run import Part
from bench.spread import at, spread
from bench.turns import summed
from bench.watch import grouped
from streamer.core.partitioning import partition_of


def result(task: str, outcome: str, *, final: bool, **more: object) -> bytes:
    record = {
        "v": 1,
        "event_id": f"e-{task}-{outcome}",
        "task_id": task,
        "outcome": outcome,
        "at": "now",
        "final": final,
    }
    return json.dumps(record | more).encode()


def test_a_deferral_is_no_end() -> None:
    """It is told as put off; the end comes later, and one that is told twice is one."""
    outcomes = Outcomes()
    outcomes.take(result("a", "deferred", final=False))
    assert outcomes.told() == {"results": {"deferred": 1}, "ended": 0, "put_off": 1}
    for task in ("a", "b", "b"):
        outcomes.take(result(task, "success", final=True, duration_ms=1.5))
    assert outcomes.told() == {"results": {"deferred": 1, "success": 3}, "ended": 2, "put_off": 1}
    assert outcomes.durations_ms == [1.5, 1.5, 1.5]


def test_the_spread_of_values() -> None:
    """Of 1 to 100, whatever their order: the share of a p is below it."""
    values = [float(number) for number in range(100, 0, -1)]
    assert spread(values) == {"mean": 50.5, "p50": 51.0, "p90": 91.0, "p99": 100.0, "max": 100.0}
    assert spread([]) == {}
    assert at([1.0, 2.0], 0.5) == 2.0


def test_processes_that_do_the_same_are_summed() -> None:
    """Two workers are a worker's CPU; a name without a number stands for itself."""
    assert grouped({"worker-0": 1.0, "worker-1": 2.0, "broker": 4.0}) == {"worker": 3.0, "broker": 4.0}


def test_tasks_are_even_over_the_domains() -> None:
    """Each domain has its turn before any has another, in an order that the seed decides."""
    urls = [f"http://d{number}" for number in range(7)]
    for first in (0, 7, 14):
        assert sorted(list(islice(spread_over(urls, 3), 21))[first : first + 7]) == urls
    assert list(islice(spread_over(urls, 3), 21)) == list(islice(spread_over(urls, 3), 21))
    assert list(islice(spread_over(urls, 3), 21)) != list(islice(spread_over(urls, 4), 21))
    made = [json.loads(record) for record in requests(urls, 9, 1_000)]
    assert {len(record["body"]) for record in made} == {1_000}
    assert {record["url"] for record in made} == {f"{url}/hook" for url in urls}


@pytest.mark.parametrize(
    ("better", "value", "holds", "met"),
    [
        (Better.LOWER, 3.0, True, True),
        (Better.LOWER, 6.0, True, False),
        (Better.LOWER, 6.1, False, False),
        (Better.HIGHER, 6.0, True, False),
        (Better.HIGHER, 5.9, False, False),
        (Better.HIGHER, 9.0, True, True),
    ],
)
def test_a_figure_is_judged_by_its_must(better: Better, value: float, holds: bool, met: bool) -> None:
    """Falling short of the aim is no fault, and is told."""
    goal = Goal("x", "ms", better, 6.0, 4.0 if better is Better.LOWER else 8.0)
    shown = goal.judge(value)
    assert shown.holds is holds
    assert ("(met)" in shown.text) is met


def delivered(per_s: float, *, beyond_one: int = 0, p50: float = 1.0) -> dict[str, object]:
    return {"per_s": per_s, "all_in_ms": 0.3, "beyond_one": beyond_one, "latency_ms": {"p50": p50, "p99": 2 * p50}}


def test_what_is_promised_is_judged_where_it_was_measured() -> None:
    """Workers are compared with the parts alone by their turns, not by another run; what was not measured is not told."""
    throughput = {"2 workers, at once": delivered(2_600), "1 worker, at once": delivered(1_000, beyond_one=2)}
    rates = {WORKERS: 1_800, PARTS: 3_000, LITTLE: 6_000}
    limits = {"parts": {}, "compared": {name: delivered(rate) for name, rate in rates.items()}}
    parts = {
        "throughput": Part([], throughput),
        "limits": Part([], limits),
        "open_loop": Part([], {"50/s": delivered(50, p50=7.0)}),
    }
    shown = promised(parts)
    assert [each.holds for each in shown] == [True, True, True, False, False, False, False]
    assert ["0.6;" in shown[2].text, "0.3;" in shown[3].text] == [True, True]
    assert "beyond one a task, all runs: 2" in shown[6].text
    assert promised({}) == []


def test_growth_and_calls_in_flight_are_judged_too() -> None:
    """Memory in MB, CPU in percent of a core; the largest table counts."""
    held = {"worker-0": {"now": 100.0, "peak": 190.0}, "broker": {"now": 900.0, "peak": 900.0}}
    in_flight = {"memory_mib": held, "cores": {"worker": 0.4}, "gap_ms": {"mean": 19.0, "p99": 101.0}, "beyond_one": 0}
    parts = {
        "seeds": Part([], in_flight),
        "domains": Part([], {"10 domains": delivered(2_000), "10000 domains": delivered(1_700)}),
        "table": Part([], {"sizes": [{"recovery_s": 31.0}, {"recovery_s": 29.0}]}),
    }
    shown = promised(parts)
    assert [each.holds for each in shown] == [True, True, True, False, True, True, True]
    assert "199 MB" in shown[0].text
    assert "40 %" in shown[1].text


@pytest.mark.parametrize("domains", [1, 7, 20, 24, 100])
def test_domains_are_spread_evenly_over_partitions_and_over_those_who_share_them(domains: int) -> None:
    """No partition has two more than another; nor has either half of them, nor the even ones or the odd ones, by far."""
    chosen = evenly("127.0.0.{}:8080".format, domains, 12)
    assert len(set(chosen)) == domains
    found = Counter(partition_of(f"127.0.0.{number}:8080", 12) for number in chosen)
    shares = [found[partition] for partition in range(12)]
    assert max(shares) - min(shares) <= 1
    assert abs(sum(shares[:6]) - sum(shares[6:])) <= 1
    assert abs(sum(shares[::2]) - sum(shares[1::2])) <= 1


def test_turns_are_summed() -> None:
    """The rate is that of all tasks over all time, not the mean of rates; CPU is the mean of turns that are equally long."""
    turn = {"memory_mib": {}, "others_cores": 0.0, "calls": 100, "tasks": 100}
    fast = turn | {"took_s": 1.0, "all_in_ms": 0.2, "cpu_ms": {"worker": 0.1}, "put_off": 0}
    slow = turn | {"took_s": 3.0, "all_in_ms": 0.4, "cpu_ms": {"worker": 0.3}, "put_off": 2, "calls": 101}
    found = summed([fast, slow])
    assert (found["per_s"], found["all_in_ms"], found["cpu_ms"]) == (50.0, 0.3, {"worker": 0.2})
    assert (found["tasks"], found["beyond_one"], found["put_off"]) == (200, 1, 2)


def test_the_last_line_of_the_perf_test_is_the_sum() -> None:
    """Lines of intervals come before it."""
    out = (
        "12000 records sent, 2400.0 records/sec (0.94 MB/sec), 3.0 ms avg latency.\n"
        "50000 records sent, 20559.2 records/sec (7.84 MB/sec), 12.50 ms avg latency, 300.00 ms max latency.\n"
    )
    assert told(out) == {"records": 50_000, "per_s": 20_559, "mb_per_s": 7.84}
    with pytest.raises(ValueError, match="no rate"):
        told("nothing")


def test_functions_by_their_share_of_samples() -> None:
    """A function's own share is where it is on top; one that calls itself is counted once, whatever the line."""
    stacks = [
        "run (a/loop.py:10);work (flow/deliver.py:5) 3",
        "run (a/loop.py:11);work (flow/deliver.py:7);work (flow/deliver.py:5) 1",
        "run (a/loop.py:10);<lambda> (wire/x.py:1) 4",
        'process 12:"python -m streamer" 9',
    ]
    found = {share.function: (share.own, share.total) for share in shares(stacks)}
    assert found == {
        "run (a/loop.py)": (0.0, 100.0),
        "work (flow/deliver.py)": (50.0, 50.0),
        "<lambda> (wire/x.py)": (50.0, 50.0),
    }
