"""What people are told when code of another package has failed: its name, and what it raised and where.

Must not know what that code was for, nor what counts in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

#: So much is told of what an extension raised, and of the reasons that it gives.
MAX_CHARS = 300
#: More than that of an error's own words is not looked at.
_MOST_CHARS_READ = 100_000


class Misfit(Exception):
    """What an extension returned is none of its answers; the message says what is wrong with it."""


def told_error(name: str, error: BaseException, hide: Callable[[str], str] = str) -> str:
    """Return one line about an error that an extension has raised; with the place in its code, where there is one.

    ``hide`` takes out of a text what must not be shown; it sees it before it is cut, so that no part of a value is left.
    """
    try:
        words = str(error)[:_MOST_CHARS_READ]
    except Exception:
        words = ""
    if isinstance(error, Misfit):
        return f"extension {name}: {one_line(hide(words))}"
    kind = type(error).__name__
    text = one_line(hide(f"{kind}: {words}" if words else kind))
    return f"extension {name}: {text}{_place(error.__traceback__)}"


def one_line(text: str) -> str:
    """Return an extension's words as they may stand in a result: printable, and cut."""
    shown = "".join([mark if mark.isprintable() else " " for mark in text[: MAX_CHARS + 1]])
    return shown if len(shown) <= MAX_CHARS else f"{shown[:MAX_CHARS]}..."


def _place(trace: TracebackType | None) -> str:
    last, frames = trace, 0
    while trace is not None:
        last, frames, trace = trace, frames + 1, trace.tb_next
    if last is None or frames < 2:
        # Only ours, which called: the call itself did not fit.
        return ""
    file = last.tb_frame.f_code.co_filename.replace("\\", "/").rpartition("/")[2]
    return f" ({file}, line {last.tb_lineno})"
