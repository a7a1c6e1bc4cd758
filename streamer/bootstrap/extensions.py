"""The extensions that the settings name, made with this installation's secrets."""

from __future__ import annotations

import asyncio

from streamer.adapters.extensions.listeners import Listeners
from streamer.adapters.extensions.loader import ExtensionError, Extensions, ReadSecret, load
from streamer.adapters.http.secrets import SecretMissing, Secrets
from streamer.bootstrap.secrets import make_secrets
from streamer.flow.advice import Advice
from streamer.flow.telling import Tell, Teller, Telling
from streamer.ports import Clock, Meter, Outbox
from streamer.settings.model import Settings


def make_extensions(settings: Settings, secrets: Secrets) -> Extensions:
    """Return the extensions; raises ExtensionError."""
    return load(settings.extensions, secret_reader(secrets))


def extension_problems(settings: Settings, clock: Clock) -> list[str]:
    """Return why extensions that the settings name cannot be used, a line for each; none, where a worker would start."""
    read, problems = secret_reader(make_secrets(settings, clock)), []
    for name in dict.fromkeys(settings.extensions):
        try:
            load([name], read)
        except ExtensionError as error:
            problems.append(str(error))
    return problems


def secret_reader(secrets: Secrets) -> ReadSecret:
    """Return how an extension reads a secret, from whichever thread."""
    home = _loop()

    async def read(name: str) -> bytes:
        try:
            if home is None or asyncio.get_running_loop() is home:
                return await secrets.get(name)
            # On a listener's thread: one reading of a value serves all who ask for it, and no two loops can wait for it.
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(secrets.get(name), home))
        except SecretMissing as missing:
            # What is promised to extensions is Python's own error: they know no other name of ours.
            raise LookupError(str(missing)) from None

    return read


def _loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def make_telling(outbox: Outbox, extensions: Extensions, meter: Meter) -> tuple[Outbox, Tell | None, Listeners | None]:
    """Return the outbox that tells what it has written, what tells it of other writes, and who is told.

    Where nobody is told it is the same outbox, so that nothing is paid for it.
    """
    if not extensions.listeners:
        return outbox, None, None
    listeners = Listeners(extensions.listeners, meter)
    tell = Teller(listeners.hear).tell
    return Telling(outbox, tell), tell, listeners


def make_advice(extensions: Extensions, meter: Meter) -> Advice | None:
    """Return what deliver asks about answers and retries; None where there is nobody to ask."""
    if not (extensions.judges or extensions.retries):
        return None
    judges = [(loaded.name, loaded.object) for loaded in extensions.judges]
    return Advice(judges, [(loaded.name, loaded.object) for loaded in extensions.retries], meter)
