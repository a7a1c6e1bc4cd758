"""The meter: a closed list of metrics that the product's calls and the list agree on."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from streamer.adapters.prometheus.meter import COUNTERS, GAUGES, PrometheusMeter
from tests.architecture.source import modules

METRICS = {metric.name: metric for metric in (*COUNTERS, *GAUGES)}


def calls(method: str) -> Iterator[tuple[str, ast.Call]]:
    """Yield every call of a meter's method in the product, with where it stands."""
    for module in modules("streamer"):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method:
                owner = ast.unparse(node.func.value).split(".")[-1].lstrip("_")
                yield from [(f"{module.path}:{node.lineno}", node)] if owner == "meter" else []


def labelled(call: ast.Call) -> bool:
    """Tell whether a call gives a label."""
    return len(call.args) > 2 or any(keyword.arg == "label" for keyword in call.keywords)


def test_names_are_unique() -> None:
    """No name stands twice, nor as counter and gauge both."""
    assert len(METRICS) == len(COUNTERS) + len(GAUGES)


@pytest.mark.parametrize(("method", "listed"), [("count", COUNTERS), ("gauge", GAUGES)])
def test_the_list_and_the_calls_agree(method: str, listed: tuple[object, ...]) -> None:
    """Every name that is counted is listed with its label, and every name that is listed is counted somewhere."""
    used = set()
    for place, call in calls(method):
        name = ast.literal_eval(call.args[0])
        assert name in METRICS, f"{place}: {name} is not in the list"
        assert METRICS[name] in listed, f"{place}: {name} is of the other kind"
        assert labelled(call) == (METRICS[name].label is not None), f"{place}: label"
        used.add(METRICS[name])
    assert used == set(listed)


def test_an_unknown_name_is_an_error_at_once() -> None:
    """A typing error does not make a metric that nobody looks at."""
    meter = PrometheusMeter()
    with pytest.raises(KeyError, match="request_read"):
        meter.count("request_read")
    with pytest.raises(KeyError, match="task_overdue"):
        meter.gauge("task_overdue", 1)


def test_counts_add_up_by_label() -> None:
    """Amounts add up, label by label; a gauge is set."""
    meter = PrometheusMeter()
    meter.count("attempts", label="success")
    meter.count("attempts", 4, label="success")
    meter.count("attempts", 2, label="timeout")
    meter.count("requests_read", 3)
    meter.gauge("entries", 7, "all")
    meter.gauge("entries", 5, "all")
    read = meter.registry.get_sample_value
    assert read("streamer_attempts_total", {"outcome": "success"}) == 5
    assert read("streamer_attempts_total", {"outcome": "timeout"}) == 2
    assert read("streamer_requests_read_total") == 3
    assert read("streamer_entries", {"state": "all"}) == 5


def test_two_meters_do_not_share() -> None:
    """Each worker of a process, and each test, counts for itself."""
    one, other = PrometheusMeter(), PrometheusMeter()
    one.count("faults")
    assert other.registry.get_sample_value("streamer_faults_total") == 0
