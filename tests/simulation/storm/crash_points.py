"""The twelve named points between "record read" and "offset committed" at which a worker may die."""

from __future__ import annotations

from enum import StrEnum


class CrashPoint(StrEnum):
    """Where a process ends without a word; the value is the sentence that reports print."""

    READ = "record read, nothing begun"
    QUEUED = "waits in its lane"
    BEGUN = "about to be sent, nothing on the wire"
    ON_WIRE = "on the wire, no answer yet"
    ANSWERED = "answered, nothing decided"
    PUBLISH_NONE = "decided, nothing published"
    PUBLISH_PART = "a part of what follows published"
    PUBLISH_ALL = "all that follows published, not acknowledged"
    STATE_NONE = "published, state not written"
    STATE_ALL = "state written, not acknowledged"
    SETTLED = "finished, offset not committed"
    COMMITTED = "offset committed, nobody told"
