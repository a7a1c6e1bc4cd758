"""`streamer doctor`: says why something works or not, without changing anything."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from streamer.adapters.extensions.loader import installed
from streamer.adapters.http.explain import Check, Tenant, explain
from streamer.adapters.http.libraries import LibraryMissing, library_of
from streamer.adapters.http.library import HttpLibrary
from streamer.adapters.http.names import SystemLookUp
from streamer.adapters.system import SystemClock
from streamer.bootstrap.extensions import extension_problems
from streamer.bootstrap.sending import address_policy
from streamer.cli.cluster import BootstrapFlag, installation
from streamer.cli.console import USAGE, JsonFlag, complain, fail, load_settings, print_json, print_table
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
    try:
        library = library_of(place.settings.http.client)
    except LibraryMissing as error:
        fail(str(error), code=USAGE)
    checks = asyncio.run(_checks(url, library, place.settings, tenant))
    allowed = all(check.passed for check in checks)
    if as_json:
        found = [{"name": check.name, "passed": check.passed, "found": check.found} for check in checks]
        print_json({"allowed": allowed, "checks": found})
    else:
        rows = [(check.name, "ok" if check.passed else "REFUSED", check.found) for check in checks]
        print_table(("check", "verdict", "found"), rows)
    if not allowed:
        raise typer.Exit(1)


@app.command()
def extensions(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """List the extensions that are installed, and make those that the settings name; exit 1 when one cannot be used.

    A worker does not start with one that cannot. Nothing is asked of those that can.
    """
    settings = load_settings(ctx).settings
    found, problems = installed(), extension_problems(settings, SystemClock())
    if as_json:
        listed = [
            {"name": one.name, "group": one.group, "package": one.package, "named": one.name in settings.extensions}
            for one in found
        ]
        print_json({"usable": not problems, "extensions": listed, "problems": problems})
    else:
        rows = [(one.group, one.name, one.package, "yes" if one.name in settings.extensions else "no") for one in found]
        print_table(("group", "extension", "package", "in the settings"), rows)
        complain(*problems)
    if problems:
        raise typer.Exit(1)


async def _checks(url: str, library: HttpLibrary, settings: Settings, tenant: Tenant | None) -> list[Check]:
    look_up = SystemLookUp()
    try:
        return await explain(url, library, address_policy(settings), None if settings.http.proxy else look_up, tenant)
    finally:
        look_up.close()
