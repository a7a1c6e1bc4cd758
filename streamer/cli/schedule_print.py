"""How recurring schedules look in a terminal and to programs."""

from __future__ import annotations

from typing import Any

from streamer.cli.console import err
from streamer.cli.schedule_topic import CALENDAR, Schedules, Stored
from streamer.cli.words import cell
from streamer.core.duration import format_duration
from streamer.core.identity import firing_id
from streamer.core.schedule import Schedule, next_instant
from streamer.wire.instants import format_instant
from streamer.wire.masking import Masking
from streamer.wire.request_mask import masked_request

COLUMNS = ("schedule", "when", "to", "next", "last")
_COMING = 5


def line_of(stored: Stored, now_ms: int, masking: Masking) -> dict[str, Any]:
    """Return a schedule for programs."""
    schedule, cursor = stored.schedule, stored.cursor
    fired_ms = cursor.fired_ms if cursor else None
    return {
        "name": schedule.name,
        "when": when(schedule),
        "domain": schedule.lane,
        "paused": schedule.paused,
        "next": _instant(stored.next_ms(now_ms)),
        "last": _instant(fired_ms),
        "last_task_id": None if fired_ms is None else firing_id(schedule.name, fired_ms),
        "record": {**stored.fields, "request": masked_request(stored.fields["request"], masking)},
        "written_at": format_instant(schedule.set_at_ms),
        "problem": stored.problem,
    }


def row_of(line: dict[str, Any]) -> tuple[str, ...]:
    """Return the same for people."""
    coming = "paused" if line["paused"] else line["next"] or "never"
    return tuple(cell(text) for text in (line["name"], line["when"], line["domain"], coming, line["last"] or "-"))


def sentence(line: dict[str, Any]) -> str:
    """Return a schedule in one line: what it does, and when next."""
    coming = "paused" if line["paused"] else f"next at {line['next']}" if line["next"] else "never again"
    return cell(f"schedule {line['name']}: {line['when']}, to {line['domain']}; {coming}")


def whole(stored: Stored, now_ms: int, masking: Masking) -> dict[str, Any]:
    """Return everything that is known of a schedule, with its next instants."""
    coming: list[int] = []
    at_ms = stored.next_ms(now_ms)
    while at_ms is not None and len(coming) < _COMING:
        coming.append(at_ms)
        at_ms = next_instant(stored.schedule, at_ms, CALENDAR.next_after)
    return {**line_of(stored, now_ms, masking), "coming": [format_instant(each) for each in coming]}


def when(schedule: Schedule) -> str:
    """Return when it fires, in a few words."""
    if schedule.every_ms is not None:
        return f"every {format_duration(schedule.every_ms)}"
    return f"{schedule.cron} {schedule.time_zone}"


def warn_of_problems(schedules: Schedules) -> None:
    """Say on stderr which records no worker takes."""
    problems = {name: each.problem for name, each in schedules.stored.items() if each.problem is not None}
    for name, problem in {**schedules.broken, **problems}.items():
        rest = "what it said before holds" if name in schedules.stored else "it does not fire"
        err.print(f"schedule {name}: the newest record is refused, {rest}: {problem}", markup=False, soft_wrap=True)


def _instant(at_ms: int | None) -> str | None:
    return None if at_ms is None else format_instant(at_ms)
