"""`streamer domains`: what holds for each domain and why, its limits, and its pause."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from streamer.cli.cluster import BootstrapFlag, Installation, installation, kafka_errors
from streamer.cli.config_topic import Config, read_config
from streamer.cli.console import USAGE, JsonFlag, fail, print_json, print_table
from streamer.cli.domain_pause import paused, resumed
from streamer.cli.lane_figures import COLUMNS, Figures, cells_of, read_figures
from streamer.cli.policy_edit import EVERY_DOMAIN, about, edit
from streamer.cli.policy_flags import (
    AttemptsFlag,
    BurstFlag,
    ConcurrencyFlag,
    FatalCodesFlag,
    FileFlag,
    HeaderFlag,
    IntervalsFlag,
    PriorityFlag,
    RateFlag,
    RetryCodesFlag,
    SignFlag,
    SuccessCodesFlag,
    TimeoutFlag,
    UnsetFlag,
    changed_fields,
    fields_of_file,
)
from streamer.cli.policy_print import in_words, line_text, row_of, warn_of_problems
from streamer.core.policy_view import explain
from streamer.wire.config_model import Kind

app = typer.Typer(help="List, limit and pause domains.", no_args_is_help=True)

DomainArgument = Annotated[
    str,
    typer.Argument(help='A domain: host, host:port, "*.example.com" for all below, "*" for all.', metavar="DOMAIN"),
]


@app.command("ls")
def list_(
    ctx: typer.Context,
    all_: Annotated[
        bool, typer.Option("--all", help="Also domains of which nothing is said, while they work.")
    ] = False,
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """List what is said of domains, beside their live figures."""
    config, figures = _read(installation(ctx, bootstrap))
    rows = _rows(config, figures, all_=all_)
    if as_json:
        for row in rows:
            print_json(row)
    else:
        print_table(
            ("domain", "what is said", *COLUMNS),
            [(row["name"], in_words(row["record"]) if row["record"] else "-", *cells_of(row["lanes"])) for row in rows],
        )
    warn_of_problems(config)


@app.command()
def show(
    ctx: typer.Context,
    domain: DomainArgument,
    business: Annotated[str | None, typer.Option(help="For a task of this business.")] = None,
    policy: Annotated[str | None, typer.Option(help="For a task that asks for this policy.")] = None,
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Show everything that holds for a domain, and who says it; a task's own fields come before."""
    target = about(Kind.DOMAIN, domain)
    config, figures = _read(installation(ctx, bootstrap))
    for kind, name in ((Kind.BUSINESS, business), (Kind.POLICY, policy)):
        if name is not None and name not in config.of_kind(kind):
            fail(f"--{kind.value}: nothing is said of {kind.value} {name!r}", code=USAGE)
    lines = explain(config.book(), target.name, business, policy)
    texts = [(line, line_text(line, config.place.masking)) for line in lines]
    live = list(figures.get(target.name, ()))
    warn_of_problems(config)
    if as_json:
        values = [{"field": line.field, "value": text, "origin": line.origin} for line, text in texts]
        print_json({"domain": target.name or EVERY_DOMAIN, "values": values, "lanes": live})
        return
    print_table(("field", "value", "from"), [(line.field, text, line.origin) for line, text in texts])
    if live:
        print_table(COLUMNS, [cells_of(live)])


@app.command()
def limit(
    ctx: typer.Context,
    domain: DomainArgument,
    rate: RateFlag = None,
    burst: BurstFlag = None,
    concurrency: ConcurrencyFlag = None,
    shards: Annotated[int | None, typer.Option(help="Lanes of the domain, each with its share of the limits.")] = None,
    backlog: Annotated[int | None, typer.Option(help="The most open tasks of the domain.")] = None,
    backlog_full: Annotated[
        Literal["wait", "refuse"] | None, typer.Option(help="What a task beyond the backlog gets.")
    ] = None,
    breaker_failures: Annotated[int | None, typer.Option(help="Failures in a row that open the breaker.")] = None,
    breaker_connect_failures: Annotated[int | None, typer.Option(help="Failures to connect that open it.")] = None,
    breaker_share: Annotated[float | None, typer.Option(help="Share of failures that opens it: 0.5.")] = None,
    breaker_open: Annotated[str | None, typer.Option(help='How long it stays open: "10s".')] = None,
    breaker_open_most: Annotated[str | None, typer.Option(help='The longest that it stays open: "5m".')] = None,
    timeout: TimeoutFlag = None,
    priority: PriorityFlag = None,
    intervals: IntervalsFlag = None,
    max_attempts: AttemptsFlag = None,
    retry_codes: RetryCodesFlag = None,
    fatal_codes: FatalCodesFlag = None,
    success_codes: SuccessCodesFlag = None,
    header: HeaderFlag = None,
    sign: SignFlag = None,
    unset: UnsetFlag = None,
    file: FileFlag = None,
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Set limits and values of a domain; what is not given stays as it is. In force within a second."""
    whole = None if file is None else fields_of_file(file)

    def change(_config: Config, before: Mapping[str, Any], _notes: list[str]) -> dict[str, Any]:
        return changed_fields(
            before if whole is None else whole, unset, rate=rate, burst=burst, concurrency=concurrency,
            shards=shards, backlog=backlog, backlog_full=backlog_full, breaker_failures=breaker_failures,
            breaker_connect_failures=breaker_connect_failures, breaker_share=breaker_share,
            breaker_open=breaker_open, breaker_open_most=breaker_open_most, timeout=timeout, priority=priority,
            intervals=intervals, max_attempts=max_attempts, retry_codes=retry_codes, fatal_codes=fatal_codes,
            success_codes=success_codes, header=header, sign=sign,
        )  # fmt: skip

    edit(ctx, bootstrap, about(Kind.DOMAIN, domain), change, as_json=as_json)


@app.command()
def pause(
    ctx: typer.Context,
    domain: DomainArgument,
    until: Annotated[str | None, typer.Option(help='Until this instant: "2026-01-31T09:30:00Z".')] = None,
    for_: Annotated[str | None, typer.Option("--for", help='For so long: "10m".')] = None,
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Send nothing to a domain until it is resumed; its tasks wait, and lose no attempt."""
    target = about(Kind.DOMAIN, domain)
    edit(ctx, bootstrap, target, paused(target, until, for_, time.time_ns() // 1_000_000), as_json=as_json)


@app.command()
def resume(
    ctx: typer.Context, domain: DomainArgument, bootstrap: BootstrapFlag = None, as_json: JsonFlag = False
) -> None:
    """End a domain's pause, also one that is said more generally."""
    target = about(Kind.DOMAIN, domain)
    edit(ctx, bootstrap, target, resumed(target, time.time_ns() // 1_000_000), as_json=as_json)


@app.command()
def reset(
    ctx: typer.Context, domain: DomainArgument, bootstrap: BootstrapFlag = None, as_json: JsonFlag = False
) -> None:
    """Forget all that is said of a domain; wildcards and defaults hold again."""
    edit(ctx, bootstrap, about(Kind.DOMAIN, domain), lambda _config, _before, _notes: None, as_json=as_json)


def _read(place: Installation) -> tuple[Config, Figures]:
    async def both() -> tuple[Config, Figures]:
        return await read_config(place), await read_figures(place)

    with kafka_errors(place):
        return asyncio.run(both())


def _rows(config: Config, figures: Figures, *, all_: bool) -> list[dict[str, Any]]:
    every, masking = config.of_kind(Kind.DEFAULT).get(""), config.place.masking
    rows = [] if every is None else [{**row_of(EVERY_DOMAIN, every, masking), "lanes": []}]
    domains = config.of_kind(Kind.DOMAIN)
    rows += [{**row_of(name, each, masking), "lanes": list(figures.get(name, ()))} for name, each in domains.items()]
    if all_:
        rows += [
            {"name": name, "record": {}, "written_at": None, "problem": None, "lanes": list(figures[name])}
            for name in sorted(figures.keys() - domains.keys())
        ]
    return rows
