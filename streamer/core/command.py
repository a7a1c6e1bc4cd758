"""Commands to tasks: what a record on ``control`` asks for.

Must not know how a command is carried out; see control for the decision.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from streamer.core.delivery import Delivery


class Verb(StrEnum):
    """The closed set of commands."""

    CANCEL = "cancel"
    UPDATE = "update"
    RUN_NOW = "run_now"
    RETRY = "retry"
    REPLAY = "replay"


class Command(Struct, frozen=True, gc=False):
    """One command to one task (RULES 8).

    All but CANCEL carry the whole delivery as it shall go on; the table has no bodies. ``expect_generation`` is the
    generation that the sender saw: another one is a conflict, so that a command read twice is done once. CANCEL may
    leave it None: whatever the generation.
    """

    command_id: str
    verb: Verb
    task_id: str
    lane: str
    expect_generation: int | None
    delivery: Delivery | None
    by: str
    at_ms: int
    force: bool = False
