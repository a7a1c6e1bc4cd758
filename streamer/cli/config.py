"""`streamer config`: what is set and by whom, an example file, and whether a file can be used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from streamer.cli.console import JsonFlag, complain, fail, given, load_settings, out, print_json, print_table
from streamer.settings.example import example_toml
from streamer.settings.fields import fields, shown
from streamer.settings.load import SettingsError, load

app = typer.Typer(help="Show, write and check settings.", no_args_is_help=True)


@app.command()
def show(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Show every setting with its value and where that came from; secrets are masked."""
    loaded = load_settings(ctx)
    rows = [(key, shown(field.value(loaded.settings)), loaded.source(key)) for key, field in fields().items()]
    if as_json:
        print_json([{"key": key, "value": value, "source": source} for key, value, source in rows])
    else:
        print_table(("key", "value", "source"), [(key, _text(value), source) for key, value, source in rows])


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("streamer.toml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write an example file: every setting as a comment, with its default and what it is."""
    if path.suffix != ".toml":
        fail(f"{path}: the example is TOML, its name must end in .toml", code=2)
    try:
        # Mode x refuses an existing file in the same step, so that no other writer's file is lost.
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(example_toml())
    except FileExistsError:
        fail(f"{path} exists: overwrite it with --force, or name another file")
    except OSError as error:
        fail(f"{path}: cannot be written: {error.strerror or error}")
    out.print(
        f"wrote {path}; see what is in force: streamer --config {path} config show",
        markup=False,
        soft_wrap=True,
    )


@app.command()
def check(
    ctx: typer.Context,
    path: Annotated[Path | None, typer.Argument(help="The file; without it, the one in use.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check a file together with the environment; exit 1 and list every problem when it cannot be used."""
    problems: list[str] = []
    checked = path or given(ctx).config
    try:
        checked = load(checked).file
    except SettingsError as error:
        problems = error.problems
    if as_json:
        print_json({"file": checked and str(checked), "ok": not problems, "problems": problems})
    elif problems:
        complain(*problems)
    else:
        out.print(f"{checked or 'no file, only defaults and environment'}: ok", markup=False, soft_wrap=True)
    if problems:
        raise typer.Exit(1)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
