"""Counts on Prometheus; the table here is the list of all counters, and the docs' table is made from it."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its name after ``streamer_``, its label if it has one, and the question it answers."""

    name: str
    label: str | None
    help: str


COUNTERS = (
    Metric("requests_read", None, "Request records that intake has read."),
    Metric("requests_undecodable", None, "Offsets of requests passed over because their batch cannot be decoded."),
    Metric("attempts", "outcome", "HTTP attempts by what they came to."),
    Metric("deferrals", "why", "Deferrals that a limit asked for, by why the task waits."),
    Metric("backlog_full", None, "New tasks that found their domain's cap on open tasks reached."),
    Metric("claims", "verdict", "Claims of ids by verdict."),
    Metric("records_not_current", "verdict", "Deliveries that were not the current one of their task, and so dropped."),
    Metric("records_unreadable", None, "Records on our own topics that could not be read, now dead letters."),
    Metric("records_released", "tier", "Records that hold released, by the tier they left."),
    Metric("reads_withheld", None, "Fetches put off because CPU is short and enough is in hand."),
    Metric("records_parked", None, "Records set aside because the process died twice with them in hand alone. Alarm."),
    Metric(
        "records_stuck", None, "Records that could not be settled at all and hold up their partition's commit. Alarm."
    ),
    Metric("faults", None, "Unexpected errors of ours; each has deferred its record."),
    Metric("offset_holes", "topic", "Holes between two batches, read again."),
    Metric("offsets_gone", "topic", "Offsets that the log lost before they were read. Alarm."),
    Metric("config_records_refused", "kind", "Records on config that could not be read; what held before still holds."),
    Metric("leases_lost", None, "Times that no good heartbeat came in time and all work was given up."),
    Metric(
        "shared_limit_fallbacks", None, "Reservations of shared limits made in memory because Redis was away. Alarm."
    ),
    Metric("extension_errors", "extension", "Times that an extension raised, or returned what is none of its answers."),
    Metric("extension_events_dropped", "extension", "Events that a listener was too slow for, and so never got."),
    Metric("entries_forgotten", None, "Entries of ended tasks that left the table."),
    Metric("entries_restated", None, "Entries written again because an earlier owner's write had landed after them."),
    Metric("schedules_fired", None, "Requests made by recurring schedules."),
    Metric(
        "schedules_misfired", "rule", "Times that instants of a schedule were missed, by the rule that was followed."
    ),
    Metric("instants_overlapped", None, "Instants of schedules passed over because the task before had not ended."),
)

GAUGES = (
    Metric(
        "tasks_overdue", None, "Open tasks whose due time is more than ten minutes past (lost, or behind a backlog)."
    ),
    Metric(
        "clock_skew_seconds",
        None,
        "How far this machine's clock is ahead of the broker's at the least; negative when it is behind. Alarm beyond 2.",
    ),
    Metric("entries", "state", "Entries in the tables of the partitions owned here."),
)


DISTRIBUTIONS = (
    Metric("due_lateness_seconds", None, "How long after its due time a call began, of calls that no limit held back."),
    Metric(
        "loop_stall_seconds",
        None,
        "How much later than asked the event loop woke, measured four times a second. Alarm beyond 5: heartbeats suffer.",
    ),
    Metric("firing_lateness_seconds", None, "How long after its instant a recurring schedule's request was written."),
)

#: Upper bounds of the buckets, in seconds.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 60)


class PrometheusMeter:
    """Implements the meter; an unknown name is an error at once, so that the table stays whole."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._counters = {
            metric.name: Counter(
                f"streamer_{metric.name}", metric.help, [metric.label] if metric.label else [], registry=self.registry
            )
            for metric in COUNTERS
        }
        self._gauges = {
            metric.name: Gauge(
                f"streamer_{metric.name}", metric.help, [metric.label] if metric.label else [], registry=self.registry
            )
            for metric in GAUGES
        }
        self._distributions = {
            metric.name: Histogram(
                f"streamer_{metric.name}",
                metric.help,
                [metric.label] if metric.label else [],
                registry=self.registry,
                buckets=_BUCKETS,
            )
            for metric in DISTRIBUTIONS
        }
        self._labelled: dict[tuple[str, str], Counter] = {}

    def count(self, name: str, amount: int = 1, label: str = "") -> None:
        """Add to a counter."""
        counter = self._labelled.get((name, label))
        if counter is None:
            counter = self._counters[name]
            if label:
                counter = counter.labels(label)
            self._labelled[name, label] = counter
        counter.inc(amount)

    def observe(self, name: str, value: float, label: str = "") -> None:
        """Add a value to a distribution."""
        distribution = self._distributions[name]
        (distribution.labels(label) if label else distribution).observe(value)

    def gauge(self, name: str, value: float, label: str = "") -> None:
        """Set a gauge."""
        gauge = self._gauges[name]
        (gauge.labels(label) if label else gauge).set(value)
