"""`streamer secrets`: the encrypted store, where each secret comes from, and which tasks may name it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from streamer.adapters.secrets.source import MAX_BYTES, NAME, SourceUnreadable
from streamer.bootstrap.secrets import key_ring, secret_store
from streamer.cli.cluster import BootstrapFlag, installation
from streamer.cli.console import USAGE, JsonFlag, err, fail, load_settings, print_json, print_table
from streamer.cli.policy_edit import about, edit
from streamer.cli.policy_print import read, warn_of_problems
from streamer.cli.secret_list import cells_of, found_here
from streamer.cli.secret_scope import allowed, denied
from streamer.settings.model import Settings
from streamer.wire.config_model import Kind

app = typer.Typer(help="Keep secrets, and say which tasks may name them.", no_args_is_help=True)

#: A value this short is found by trying.
_SHORT_BYTES = 12

NameArgument = Annotated[str, typer.Argument(help="The secret's name, as in ${secret:NAME}.", metavar="NAME")]
DomainsFlag = Annotated[
    list[str] | None,
    typer.Option("--domain", help='A domain: host, host:port, "*.example.com"; may be repeated.', metavar="DOMAIN"),
]
BusinessesFlag = Annotated[
    list[str] | None, typer.Option("--business", help="A business; may be repeated.", metavar="NAME")
]


@app.command("ls")
def list_(
    ctx: typer.Context,
    local: Annotated[bool, typer.Option("--local", help="Only what this machine has; Kafka is not asked.")] = False,
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """List secrets by name: where this machine has them from, and which tasks may name them. Values are never shown."""
    place = installation(ctx, bootstrap)
    found = found_here(place.settings)
    scopes = {}
    if not local:
        config = read(place)
        warn_of_problems(config)
        scopes = {name: dict(stored.fields) for name, stored in config.of_kind(Kind.SECRET).items()}
    rows = []
    for name in sorted(found.keys() | scopes.keys()):
        scope = scopes.get(name, {})
        row = {"name": name, "source": found.get(name), **{key: scope.get(key) for key in ("domains", "businesses")}}
        rows.append(row)
        if as_json:
            print_json(row)
    if not as_json:
        columns = ("secret", "from", "for tasks to", "of businesses")
        print_table(columns if not local else columns[:2], [cells_of(row)[: 2 if local else 4] for row in rows])


@app.command("set")
def set_(ctx: typer.Context, name: NameArgument, as_json: JsonFlag = False) -> None:
    """Put a secret into the encrypted store; its value is asked for, or read from standard input."""
    settings = load_settings(ctx).settings
    _check_name(name)
    value = _value(name)
    if len(value.strip()) < _SHORT_BYTES:
        err.print(f"note: the value has fewer than {_SHORT_BYTES} bytes, which can be guessed")
    with _problems():
        began = _begin_key(settings)
        new = secret_store(settings).put(name, value)
    if as_json:
        print_json({"name": name, "set": "new" if new else "replaced", "key_file": began and str(began)})
        return
    if began is not None:
        typer.echo(f"wrote a new key to {began}; without it the store cannot be read, so keep a copy elsewhere")
    where = settings.secrets.store
    typer.echo(f"secret {name}: {'set' if new else 'replaced'} in {where}; running workers see it within 5 s")
    source = found_here(settings).get(name)
    if source is not None and not source.startswith("store "):
        typer.echo(f"note: {source} has it, too, and goes before the store")


@app.command()
def rm(ctx: typer.Context, name: NameArgument, as_json: JsonFlag = False) -> None:
    """Remove a secret from the encrypted store; what is said of who may name it stays."""
    settings = load_settings(ctx).settings
    with _problems():
        found = secret_store(settings).remove(name)
    if not found:
        fail(f"secret {name} is not in {settings.secrets.store}; `streamer secrets ls` lists what is")
    if as_json:
        print_json({"name": name, "removed": True})
    else:
        typer.echo(f"secret {name}: removed from {settings.secrets.store}")


@app.command("rotate-key")
def rotate_key(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Encrypt the store with a new key; with `secrets.key`, with the first that stands there. Workers go on meanwhile."""
    settings = load_settings(ctx).settings
    with _problems():
        if not settings.secrets.store.exists():
            fail(f"{settings.secrets.store} is not there: `streamer secrets set NAME` begins it")
        count = secret_store(settings).encrypt_anew()
    path = key_ring(settings).path
    if as_json:
        print_json({"secrets": count, "key_file": path and str(path)})
        return
    key = f"a new key, which stands in {path}" if path else "the first key of secrets.key; the others may go now"
    typer.echo(f"{count} secrets are encrypted with {key}")


@app.command()
def allow(
    ctx: typer.Context,
    name: NameArgument,
    domain: DomainsFlag = None,
    business: BusinessesFlag = None,
    all_businesses: Annotated[
        bool, typer.Option("--all-businesses", help="Tasks of every business, also where some were named before.")
    ] = False,
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Let tasks for these domains, and of these businesses where any is named, name the secret. Others' tasks are refused."""
    if not (domain or business or all_businesses):
        fail("say who may name it: --domain, --business or --all-businesses", code=USAGE)
    change = allowed(domain or [], business or [], all_businesses=all_businesses)
    edit(ctx, bootstrap, about(Kind.SECRET, name), change, as_json=as_json)


@app.command()
def deny(
    ctx: typer.Context,
    name: NameArgument,
    domain: DomainsFlag = None,
    business: BusinessesFlag = None,
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Take domains or businesses away again; without any, no task may name the secret."""
    edit(ctx, bootstrap, about(Kind.SECRET, name), denied(domain or [], business or []), as_json=as_json)


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name) or name.startswith("."):
        fail(f"{name[:80]!r} is no name of a secret: it must be 1 to 64 letters, digits, _, . or -", code=USAGE)


def _value(name: str) -> bytes:
    """Read a value where no list of processes, history or log shows it."""
    if sys.stdin.isatty():
        return str(typer.prompt(f"value of {name}", hide_input=True, confirmation_prompt=True)).encode()
    value = sys.stdin.buffer.read(MAX_BYTES + 3)
    if not value.strip(b"\r\n"):
        fail("standard input is empty: pipe the value in, or run this in a terminal", code=USAGE)
    return value


def _begin_key(settings: Settings) -> Path | None:
    """Write the store's first key where there is none yet, and return its file."""
    keys = key_ring(settings)
    if keys.there() or keys.path is None:
        return None
    if settings.secrets.store.exists():
        fail(
            f"{keys.path} is not there, and {settings.secrets.store} was encrypted with it: bring the key back, or move "
            "the store away to begin anew"
        )
    keys.begin(keys.path)
    return keys.path


@contextmanager
def _problems() -> Iterator[None]:
    try:
        yield
    except SourceUnreadable as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror or error}")
