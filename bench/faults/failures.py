"""The ways in which a target fails, and what each must lead to by itself: which tiers, for how long, or an end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import formatdate

from streamer.adapters.demo.exchange import DROP, SILENCE, Answer


@dataclass(frozen=True, slots=True)
class Step:
    """One failure: how the target answers, the wait that the task asks for, and where it must wait, for how long at least."""

    name: str
    answer: Answer
    interval: str
    tiers: tuple[str, ...]
    least_s: float
    #: Seconds from the answer to the date that Retry-After names; None where it names none.
    date_s: float | None = None

    def said(self) -> Answer:
        """Return the answer as it is given now."""
        if self.date_s is None:
            return self.answer
        date = formatdate(time.time() + self.date_s, usegmt=True)
        return Answer(self.answer.status, headers=(("Retry-After", date),))


def _after(value: str, status: int = 429) -> Answer:
    return Answer(status, headers=(("Retry-After", value),))


#: Tiers of 1, 2, 5, 10 and 30 s: a tier takes every wait up to its own, from 5 s less; of others the longest that fits.
STEPS = (
    Step("500", Answer(500), "1s", ("1s",), 1),
    Step("no answer", SILENCE, "2s", ("2s",), 2),
    Step("429, Retry-After in seconds", _after("3"), "1s", ("5s",), 3),
    # A date has whole seconds: 4.5 s are 3.5 to 4.5.
    Step("429, Retry-After as a date", Answer(429), "1s", ("5s",), 3.4, date_s=4.5),
    Step("429, Retry-After is junk", _after("soon, perhaps"), "1s", ("1s",), 1),
    Step("429, Retry-After is negative", _after("-5"), "2s", ("2s",), 2),
    Step("429, Retry-After of 30 years", _after("1000000000"), "1s", ("10s",), 6),
    Step("connection reset", DROP, "1s", ("1s",), 1),
    Step("503, Retry-After in seconds", _after("2", 503), "1s", ("2s",), 2),
    Step("500 and a wait between tiers", Answer(500), "12s", ("10s", "2s"), 12),
    Step("425", Answer(425), "5s", ("5s",), 5),
    Step("502", Answer(502), "7s", ("10s",), 7),
)
#: What is not tried again, and the reason of its dead letter.
FATAL = {
    400: "content_error",
    401: "auth_error",
    403: "permission_error",
    404: "client_error",
    410: "gone",
    301: "redirect",
}
