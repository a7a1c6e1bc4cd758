"""What `streamer up` says: one line for people or one JSON object for programs, per event."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from rich.panel import Panel
from rich.text import Text

from streamer.cli.console import out, print_json
from streamer.cli.words import because, cell
from streamer.wire.instants import parse_instant

_PATH_WIDTH = 15
_OUTCOME_WIDTH = 17
_WHY_LENGTH = 70


@dataclass(frozen=True, slots=True)
class Voice:
    """Says each event once, in the form that was asked for."""

    as_json: bool

    def __call__(self, event: str, text: str, style: str = "", **facts: Any) -> None:
        """Say an event: ``text`` to people, ``facts`` to programs."""
        if self.as_json:
            print_json({"event": event, **facts})
        else:
            self._line(Text(f"{_clock(time.time())}  {text}", style))

    def result(self, result: Mapping[str, Any]) -> None:
        """Say what came of one attempt, or of a decision without one."""
        if self.as_json:
            print_json({"event": "result", "path": path_of(result), **_facts(result)})
            return
        outcome = f"{result['outcome']} {result.get('status') or ''}".strip()
        line = Text(f"{_clock(parse_instant(result['at']) / 1000)}  {path_of(result):<{_PATH_WIDTH}} ")
        line.append(f"{_attempt(result):<9}  ")
        line.append(f"{outcome:<{_OUTCOME_WIDTH}} ", _style(result))
        line.append(_next(result))
        line.append(f"  {cell(result['task_id'])}", "dim")
        self._line(line)

    def dead_letter(self, place: str, letter: Mapping[str, Any]) -> None:
        """Say that a task was given up, or that a record could not be read."""
        if self.as_json:
            print_json({"event": "dead_letter", "at": place, **letter})
            return
        text = f"{'dead letter':<{_PATH_WIDTH}} {cell(letter['reason'])}; see: dead-letters show {place}"
        self._line(Text(f"{_clock(time.time())}  {text}", "red"))

    def panel(self, title: str, rows: Mapping[str, str], commands: Mapping[str, str]) -> None:
        """Show people the addresses, and the commands for a second terminal, each on a line that can be pasted."""
        if self.as_json:
            print_json({"event": "up", **rows, "try": list(commands.values())})
            return
        width = max(map(len, rows))
        out.print(Panel(Text("\n".join(f"{name:<{width}}  {value}" for name, value in rows.items())), title=title))
        out.print(Text("Try next, in a second terminal:", "bold"))
        for what, command in commands.items():
            # No frame and no folding: a command that was broken by the terminal's width cannot be pasted.
            self._line(Text(f"  # {what}", "dim"))
            self._line(Text(f"  {command}", "cyan"))
        out.print()

    def _line(self, line: Text) -> None:
        out.print(line, soft_wrap=True)


def path_of(result: Mapping[str, Any]) -> str:
    """Return the path that was called; without an attempt the lane, and of a record that is no task nothing."""
    request = result.get("request")
    url = request.get("url") if isinstance(request, Mapping) else None
    return cell(urlsplit(url).path or "/") if isinstance(url, str) else cell(result.get("lane", "(no task)"))


def _attempt(result: Mapping[str, Any]) -> str:
    """Name the attempt, when there was one: only that has a request."""
    return f"attempt {result.get('attempt')}" if "request" in result else ""


def _facts(result: Mapping[str, Any]) -> dict[str, Any]:
    why = result.get("why") or {}
    names = ("at", "task_id", "generation", "attempt", "outcome", "status", "error_type", "state", "final")
    return {**{name: result.get(name) for name in names}, "tier": why.get("tier"), "due_at": why.get("due_at")}


def _style(result: Mapping[str, Any]) -> str:
    if result["outcome"] == "success":
        return "green"
    return "red" if result.get("final") else "yellow"


def _next(result: Mapping[str, Any]) -> str:
    why = result.get("why") or {}
    if result["outcome"] == "success":
        return f"in {result.get('duration_ms', 0):.0f} ms"
    if (due_at := why.get("due_at")) is not None and not result.get("final"):
        wait_s = (parse_instant(due_at) - parse_instant(result["at"])) / 1000
        by = f" on tier {why['tier']}" if why.get("tier") else ""
        return f"again in {wait_s:.1f} s{by}" if result["outcome"] != "deferred" else f"waits {wait_s:.1f} s{by}"
    text = cell(because(why))
    text = text if len(text) <= _WHY_LENGTH else f"{text[:_WHY_LENGTH]}…"
    return f"{result['state']}: {text}" if result.get("state") not in (None, result["outcome"]) else text


def _clock(at_s: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at_s))
