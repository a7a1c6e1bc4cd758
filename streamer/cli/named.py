"""`streamer businesses`, `policies` and `rate-keys`: what is said of each by name, listed, set and forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from streamer.cli.cluster import BootstrapFlag
from streamer.cli.config_topic import Config
from streamer.cli.console import JsonFlag
from streamer.cli.policy_edit import about, edit
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
from streamer.cli.policy_print import list_records, show_record
from streamer.wire.config_model import Kind

NameArgument = Annotated[str, typer.Argument(help="The name.", metavar="NAME")]
WeightFlag = Annotated[int | None, typer.Option(help="Turns beside other businesses in a lane; 1 if not said.")]

businesses = typer.Typer(help="List and limit businesses.", no_args_is_help=True)
policies = typer.Typer(help="List and set the policies that tasks ask for by name.", no_args_is_help=True)
rate_keys = typer.Typer(help="List and limit rate keys.", no_args_is_help=True)


@businesses.command("limit")
def limit_business(
    ctx: typer.Context,
    name: NameArgument,
    rate: RateFlag = None,
    burst: BurstFlag = None,
    concurrency: ConcurrencyFlag = None,
    weight: WeightFlag = None,
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
    """Set a business's limits over all domains, and values of its tasks; what is not given stays as it is."""
    _edit(
        ctx, bootstrap, Kind.BUSINESS, name, file, unset, as_json=as_json, rate=rate, burst=burst,
        concurrency=concurrency, weight=weight, timeout=timeout, priority=priority, intervals=intervals,
        max_attempts=max_attempts, retry_codes=retry_codes, fatal_codes=fatal_codes, success_codes=success_codes,
        header=header, sign=sign,
    )  # fmt: skip


@policies.command("set")
def set_policy(
    ctx: typer.Context,
    name: NameArgument,
    rate: RateFlag = None,
    burst: BurstFlag = None,
    concurrency: ConcurrencyFlag = None,
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
    """Set a named policy's limits over all domains, and values of its tasks; what is not given stays as it is."""
    _edit(
        ctx, bootstrap, Kind.POLICY, name, file, unset, as_json=as_json, rate=rate, burst=burst,
        concurrency=concurrency, timeout=timeout, priority=priority, intervals=intervals, max_attempts=max_attempts,
        retry_codes=retry_codes, fatal_codes=fatal_codes, success_codes=success_codes, header=header,
        sign=sign,
    )  # fmt: skip


@rate_keys.command("limit")
def limit_rate_key(
    ctx: typer.Context,
    name: NameArgument,
    rate: RateFlag = None,
    burst: BurstFlag = None,
    unset: UnsetFlag = None,
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Set the rate of all tasks with this rate key, over all domains."""
    _edit(ctx, bootstrap, Kind.RATE_KEY, name, None, unset, as_json=as_json, rate=rate, burst=burst)


def _add_the_rest(app: typer.Typer, kind: Kind) -> None:
    """Add what is the same for each kind."""
    noun = kind.value.replace("_", " ")

    def list_(ctx: typer.Context, bootstrap: BootstrapFlag = None, as_json: JsonFlag = False) -> None:
        list_records(ctx, bootstrap, kind, as_json=as_json)

    def show(
        ctx: typer.Context, name: NameArgument, bootstrap: BootstrapFlag = None, as_json: JsonFlag = False
    ) -> None:
        show_record(ctx, bootstrap, kind, about(kind, name).name, as_json=as_json)

    def reset(
        ctx: typer.Context, name: NameArgument, bootstrap: BootstrapFlag = None, as_json: JsonFlag = False
    ) -> None:
        edit(ctx, bootstrap, about(kind, name), lambda _config, _before, _notes: None, as_json=as_json)

    app.command("ls", help=f"List what is said, a {noun} a line.")(list_)
    app.command("show", help=f"Show what is said of a {noun}.")(show)
    app.command("reset", help=f"Forget all that is said of a {noun}.")(reset)


def _edit(
    ctx: typer.Context,
    bootstrap: str | None,
    kind: Kind,
    name: str,
    file: Path | None,
    unset: list[str] | None,
    *,
    as_json: bool,
    **flags: Any,
) -> None:
    whole = None if file is None else fields_of_file(file)

    def change(_config: Config, before: Mapping[str, Any], _notes: list[str]) -> dict[str, Any]:
        return changed_fields(before if whole is None else whole, unset, **flags)

    edit(ctx, bootstrap, about(kind, name), change, as_json=as_json)


for _app, _kind in ((businesses, Kind.BUSINESS), (policies, Kind.POLICY), (rate_keys, Kind.RATE_KEY)):
    _add_the_rest(_app, _kind)
