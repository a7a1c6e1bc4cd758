"""`streamer signing new`, `streamer domains sign` and `streamer businesses sign`: keys, made and put in use."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from streamer.adapters.http.signing_keys import new_secret, public_key_of
from streamer.cli.cluster import BootstrapFlag
from streamer.cli.console import JsonFlag, print_json
from streamer.cli.policy_edit import about, edit
from streamer.cli.signing_edit import signed_with
from streamer.wire.config_model import Kind

app = typer.Typer(help="Make keys that calls are signed with.", no_args_is_help=True)

SecretFlag = Annotated[
    str, typer.Option(help="The name of the secret that holds the key, as workers know it.", metavar="NAME")
]
OverlapFlag = Annotated[
    str, typer.Option(help='How long the older keys still sign beside it: "24h"; "0s" ends them at once.')
]
UntilFlag = Annotated[
    str | None, typer.Option(help='The end of the key itself: "2026-01-31T09:30:00Z"; else it has none.')
]
KeyDomainFlag = Annotated[
    str | None, typer.Option("--domain", help='Sign calls to this domain only: "example.com", "*.example.com".')
]
KeysOnlyFlag = Annotated[
    bool, typer.Option("--keys-only", help="Leave it to each task, or to what stands, whether its calls are signed.")
]


@app.callback()
def signing() -> None:
    """Make keys that calls are signed with."""


@app.command()
def new(
    ed25519: Annotated[
        bool, typer.Option("--ed25519", help="A key pair, of which receivers have the public key only.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Print a new signing key, made here and kept nowhere; it belongs where workers read their secrets."""
    secret = new_secret(ed25519=ed25519)
    public = public_key_of(secret.encode())
    if as_json:
        print_json({"secret": secret} if public is None else {"secret": secret, "public_key": public})
        return
    typer.echo(f"secret      {secret}")
    if public is not None:
        typer.echo(f"public key  {public}")


def sign_domain(
    ctx: typer.Context,
    domain: Annotated[
        str, typer.Argument(help='A domain: host, host:port, "*.example.com" for all below.', metavar="DOMAIN")
    ],
    secret: SecretFlag,
    overlap: OverlapFlag = "24h",
    until: UntilFlag = None,
    keys_only: KeysOnlyFlag = False,
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Sign calls to a domain with a key, beside the older ones until the overlap is over; in force within a second."""
    now_ms = time.time_ns() // 1_000_000
    change = signed_with(secret, overlap=overlap, until=until, domain=None, keys_only=keys_only, now_ms=now_ms)
    edit(ctx, bootstrap, about(Kind.DOMAIN, domain), change, as_json=as_json)


def sign_business(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The business's name.", metavar="NAME")],
    secret: SecretFlag,
    overlap: OverlapFlag = "24h",
    until: UntilFlag = None,
    domain: KeyDomainFlag = None,
    keys_only: KeysOnlyFlag = False,
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Sign a business's calls with a key, beside the older ones until the overlap is over; in force within a second."""
    now_ms = time.time_ns() // 1_000_000
    change = signed_with(secret, overlap=overlap, until=until, domain=domain, keys_only=keys_only, now_ms=now_ms)
    edit(ctx, bootstrap, about(Kind.BUSINESS, name), change, as_json=as_json)
