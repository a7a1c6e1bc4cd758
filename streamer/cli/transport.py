"""`streamer domains tls` and `auth`: how a domain is spoken to, and what it is shown of us."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from streamer.cli.cluster import BootstrapFlag
from streamer.cli.config_topic import Config
from streamer.cli.console import USAGE, JsonFlag, fail
from streamer.cli.policy_edit import about, edit
from streamer.wire.config_model import Kind

DomainArgument = Annotated[
    str, typer.Argument(help='A domain: host, host:port, "*.example.com" for all below.', metavar="DOMAIN")
]

_UNVERIFIED = (
    "certificates of this domain are not verified: whoever is in between can read and change everything. "
    "A certificate of an authority of your own is trusted with --ca"
)


def set_tls(
    ctx: typer.Context,
    domain: DomainArgument,
    verify: Annotated[
        bool | None, typer.Option("--verify/--no-verify", help="Whether its certificate must be good.")
    ] = None,
    ca: Annotated[
        str | None,
        typer.Option(help="Secret with certificates (PEM) that are trusted besides the system's; empty: none."),
    ] = None,
    client_certificate: Annotated[
        str | None, typer.Option(help="Secret with the certificate and key (PEM) that we show; empty: none.")
    ] = None,
    http2: Annotated[
        Literal["auto", "prior_knowledge", "off"] | None,
        typer.Option(help="HTTP/2: agreed upon in TLS, spoken at once, or never."),
    ] = None,
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Set how a domain's certificate is judged, what we show it, and HTTP/2; what is not given stays as it is."""
    given = {"verify": verify, "ca": ca, "client_certificate": client_certificate}

    def change(_config: Config, before: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
        said = before.get("tls")
        parts = {**(said if isinstance(said, dict) else {}), **_given(given)}
        tls = {name: value for name, value in parts.items() if value not in ("", None)}
        if tls.get("verify") is True:
            del tls["verify"]
        if tls.get("verify") is False:
            notes.append(_UNVERIFIED)
        fields = {name: value for name, value in before.items() if name != "tls"} | ({"tls": tls} if tls else {})
        return fields | _given({"http2": http2})

    edit(ctx, bootstrap, about(Kind.DOMAIN, domain), change, as_json=as_json)


def set_auth(
    ctx: typer.Context,
    domain: DomainArgument,
    type_: Annotated[
        Literal["basic", "bearer", "oauth2", "none"], typer.Argument(help="How; none takes it away.", metavar="TYPE")
    ],
    secret: Annotated[str | None, typer.Option(help="Secret: the password, the token, or the client's secret.")] = None,
    user: Annotated[str | None, typer.Option(help="The user with basic, the client's id with oauth2.")] = None,
    token_url: Annotated[str | None, typer.Option(help="The token endpoint, with oauth2.")] = None,
    scope: Annotated[str | None, typer.Option(help="What is asked for, with oauth2.")] = None,
    audience: Annotated[str | None, typer.Option(help="For whom the token is, with oauth2.")] = None,
    business: Annotated[
        list[str] | None, typer.Option("--business", help="Only for this business's tasks; may be repeated.")
    ] = None,
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Set the credentials that go with every call for a domain, in the place of those that it had."""
    parts: dict[str, Any] = {
        "secret": secret, "user": user, "token_url": token_url, "scope": scope, "audience": audience,
        "businesses": business or None,
    }  # fmt: skip
    given = _given(parts)
    if type_ == "none" and given:
        fail(f"--{next(iter(given)).replace('_', '-')} does not go with none", code=USAGE)
    if type_ != "none" and secret is None:
        fail("--secret is required: the name of the secret, never its value", code=USAGE)

    def change(_config: Config, before: Mapping[str, Any], _notes: list[str]) -> dict[str, Any] | None:
        fields = {name: value for name, value in before.items() if name != "auth"}
        return (fields or None) if type_ == "none" else {**fields, "auth": {"type": type_, **given}}

    edit(ctx, bootstrap, about(Kind.DOMAIN, domain), change, as_json=as_json)


def _given(parts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parts.items() if value is not None}
