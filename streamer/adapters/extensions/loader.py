"""Finds the extensions that the settings name among the installed packages' entry points, and makes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from streamer.core.extension_error import told_error
from streamer.extensions import GROUPS, JUDGES, LISTENERS, RETRIES, SIGNERS, Judge, Listener, Retry, Signer, Tools

#: What an object of each group must be able to do.
METHODS = {SIGNERS: "headers", JUDGES: "judge", RETRIES: "next", LISTENERS: "told"}

#: So many of the secrets that an extension has read are remembered; all are forgotten together when there are more.
REMEMBERED = 1_000

#: Reads a secret by its name; raises LookupError where there is none.
ReadSecret = Callable[[str], Awaitable[bytes]]
Fits = TypeVar("Fits")


class ExtensionError(Exception):
    """An extension that the settings name cannot be used; the message names it and what is wrong."""


@dataclass(frozen=True, slots=True)
class Found:
    """An extension as it is installed: its name, its group, and its package with version."""

    name: str
    group: str
    package: str
    entry: EntryPoint = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Loaded(Generic[Fits]):
    """An extension, made; ``given`` holds the secrets that it has read, by name, so that they can be hidden in its words."""

    name: str
    package: str
    object: Fits
    given: dict[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Extensions:
    """The extensions of this process by group, each group in the order of the setting."""

    signers: tuple[Loaded[Signer], ...] = ()
    judges: tuple[Loaded[Judge], ...] = ()
    retries: tuple[Loaded[Retry], ...] = ()
    listeners: tuple[Loaded[Listener], ...] = ()


def load(names: Sequence[str], secret: ReadSecret) -> Extensions:
    """Make the extensions of these names, from every group that has one; raises ExtensionError.

    What is not named is not imported.
    """
    if not names:
        return Extensions()
    found = installed()
    made: dict[str, list[Loaded[Any]]] = {group: [] for group in GROUPS}
    for name in dict.fromkeys(names):
        for extension in _named(name, found):
            made[extension.group].append(make(extension, secret))
    return Extensions(tuple(made[SIGNERS]), tuple(made[JUDGES]), tuple(made[RETRIES]), tuple(made[LISTENERS]))


def installed() -> list[Found]:
    """Return the extensions that are installed, by group and name; none is imported."""
    return [
        Found(entry.name, group, _package(entry), entry)
        for group in GROUPS
        for entry in sorted(entry_points(group=group), key=lambda entry: entry.name)
    ]


def make(extension: Found, secret: ReadSecret) -> Loaded[Any]:
    """Import one extension and make its object; raises ExtensionError."""
    entry, given = extension.entry, dict[str, bytes]()
    try:
        factory = entry.load()
    except Exception as error:
        raise _broken(extension, f"{entry.value} cannot be imported: {_words(extension, error)}") from error
    if not callable(factory):
        raise _broken(
            extension, f"{entry.value} is of type {type(factory).__name__}, where a class or a function is due"
        )

    async def read(name: str) -> bytes:
        value = await secret(name)
        if len(given) >= REMEMBERED:
            given.clear()
        given[name] = value
        return value

    try:
        made = factory(Tools(extension.name, read))
    except Exception as error:
        raise _broken(extension, f"{entry.value} cannot be called with Tools: {_words(extension, error)}") from error
    method = METHODS[extension.group]
    if not callable(getattr(made, method, None)):
        raise _broken(extension, f"the {type(made).__name__} that {entry.value} returns has no method {method}")
    return Loaded(extension.name, extension.package, made, given)


def _named(name: str, found: Sequence[Found]) -> list[Found]:
    wanted = [extension for extension in found if extension.name == name]
    if not wanted:
        known = ", ".join(sorted({extension.name for extension in found})) or "none"
        raise ExtensionError(f"extensions: {name} is not installed beside Streamer; installed are: {known}")
    for group in GROUPS:
        packages = [extension.package for extension in wanted if extension.group == group]
        if len(packages) > 1:
            several = " and ".join(sorted(packages))
            raise ExtensionError(f"extensions: {name} is in {group} of {several}; one of them may be installed")
    return wanted


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "a package without a name"


def _broken(extension: Found, what: str) -> ExtensionError:
    return ExtensionError(f"extensions: {extension.name} ({extension.group}, {extension.package}): {what}")


def _words(extension: Found, error: Exception) -> str:
    return told_error(extension.name, error).partition(": ")[2]
