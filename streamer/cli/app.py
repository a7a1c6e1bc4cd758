"""The command line's root: the global options and the list of commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import streamer
from streamer.cli import (
    config,
    dead_letters,
    doctor,
    domains,
    named,
    schedules,
    secrets,
    signing,
    tasks,
    topics,
    transport,
)
from streamer.cli.broker import broker
from streamer.cli.console import Globals
from streamer.cli.results import results
from streamer.cli.send import send
from streamer.cli.up import up
from streamer.cli.verify import verify
from streamer.cli.worker import worker

# No local variables in tracebacks: they hold settings, and settings hold secrets.
app = typer.Typer(
    name="streamer",
    help="Reliable HTTP delivery on Kafka.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"streamer {streamer.__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    config_file: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Settings file; else $STREAMER_CONFIG, else ./streamer.toml or .yaml."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Reliable HTTP delivery on Kafka."""
    ctx.obj = Globals(config=config_file)


# Beside the groups' own commands: what they share is about keys, and stands in a file of its own.
domains.app.command("sign")(signing.sign_domain)
domains.app.command("tls")(transport.set_tls)
domains.app.command("auth")(transport.set_auth)
named.businesses.command("sign")(signing.sign_business)

# In the order of the help. A group is a typer app (`add_typer`), a single command a function (`command`).
app.command("up")(up)
app.command("broker")(broker)
app.command("worker")(worker)
app.add_typer(topics.app, name="topics")
app.command("send")(send)
app.command("results")(results)
app.add_typer(tasks.app, name="tasks")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(schedules.app, name="schedules")
app.add_typer(domains.app, name="domains")
app.add_typer(named.businesses, name="businesses")
app.add_typer(named.policies, name="policies")
app.add_typer(named.rate_keys, name="rate-keys")
app.add_typer(secrets.app, name="secrets")
app.add_typer(signing.app, name="signing")
app.command("verify")(verify)
app.add_typer(config.app, name="config")
app.add_typer(doctor.app, name="doctor")
