"""Which HTTP library sends."""

from __future__ import annotations

from streamer.adapters.http.library import HttpLibrary

PYREQWEST, HTTPX = "pyreqwest", "httpx"
#: In the order of preference.
LIBRARIES = (PYREQWEST, HTTPX)


class LibraryMissing(Exception):
    """The library that is to send cannot be imported."""


def library_of(name: str) -> HttpLibrary:
    """Return the library of this name; each is imported only where it is asked for. Raises LibraryMissing."""
    if name == HTTPX:
        from streamer.adapters.http.httpx_client.library import HttpxLibrary

        return HttpxLibrary()
    try:
        from streamer.adapters.http.pyreqwest_client.library import PyreqwestLibrary
    except ImportError as error:
        raise LibraryMissing(
            f"http.client is {PYREQWEST}, which cannot be imported here ({error}): install it, or set http.client to {HTTPX}"
        ) from error
    return PyreqwestLibrary()
