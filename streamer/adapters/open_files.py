"""How many files and sockets this process may have open at once."""

from __future__ import annotations

import resource


def allow_open_files(wanted: int) -> int:
    """Raise the soft limit to ``wanted``, as far as the system lets us; return what is allowed now.

    Most systems begin with 1,024 and let each process have far more: too few for a thousand calls at once, and the calls
    beyond would fail as if their targets could not be reached.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):
        # Some systems have a bound of their own below the hard limit.
        return soft
    return most
