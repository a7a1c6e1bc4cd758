"""The library that gives a process another clock: Debian's libfaketime."""

from __future__ import annotations

import os
from pathlib import Path

from bench.faults.case import NotMade

#: Debian puts it there; LIBFAKETIME names another place.
_LIBRARIES = "usr/lib/*/faketime/libfaketime.so.1"


def faketime() -> Path:
    """Return where the library is; NotMade when it is nowhere."""
    if named := os.environ.get("LIBFAKETIME"):
        return Path(named)
    found = next(iter(sorted(Path("/").glob(_LIBRARIES))), None)
    if found is None:
        raise NotMade("libfaketime is not here: apt-get install faketime, or set LIBFAKETIME")
    return found
