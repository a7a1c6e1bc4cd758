"""What stands on ``config`` as far as it was read, and the book of policies that follows from it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from streamer.core.policy import Policy
from streamer.core.policy_book import PolicyBook
from streamer.ports import Meter
from streamer.wire.config_book import book_of
from streamer.wire.config_model import OTHER_KINDS, Kind
from streamer.wire.config_record import ConfigRecord, Installation, decode_config
from streamer.wire.policy_caps import within_caps
from streamer.wire.unreadable import UnreadableRecord

log = logging.getLogger(__name__)

#: Takes a record of another kind: key, value (None for a tombstone), the record's timestamp in epoch ms. Never raises.
OnOther = Callable[[str, bytes | None, int], None]
_KINDS = frozenset(Kind)


class ConfigState:
    """The newest good record of each key.

    Invariant: a record that cannot be read changes nothing; what its key said before still holds.
    """

    def __init__(
        self, settings: Policy, place: Installation, partitions: int, meter: Meter, on_other: OnOther | None = None
    ) -> None:
        self._settings = settings
        self._place = place
        self._partitions = partitions
        self._meter = meter
        self._on_other = on_other
        self._records: dict[str, ConfigRecord] = {}
        self._others: set[str] = set()
        self._seen: set[str] = set()
        self._changed = False
        self.book = self._made()

    def begin(self) -> None:
        """Note that the log is read from its beginning: what is not met on the way to its end is gone."""
        self._seen.clear()

    def take(self, record: Any) -> None:
        """Take one record as it was read."""
        try:
            key = (record.key or b"").decode()
        except UnicodeDecodeError:
            self._refuse("unknown", record, "its key is no text")
            return
        kind = key.partition(":")[0]
        self._seen.add(key)
        if kind in OTHER_KINDS:
            self._hand_on(key, record.value, record.timestamp)
        elif kind not in _KINDS:
            self._refuse("unknown", record, f"{key[:140]!r} is of no known kind")
        elif record.value is None:
            self._changed |= self._records.pop(key, None) is not None
        else:
            self._put(kind, key, record)

    def finish(self) -> None:
        """Note that the end was reached: drop what a compacted tombstone removed unseen."""
        for key in self._records.keys() - self._seen:
            del self._records[key]
            self._changed = True
        for key in self._others - self._seen:
            self._hand_on(key, None, 0)

    def renew(self) -> None:
        """Make the book anew if a policy has changed."""
        if self._changed:
            self.book = self._made()
            self._changed = False

    def _put(self, kind: str, key: str, record: Any) -> None:
        try:
            found = decode_config(key, record.value, self._place)
        except UnreadableRecord as error:
            self._refuse(kind, record, str(error))
            return
        except Exception as error:
            # A fault of ours on one record must not stop every worker there is.
            log.exception("config offset %s could not be handled", record.offset)
            self._refuse(kind, record, f"fault of ours: {error!r}")
            return
        policy = within_caps(found.policy, self._place.limits)
        self._records[key] = ConfigRecord(found.kind, found.name, policy)
        self._changed = True

    def _refuse(self, kind: str, record: Any, reason: str) -> None:
        self._meter.count("config_records_refused", label=kind)
        log.error("config offset %s refused, what held before still holds: %s", record.offset, reason)

    def _hand_on(self, key: str, value: bytes | None, timestamp_ms: int) -> None:
        (self._others.discard if value is None else self._others.add)(key)
        if self._on_other is not None:
            self._on_other(key, value, timestamp_ms)

    def _made(self) -> PolicyBook:
        return book_of(self._records.values(), self._settings, self._partitions)
