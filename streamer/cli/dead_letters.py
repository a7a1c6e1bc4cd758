"""`streamer dead-letters`: list, show and replay the tasks that were given up, and the records that were unreadable."""

from __future__ import annotations

import asyncio
import heapq
import sys
import time
from collections import Counter
from contextlib import aclosing
from typing import Annotated, Any

import typer

from streamer.cli.cluster import INTERRUPTED, BootstrapFlag, Installation, installation, kafka_errors
from streamer.cli.console import FAILURE, USAGE, JsonFlag, complain, err, fail, print_json, print_table
from streamer.cli.letter_text import COLUMNS, as_text, line_of, row_of, whole
from streamer.cli.letters import History, Letter, Wanted, learn, read_letters, span_of
from streamer.cli.replay import FAILED, Plan, Told, carry_out, make_plan
from streamer.cli.show_letter import find
from streamer.cli.words import lane_of, rate_per_s, since_ms

app = typer.Typer(help="List, show and replay dead letters.", no_args_is_help=True)

DomainFlag = Annotated[str | None, typer.Option(help="Of this domain: host, or host:port.")]
ReasonFlag = Annotated[str | None, typer.Option(help='Given up for this reason: "exhausted", "gone", ...')]
SinceFlag = Annotated[str | None, typer.Option(help='Not older than "10m", or than an instant.', metavar="AGE|INSTANT")]


@app.command("ls")
def list_(
    ctx: typer.Context,
    domain: DomainFlag = None,
    reason: ReasonFlag = None,
    since: SinceFlag = None,
    limit: Annotated[int, typer.Option(min=0, help="The newest so many; 0: all.")] = 100,
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """List dead letters in the order of time, with what became of their tasks since."""
    wanted = _wanted(domain, reason, since, None)
    place = installation(ctx, bootstrap)
    with kafka_errors(place):
        rows = asyncio.run(_newest(place, wanted, limit))
    if as_json:
        for row in rows:
            print_json(row)
    else:
        print_table(COLUMNS, [row_of(row) for row in rows])


@app.command()
def show(
    ctx: typer.Context,
    which: Annotated[str, typer.Argument(help="A task's id, or PARTITION:OFFSET.", metavar="ID|PARTITION:OFFSET")],
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Show dead letters whole: the request, the reason, the last result; header values that are secret are masked."""
    place = installation(ctx, bootstrap)
    with kafka_errors(place):
        found = asyncio.run(find(place, which))
    if not found:
        fail(f"no dead letter {which}: list them with `streamer dead-letters ls`")
    masking = place.masking
    for letter, note in found:
        shown = whole(letter, note, masking)
        if as_json:
            print_json(shown)
        else:
            typer.echo(as_text(shown))


@app.command()
def replay(
    ctx: typer.Context,
    domain: DomainFlag = None,
    reason: ReasonFlag = None,
    since: SinceFlag = None,
    ids: Annotated[list[str] | None, typer.Option("--id", help="Of this task; may be repeated.")] = None,
    rate: Annotated[str, typer.Option(help='Commands a second: "10/s", "100/m".')] = "10/s",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be replayed.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also what was replayed or has succeeded: it may be sent twice.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Send dead letters again, each once: run it again after an interruption, and it goes on where it stopped."""
    wanted = _wanted(domain, reason, since, ids)
    try:
        per_s = rate_per_s(rate)
    except ValueError as error:
        fail(f"--rate: {error}", code=USAGE)
    place = installation(ctx, bootstrap)
    tally: Counter[str] = Counter()
    with kafka_errors(place):
        plan = asyncio.run(make_plan(place, wanted, force=force))
        if plan.go and not (dry_run or yes):
            _ask(plan, per_s)
        try:
            asyncio.run(_carry_out(place, plan, tally, per_s, force=force, dry_run=dry_run, as_json=as_json))
        except KeyboardInterrupt:
            complain("interrupted; run the same command again to go on")
            raise typer.Exit(INTERRUPTED) from None
        finally:
            _summary(plan, tally, dry_run=dry_run, as_json=as_json)
    if tally[FAILED]:
        raise typer.Exit(FAILURE)


async def _newest(place: Installation, wanted: Wanted, limit: int) -> list[dict[str, Any]]:
    kept: list[tuple[int, int, int, dict[str, Any]]] = []
    history = History()
    async with aclosing(read_letters(place, span_of(wanted))) as letters:
        async for letter in letters:
            if letter.task_id is not None:
                history.saw(letter.task_id, letter.generation)
            if wanted.matches(letter):
                heapq.heappush(kept, (letter.timestamp_ms, letter.partition, letter.offset, line_of(letter)))
                if limit and len(kept) > limit:
                    heapq.heappop(kept)
    rows = [entry[-1] for entry in sorted(kept)]
    await learn(place, {row["task_id"] for row in rows if row["task_id"] is not None}, history)
    for row in rows:
        if row["task_id"] is not None:
            row["note"] = history.why_not(row["task_id"], row["generation"])
    return rows


async def _carry_out(
    place: Installation, plan: Plan, tally: Counter[str], per_s: float, *, force: bool, dry_run: bool, as_json: bool
) -> None:
    # Without anything to tell there would be nothing to read: an empty span has no partitions.
    if not plan.first:
        return
    steps = carry_out(place, plan, rate_per_s=per_s, force=force, dry_run=dry_run)
    async with aclosing(steps) as all_told:
        async for told in all_told:
            _tell(told, tally, dry_run=dry_run, as_json=as_json)


def _tell(told: Told, tally: Counter[str], *, dry_run: bool, as_json: bool) -> None:
    if told.why_not is None:
        action = "would replay" if dry_run else "replayed"
    else:
        action = FAILED if told.why_not.startswith(FAILED) else "skipped"
    tally[action] += 1
    letter = told.letter
    if as_json:
        at = told.at
        print_json(
            {
                **line_of(letter),
                "action": action,
                "note": told.why_not,
                "command_id": told.command_id,
                "command_at": f"{at.partition}:{at.offset}" if at else None,
            }
        )
        return
    detail = told.why_not or f"generation {letter.generation + 1}"
    typer.echo(f"{action}  {letter.place}  {_name(letter)}  {detail}")


def _name(letter: Letter) -> str:
    if letter.content is None:
        return f"unreadable dead letter: {letter.problem}"
    return f"{letter.task_id or 'record'} {letter.content.lane or letter.content.field or ''}".rstrip()


def _ask(plan: Plan, per_s: float) -> None:
    count = len(plan.go)
    if not sys.stdin.isatty():
        fail(f"{count} dead letters would be replayed: say --yes, or look first with --dry-run", code=USAGE)
    typer.confirm(f"replay {count} dead letters, in about {count / per_s:.0f} s?", abort=True, err=True)


def _summary(plan: Plan, tally: Counter[str], *, dry_run: bool, as_json: bool) -> None:
    done = tally["would replay" if dry_run else "replayed"]
    if as_json:
        summary = {"matched": plan.matched, "replayed": done, "dry_run": dry_run, "failed": tally[FAILED]}
        print_json({"summary": {**summary, "skipped": dict(plan.skipped)}})
        return
    skipped = ", ".join(f"{count} {why}" for why, count in sorted(plan.skipped.items()))
    text = f"matched {plan.matched}, {'would replay' if dry_run else 'replayed'} {done}"
    text += f", skipped {plan.skipped.total()}" + (f" ({skipped})" if skipped else "")
    if tally[FAILED]:
        text += f", failed {tally[FAILED]}"
    err.print(text, markup=False, soft_wrap=True)


def _wanted(domain: str | None, reason: str | None, since: str | None, ids: list[str] | None) -> Wanted:
    try:
        lane = None if domain is None else lane_of(domain)
    except ValueError as error:
        fail(f"--domain {error}", code=USAGE)
    try:
        from_ms = since_ms(since, time.time_ns() // 1_000_000)
    except ValueError as error:
        fail(f"--since: {error}", code=USAGE)
    return Wanted(lane, reason, from_ms, frozenset(ids or ()))
