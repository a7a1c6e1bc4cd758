"""What all commands share: output for people and for programs, errors with an exit code, and the settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from streamer.settings.load import Loaded, SettingsError, load

FAILURE = 1
USAGE = 2
# Lines for a pipe or a file must not be folded at 80 columns: programs read them.
PIPE_WIDTH = 250

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
_pipe = Console(width=PIPE_WIDTH, highlight=False)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@dataclass(frozen=True, slots=True)
class Globals:
    """The options that stand before the command."""

    config: Path | None = None


def print_json(value: Any) -> None:
    """Print a value as one line of JSON; several calls make JSON lines."""
    typer.echo(json.dumps(value, ensure_ascii=False, default=str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their columns; nothing in a cell is taken for markup."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_plain(cell) for cell in row))
    (out if out.is_terminal else _pipe).print(table)


def complain(*problems: str) -> None:
    """Print problems on stderr, one a line."""
    for problem in problems:
        err.print("[bold red]error[/]:", end=" ")
        err.print(problem, markup=False, soft_wrap=True)


def fail(*problems: str, code: int = FAILURE) -> NoReturn:
    """Print problems on stderr and end the command: 1 for a failure, 2 for wrong usage."""
    complain(*problems)
    raise typer.Exit(code)


def load_settings(ctx: typer.Context, **flags: Any) -> Loaded:
    """Load the settings with a command's flags over them: `kafka__prefix="x."` sets `kafka.prefix`.

    None is a flag that was not given. Settings that cannot be used end the command, every problem printed.
    """
    try:
        return load(given(ctx).config, flags={name.replace("__", "."): value for name, value in flags.items()})
    except SettingsError as error:
        fail(*error.problems, code=USAGE)


def given(ctx: typer.Context) -> Globals:
    """Return the options that stood before the command."""
    found = ctx.find_object(Globals)
    return found if found is not None else Globals()


def _plain(cell: object) -> str:
    return str(cell).replace("[", r"\[")
