"""The schedules as they stand on ``config``, and how far each has come."""

from __future__ import annotations

from collections.abc import Mapping

from streamer.core.schedule import Cursor, Schedule


class ScheduleBook:
    """Kept up by who reads ``config``; ``revision`` changes with each schedule, not with each cursor."""

    def __init__(self) -> None:
        self.revision = 0
        self._schedules: dict[str, Schedule] = {}
        self._cursors: dict[str, Cursor] = {}

    @property
    def schedules(self) -> Mapping[str, Schedule]:
        """The schedules by their names."""
        return self._schedules

    def cursor(self, name: str) -> Cursor | None:
        """Return how far a schedule has come; None when nothing is known."""
        return self._cursors.get(name)

    def put(self, schedule: Schedule) -> None:
        """Set a schedule."""
        if self._schedules.get(schedule.name) == schedule:
            # Read once more, after the connection was lost.
            return
        self._schedules[schedule.name] = schedule
        self.revision += 1

    def remove(self, name: str) -> None:
        """Remove a schedule, and how far it had come: one of the same name begins anew."""
        self._cursors.pop(name, None)
        if self._schedules.pop(name, None) is not None:
            self.revision += 1

    def note(self, cursor: Cursor) -> None:
        """Note how far a schedule has come; what a worker writes that no longer owns it sets nothing back."""
        before = self._cursors.get(cursor.schedule)
        if before is None or before.timing != cursor.timing or before.at_ms < cursor.at_ms:
            self._cursors[cursor.schedule] = cursor

    def forget(self, name: str) -> None:
        """Forget how far a schedule has come."""
        self._cursors.pop(name, None)
