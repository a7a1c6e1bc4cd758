"""One listener on a thread of its own: it may wait, hang or break, and nobody but itself misses anything by that."""

from __future__ import annotations

import inspect
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from streamer.adapters.extensions.loader import Loaded
from streamer.adapters.http.scrub import scrubbed
from streamer.core.extension_error import Misfit, told_error
from streamer.core.outcome import ErrorType, Failure
from streamer.extensions import Event, Listener
from streamer.ports import Meter

log = logging.getLogger(__name__)

#: So many events wait for a listener, and so many are handed to it at once.
MOST_WAITING = 10_000
MOST_AT_ONCE = 500
#: A listener that fails each time, or is too slow, is named in the log so often.
NAMED_EVERY_S = 60.0


class ListenerThread:
    """Keeps events until its listener takes them; one caller, the event loop, puts them, in O(1) and without a lock."""

    def __init__(
        self,
        loaded: Loaded[Listener],
        meter: Meter,
        *,
        most_waiting: int = MOST_WAITING,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loaded = loaded
        self._meter = meter
        self._most_waiting = most_waiting
        self._monotonic = monotonic
        self._queue: deque[Event] = deque()
        self._news = threading.Event()
        self._closed = False
        self._quiet_until: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, name=f"listener {loaded.name}", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """The extension's name."""
        return self._loaded.name

    @property
    def waiting(self) -> int:
        """How many events wait for it."""
        return len(self._queue)

    def put(self, events: Sequence[Event]) -> None:
        """Keep these for the listener, in place of the oldest where there is no room; after ``close`` none is taken."""
        if self._closed:
            return
        queue = self._queue
        dropped = 0
        for event in events:
            if len(queue) >= self._most_waiting:
                try:
                    queue.popleft()
                    dropped += 1
                except IndexError:
                    # The listener has just taken them.
                    pass
            queue.append(event)
        self._news.set()
        if dropped:
            self._dropped(dropped, "too slow")

    def close(self) -> None:
        """Take no more; the thread ends when the listener has taken what waits."""
        self._closed = True
        self._news.set()

    def join(self, within_s: float) -> None:
        """Wait for the end of the thread, and leave it when it takes longer: what waits is then lost to this listener."""
        self._thread.join(max(0.0, within_s))
        if self._thread.is_alive() and self._queue:
            self._dropped(len(self._queue), "still busy at the end")

    def _run(self) -> None:
        while True:
            self._news.wait()
            # Before the queue is looked at: what comes later sets it again.
            self._news.clear()
            while batch := self._take():
                self._give(batch)
            if self._closed and not self._queue:
                return

    def _take(self) -> tuple[Event, ...]:
        # The loop may drop one in between, so that the length says nothing.
        batch: list[Event] = []
        try:
            while len(batch) < MOST_AT_ONCE:
                batch.append(self._queue.popleft())
        except IndexError:
            pass
        return tuple(batch)

    def _give(self, batch: tuple[Event, ...]) -> None:
        try:
            tell: Callable[[Sequence[Event]], object] = self._loaded.object.told
            if inspect.iscoroutine(returned := tell(batch)):
                returned.close()
                raise Misfit(
                    "told must be a plain method, which may wait: it is called on a thread, and nobody awaits it"
                )
        except BaseException as error:
            # SystemExit too: the thread would end without a word, and every event after it be lost.
            self._meter.count("extension_errors", label=self.name)
            if self._may_name("error"):
                told = told_error(self.name, error, self._hidden)
                log.error("a listener failed, and %s events are lost to it: %s", len(batch), told)

    def _hidden(self, text: str) -> str:
        end = scrubbed(Failure(ErrorType.UNKNOWN, text), tuple(self._loaded.given.values()))
        return end.message if isinstance(end, Failure) else ""

    def _dropped(self, count: int, why: str) -> None:
        self._meter.count("extension_events_dropped", count, label=self.name)
        if self._may_name("dropped"):
            log.warning("extension %s: the listener is %s; %s events are lost to it", self.name, why, count)

    def _may_name(self, what: str) -> bool:
        now = self._monotonic()
        if now < self._quiet_until.get(what, now):
            return False
        self._quiet_until[what] = now + NAMED_EVERY_S
        return True
