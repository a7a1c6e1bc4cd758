"""`streamer doctor`: says why something works or not, without changing anything."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from streamer.adapters.http.explain import Check, Tenant, explain
from streamer.adapters.http.names import SystemLookUp
from streamer.bootstrap.sending import address_policy
from streamer.cli.cluster import BootstrapFlag, installation
from streamer.cli.console import JsonFlag, print_json, print_table
from streamer.cli.policy_print import read, warn_of_problems
from streamer.settings.model import Settings

app = typer.Typer(help="Find out why something works or not.", no_args_is_help=True)


@app.callback()
def doctor() -> None:
    """Find out why something works or not."""


@app.command()
def url(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(help="The URL as a request would have it.")],
    business: Annotated[
        str | None, typer.Option(help="Also by what is said of this business, which is read from Kafka.")
    ] = None,
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Explain whether a URL may be called, by the settings of this machine; exit 1 when it may not.

    Its name is looked up, and nothing is sent to it.
    """
    place = installation(ctx, bootstrap)
    tenant = None
    if business is not None:
        config = read(place)
        warn_of_problems(config)
        said = config.book().businesses.get(business)
        tenant = Tenant(business, said.network if said is not None else None)
    checks = asyncio.run(_checks(url, place.settings, tenant))
    allowed = all(check.passed for check in checks)
    if as_json:
        found = [{"name": check.name, "passed": check.passed, "found": check.found} for check in checks]
        print_json({"allowed": allowed, "checks": found})
    else:
        rows = [(check.name, "ok" if check.passed else "REFUSED", check.found) for check in checks]
        print_table(("check", "verdict", "found"), rows)
    if not allowed:
        raise typer.Exit(1)


async def _checks(url: str, settings: Settings, tenant: Tenant | None) -> list[Check]:
    look_up = SystemLookUp()
    try:
        return await explain(url, address_policy(settings), None if settings.http.proxy else look_up, tenant)
    finally:
        look_up.close()
