"""What benchmarks print is counted and judged as they say."""

from __future__ import annotations

import json
from itertools import islice

import pytest

from bench.__main__ import promised
from bench.goals import Better, Goal
from bench.outcomes import Outcomes
from bench.perf_tool import told
from bench.profile import shares
from bench.publish import requests, spread_over
from bench.run import Part
from bench.spread import at, spread
from bench.watch import grouped


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
    """Of two workers at once, by the parts alone in two processes at once; what was not measured is not told."""
    throughput = {"2 workers, at once": delivered(2_600), "1 worker, at once": delivered(1_000, beyond_one=2)}
    limits = {"parts": {"parts alone, 2 processes, at once": delivered(3_000)}}
    parts = {
        "throughput": Part([], throughput),
        "limits": Part([], limits),
        "open_loop": Part([], {"50/s": delivered(50, p50=7.0)}),
    }
    shown = promised(parts)
    assert [each.holds for each in shown] == [True, True, True, False, False, False]
    assert "0.867" in shown[2].text
    assert "beyond one a task, all runs: 2" in shown[5].text
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
