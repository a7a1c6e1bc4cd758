"""`streamer tasks`: cancel, update, run now, retry and show tasks that were accepted, wherever they wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Annotated

import typer

from streamer.cli.cluster import INTERRUPTED, BootstrapFlag, installation, kafka_errors
from streamer.cli.console import FAILURE, USAGE, JsonFlag, complain, fail, print_json
from streamer.cli.letter_text import as_text
from streamer.cli.replay import BY
from streamer.cli.setup import limits_of
from streamer.cli.tasks_answer import Told
from streamer.cli.tasks_flags import changes_of, ids_of, lane_flag, wait_s_of
from streamer.cli.tasks_order import Order, carry_out
from streamer.cli.tasks_show import look_up
from streamer.cli.words import cell
from streamer.core.command import Verb
from streamer.core.delivery import Delivery
from streamer.core.reading import Refused
from streamer.wire.task_update import CHANGEABLE, not_changeable, refusal_of, updated

NO_ANSWER = 3

app = typer.Typer(help="Cancel, update, run now, retry and show tasks.", no_args_is_help=True)

Text = str | None
Ids = Annotated[list[str] | None, typer.Argument(help="The tasks' ids.", metavar="ID...", show_default=False)]
FromFlag = Annotated[Path | None, typer.Option("--ids-from", help="Ids too, one a line; - is stdin.", metavar="FILE|-")]
DomainFlag = Annotated[Text, typer.Option(help="Their domain: only its partition is searched first.")]
ExpectFlag = Annotated[
    int | None, typer.Option("--expect-generation", min=1, help="Only if they are in this generation.")
]
ByFlag = Annotated[str, typer.Option("--by", help="Who asks; told in the answer.")]
WaitFlag = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the answers.")]
TimeoutFlag = Annotated[str, typer.Option("--wait-for", "--timeout", help='Wait so long for the answers: "10s".')]
ForceFlag = Annotated[bool, typer.Option("--force", help="Also what has succeeded, or may have been forgotten.")]


@app.command()
def cancel(
    ctx: typer.Context, ids: Ids = None, ids_from: FromFlag = None, domain: DomainFlag = None,
    expect: ExpectFlag = None, by: ByFlag = BY, wait: WaitFlag = True, timeout: TimeoutFlag = "10s",
    bootstrap: BootstrapFlag = None, as_json: JsonFlag = False,
) -> None:  # fmt: skip
    """End tasks: nothing is sent after the answer. A call on the wire is let finish, and a 2xx still wins."""
    order = Order(Verb.CANCEL, by, lane_flag(domain), expect, wait_s=wait_s_of(wait, timeout))
    _run(ctx, bootstrap, order, ids_of(ids, ids_from), as_json=as_json)


@app.command("run-now")
def run_now(
    ctx: typer.Context, ids: Ids = None, ids_from: FromFlag = None, domain: DomainFlag = None,
    expect: ExpectFlag = None, by: ByFlag = BY, wait: WaitFlag = True, timeout: TimeoutFlag = "10s",
    force: ForceFlag = False, bootstrap: BootstrapFlag = None, as_json: JsonFlag = False,
) -> None:  # fmt: skip
    """Send tasks that wait now, from their first attempt, as far as their domain's limits allow."""
    order = Order(Verb.RUN_NOW, by, lane_flag(domain), expect, force, wait_s=wait_s_of(wait, timeout))
    _run(ctx, bootstrap, order, ids_of(ids, ids_from), as_json=as_json)


@app.command()
def retry(
    ctx: typer.Context, ids: Ids = None, ids_from: FromFlag = None, domain: DomainFlag = None,
    expect: ExpectFlag = None, by: ByFlag = BY, wait: WaitFlag = True, timeout: TimeoutFlag = "10s",
    force: ForceFlag = False, bootstrap: BootstrapFlag = None, as_json: JsonFlag = False,
) -> None:  # fmt: skip
    """Send tasks again, from their first attempt, that have ended or wait for a retry."""
    order = Order(Verb.RETRY, by, lane_flag(domain), expect, force, wait_s=wait_s_of(wait, timeout))
    _run(ctx, bootstrap, order, ids_of(ids, ids_from), as_json=as_json)


# Options that it does not know reach it as ids, so that it can refuse them by what an update may change.
@app.command(context_settings={"ignore_unknown_options": True})
def update(
    ctx: typer.Context,
    ids: Ids = None,
    ids_from: FromFlag = None,
    url: Annotated[Text, typer.Option(help="Where to send it; another domain moves the task there.")] = None,
    header: Annotated[
        list[str] | None, typer.Option(help="Sets this header, the others stay; may be repeated.", metavar="NAME=VALUE")
    ] = None,
    body: Annotated[Text, typer.Option(help="The body, as text.")] = None,
    body_file: Annotated[Path | None, typer.Option(help="The body, as this file's bytes.")] = None,
    intervals: Annotated[
        Text, typer.Option("--retry-intervals", help='Waits between attempts: "1m,5m"; "" is one attempt.')
    ] = None,
    call_timeout: Annotated[Text, typer.Option("--timeout", help='Time for one call: "10s".')] = None,
    send_at: Annotated[Text, typer.Option(help="Send at this instant; if not given, it waits as it did.")] = None,
    expires_at: Annotated[Text, typer.Option(help="Do not send after this instant.")] = None,
    priority: Annotated[int | None, typer.Option(help="1 (first) to 10.")] = None,
    domain: DomainFlag = None,
    expect: ExpectFlag = None,
    by: ByFlag = BY,
    wait: WaitFlag = True,
    wait_for: Annotated[str, typer.Option("--wait-for", help='Wait so long for the answers: "10s".')] = "10s",
    force: ForceFlag = False,
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Change tasks that have not ended: what was to be sent before is not sent after the answer."""
    if (other := next((text for text in ids or () if text.startswith("-")), None)) is not None:
        fail(not_changeable(other.lstrip("-").partition("=")[0]).reason, code=USAGE)
    changes = changes_of(url=url, headers=header, body=body, body_file=body_file, intervals=intervals,
                         timeout=call_timeout, send_at=send_at, expires_at=expires_at, priority=priority)  # fmt: skip
    if changes is None:
        fail(f"nothing to change: an update changes {', '.join(CHANGEABLE)}", code=USAGE)
    change = _change(ctx, bootstrap, changes)
    order = Order(Verb.UPDATE, by, lane_flag(domain), expect, force, change, wait_s_of(wait, wait_for))
    _run(ctx, bootstrap, order, ids_of(ids, ids_from), as_json=as_json)


@app.command()
def show(
    ctx: typer.Context,
    task_id: Annotated[str, typer.Argument(help="The task's id.", metavar="ID")],
    domain: DomainFlag = None,
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Show where a task stands: state, generation, until when it waits and why, and its request, secrets masked."""
    place = installation(ctx, bootstrap)
    with kafka_errors(place):
        shown = asyncio.run(look_up(place, task_id, lane_flag(domain)))
    if shown is None:
        fail(f"no task {task_id} is told of on results, deliveries or control")
    if as_json:
        print_json(shown)
    else:
        typer.echo(as_text(shown), nl=False)


def _change(ctx: typer.Context, bootstrap: str | None, changes: bytes) -> Callable[[Delivery], Delivery | Refused]:
    limits = limits_of(installation(ctx, bootstrap).settings)
    if (refused := refusal_of(changes, limits, time.time_ns() // 1_000_000)) is not None:
        fail(refused.reason, code=USAGE)
    return lambda delivery: updated(delivery, changes, limits, time.time_ns() // 1_000_000)


def _run(ctx: typer.Context, bootstrap: str | None, order: Order, ids: Sequence[str], *, as_json: bool) -> None:
    """Carry an order out; ends the command with 1 when some task was not changed, else 3 when an answer is missing."""
    place = installation(ctx, bootstrap)
    codes: set[int] = set()

    async def run() -> None:
        async with aclosing(carry_out(place, order, ids)) as all_told:
            async for told in all_told:
                _tell(told, as_json=as_json)
                if told.applied is False:
                    codes.add(FAILURE)
                elif told.applied is None and order.wait_s is not None:
                    codes.add(NO_ANSWER)

    with kafka_errors(place):
        try:
            asyncio.run(run())
        except KeyboardInterrupt:
            complain("interrupted: what was asked stands on control, and is still carried out")
            raise typer.Exit(INTERRUPTED) from None
    if codes:
        raise typer.Exit(min(codes))


def _tell(told: Told, *, as_json: bool) -> None:
    if as_json:
        fields = {"id": told.task_id, "applied": told.applied, "answer": told.text, "command_id": told.command_id}
        more = {"generation": told.generation, "due_at": told.due_at}
        print_json(fields | {name: value for name, value in more.items() if value is not None})
    else:
        typer.echo(f"{cell(told.task_id)}  {cell(told.text)}")
