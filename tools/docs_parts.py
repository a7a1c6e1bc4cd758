"""The generated parts of the documents, each made from the list in the code that it describes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from streamer.adapters.http.guard_table import IPV4_DENIED, IPV6_DENIED, IPV6_GLOBAL, METADATA_NAMES
from streamer.adapters.prometheus.meter import COUNTERS, DISTRIBUTIONS, GAUGES, Metric
from streamer.cli.setup import topics_of
from streamer.core.duration import format_duration, parse_duration_ms
from streamer.core.judge import FAILURE_ROWS, STATUS_ROWS
from streamer.core.ladder import DEFAULT_TIERS, hops, next_hop
from streamer.core.lifecycle import mermaid
from streamer.core.request import Backoff, RetryPolicy
from streamer.core.retry import next_retry_at
from streamer.settings.fields import Field, fields, sections, shown
from streamer.settings.model import Settings
from streamer.wire.config_model import FIELDS_OF, Kind
from streamer.wire.config_record import ALLOWED as CONFIG_FIELDS
from streamer.wire.header_names import HEADERS
from streamer.wire.request_error import ALLOWED
from streamer.wire.schedule_record import ALLOWED as SCHEDULE_FIELDS
from streamer.wire.topics import Topics, TopicSpec
from tools.docs_headers import forbidden_rows, outgoing_rows
from tools.docs_rules import rules_table

#: Waits that show what the ladder does with them.
_WAITS = ("1s", "5s", "30s", "59s", "1m", "4m", "29m", "59m", "11h59m", "1d", "30d", "365d")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; a bar in a cell is escaped, since it would begin the next one."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _lifecycle() -> str:
    return f"```mermaid\n{mermaid()}```"


def _topics() -> str:
    specs = topics_of(Settings()).specs()
    return table(
        ("topic", "what is on it", "partitions", "kept for", "cleanup", "other settings"),
        [
            (f"`{spec.name}`", _about(spec), spec.partitions, _kept(spec), spec.cleanup_policy, _extra(spec))
            for spec in specs
        ],
    )


def _about(spec: TopicSpec) -> str:
    # The sentence in the code is the one that stands here, so that there is one place to change it.
    described = getattr(Topics, spec.role.value.replace("-", "_"), None)
    if described is not None:
        return (described.__doc__ or "").rstrip(".")
    return f"tasks that wait, for at most {spec.name.rpartition('-')[2]} here"


def _kept(spec: TopicSpec) -> str:
    return "the newest record of each key" if spec.retention_ms is None else format_duration(spec.retention_ms)


def _extra(spec: TopicSpec) -> str:
    return ", ".join(f"`{key}={value}`" for key, value in spec.extra.items())


def _kafka_headers() -> str:
    return table(
        ("header", "on", "what it tells"),
        [(f"`{header.name}`", ", ".join(f"`{t}`" for t in header.topics), header.meaning) for header in HEADERS],
    )


def _metrics() -> str:
    rows = [
        *_metric_rows(COUNTERS, "counter", "_total"),
        *_metric_rows(GAUGES, "gauge", ""),
        *_metric_rows(DISTRIBUTIONS, "histogram", ""),
    ]
    return table(("metric", "kind", "label", "what it answers"), rows)


def _metric_rows(metrics: Iterable[Metric], kind: str, suffix: str) -> Iterator[tuple[str, ...]]:
    for metric in metrics:
        yield f"`streamer_{metric.name}{suffix}`", kind, f"`{metric.label}`" if metric.label else "", metric.help


def _settings() -> str:
    order = {name: rank for rank, name in enumerate(["", *sections()])}
    by_section = groupby(sorted(fields().values(), key=lambda field: order[field.section]), lambda f: f.section)
    return "\n\n".join(_section(name, list(members)) for name, members in by_section)


def _section(name: str, members: Sequence[Field]) -> str:
    title = f"## `[{name}]`\n\n{sections()[name]}" if name else "## At the top of the file"
    rows = [(f"`{field.key}`", f"`{_default(field)}`", field.description) for field in members]
    return f"{title}\n\n{table(('setting', 'default', 'what it is'), rows)}"


def _default(field: Field) -> str:
    return json.dumps(shown(field.default), ensure_ascii=False)


def _request_fields() -> str:
    return table(("field", "must be"), [(f"`{path}`", allowed) for path, allowed in ALLOWED.items()])


def _statuses() -> str:
    return table(
        ("status", "outcome", "`error_type`", "tried again", "rule"),
        [
            (", ".join(row.codes), f"`{row.outcome}`", f"`{row.error_type}`", _yes(row.retryable), _rules(row.codes))
            for row in STATUS_ROWS
        ],
    )


def _rules(names: Iterable[str]) -> str:
    return ", ".join(f"`default.{name}`" for name in names)


def _failures() -> str:
    return table(
        ("`error_type`", "outcome", "tried again", "rule"),
        [
            (f"`{row.error_type}`", f"`{row.outcome}`", _yes(row.retryable), _rules([row.error_type]))
            for row in FAILURE_ROWS
        ],
    )


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"


def _policies() -> str:
    exact = RetryPolicy()
    grown = RetryPolicy(intervals_ms=None, backoff=Backoff(jitter=0.0))
    return table(
        ("policy", "waits before attempts 2, 3, ...", "attempts"),
        [
            ("none given: `intervals`", ", ".join(_waits(exact)), len(_waits(exact)) + 1),
            ("`backoff: {}` (jitter left out here)", ", ".join(_waits(grown)), len(_waits(grown)) + 1),
            ("`intervals: []`", "", 1),
        ],
    )


def _waits(policy: RetryPolicy) -> list[str]:
    waits, attempt = [], 1
    while (wait_ms := next_retry_at(policy, attempt, 0, 0.5)) is not None:
        waits.append(format_duration(wait_ms))
        attempt += 1
    return waits


def _hops() -> str:
    rows = []
    for wait in _WAITS:
        wait_ms = parse_duration_ms(wait)
        hop = next_hop(DEFAULT_TIERS, 0, wait_ms)
        rows.append((wait, f"`retry-{hop.tier.name}`" if hop else "", hops(DEFAULT_TIERS, wait_ms)))
    return table(("wait", "first tier", "hops"), rows)


#: Settings that bound work where no record on `config` says otherwise → what each bounds.
_LANE_DEFAULTS = (
    ("topics.partitions", "partitions of each topic, and so shards of a domain"),
    ("worker.max_in_flight", "calls at once in one process"),
    ("worker.max_rate", "calls begun by one process, over all domains"),
    ("lanes.rate", "calls to one domain"),
    ("lanes.burst", "calls of that rate that may go at once; one second's worth where it is not set"),
    ("worker.domain_concurrency", "calls at once for one domain"),
    ("lanes.queue", "work of a domain that waits in memory, by its rate; the rest waits on the tiers"),
    ("lanes.horizon", "how far ahead slots are promised"),
    ("lanes.retry_after_cap", "the longest pause that `Retry-After` gets"),
    ("lanes.breaker.failures_in_row", "failures in a row that open a domain's breaker"),
    ("lanes.breaker.connect_failures_in_row", "failures to connect in a row that open it"),
    ("lanes.breaker.share", "share of failures that opens it"),
    ("lanes.breaker.least_calls", "calls in the window below which the share says nothing"),
    ("lanes.breaker.window", "the window of the share"),
    ("lanes.breaker.open", "how long it stays open the first time, doubling each time it reopens"),
    ("lanes.breaker.open_most", "the longest that it stays open"),
    ("lanes.breaker.probes", "calls at once while it is half-open"),
    ("lanes.breaker.successes_to_close", "successes that close it"),
    ("http.idle_per_domain", "idle connections kept open per domain"),
    ("http.idle_total", "idle connections kept open over all domains"),
    ("http.keep_alive", "how long an idle connection is kept open"),
    ("http.clients_max", "domains whose connections are kept ready"),
)


def _lane_defaults() -> str:
    rows = [(what, _plain_default(fields()[key]), f"`{key}`") for key, what in _LANE_DEFAULTS]
    return table(("what", "default", "setting"), rows)


def _plain_default(field: Field) -> str:
    value = shown(field.default)
    return "none" if value == "" else f"{value:,}" if isinstance(value, int) else str(value)


def _config_fields() -> str:
    kinds = tuple(Kind)
    rows = [
        (f"`{path}`", *("yes" if path.partition(".")[0] in FIELDS_OF[kind] else "" for kind in kinds), allowed)
        for path, allowed in CONFIG_FIELDS.items()
        if path != "v"
    ]
    return table(("field", *(f"`{kind}`" for kind in kinds), "must be"), rows)


def _denied() -> str:
    rows = [(f"`{row.network}`", row.what, _yes(row.private)) for row in (*IPV4_DENIED, *IPV6_DENIED)]
    rows.append((f"outside `{IPV6_GLOBAL}`", "no global unicast address, RFC 4291", "no"))
    names = ", ".join(f"`{name}`" for name in sorted(METADATA_NAMES))
    return f"{table(('network', 'what it is', 'opened by `http.allow_private`'), rows)}\n\nNames: {names}."


def _schedule_fields() -> str:
    return table(("field", "must be"), [(f"`{name}`", allowed) for name, allowed in SCHEDULE_FIELDS.items()])


#: Name of a part → what writes it.
PARTS: Mapping[str, Callable[[], str]] = {
    "lifecycle": _lifecycle,
    "topics": _topics,
    "kafka-headers": _kafka_headers,
    "metrics": _metrics,
    "settings": _settings,
    "request-fields": _request_fields,
    "outgoing-headers": lambda: table(*outgoing_rows()),
    "forbidden-headers": lambda: table(*forbidden_rows()),
    "statuses": _statuses,
    "failures": _failures,
    "policies": _policies,
    "hops": _hops,
    "rules": rules_table,
    "lane-defaults": _lane_defaults,
    "config-fields": _config_fields,
    "denied": _denied,
    "schedule-fields": _schedule_fields,
}
