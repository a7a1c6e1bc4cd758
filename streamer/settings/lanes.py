"""Settings of lanes: what holds for each domain where no record on `config` says otherwise."""

from __future__ import annotations

from pydantic import Field

from streamer.settings.platform import DAY_MS
from streamer.settings.types import Duration, DurationField, OptionalCount, OptionalRate, Section


class Breaker(Section):
    """When a domain's breaker opens, and how it closes."""

    failures_in_row: int = Field(
        5, description="Counted failures of any kind in a row that open it; more where it fails often anyway.", ge=1
    )
    connect_failures_in_row: int = Field(3, description="Failures to connect in a row that open it.", ge=1)
    share: float = Field(0.5, description="Share of failed calls in the window that opens it.", gt=0, le=1)
    least_calls: int = Field(20, description="Calls in the window below which the share says nothing.", ge=1)
    window: DurationField = Field(Duration(60_000), description="The window of the share.")
    open: DurationField = Field(
        Duration(10_000), description="How long it stays open; twice as long each time it reopens."
    )
    open_most: DurationField = Field(Duration(300_000), description="The longest that it stays open.")
    probes: int = Field(1, description="Calls at once while it is half-open.", ge=1, le=1_000)
    successes_to_close: int = Field(2, description="Successes that close it.", ge=1)


class Lanes(Section):
    """Each domain's lane, where no policy says otherwise; worker.domain_concurrency is its calls at once."""

    rate: OptionalRate = Field(None, description='Calls to one domain: "10/s", "10/5s", "1000/m". Empty: no limit.')
    burst: OptionalCount = Field(
        None, description="Calls of the rate that may go at once. Empty: one second's worth.", ge=1, le=1_000_000
    )
    breaker: Breaker = Breaker()
    queue: DurationField = Field(
        Duration(5_000), description="Work that waits in a lane's memory, by its rate; the rest waits on the tiers."
    )
    horizon: DurationField = Field(
        Duration(600_000), description="How far ahead a lane promises slots; beyond it a task asks again."
    )
    retry_after_cap: DurationField = Field(
        Duration(3_600_000), description="The longest pause that a receiver's Retry-After gets."
    )


#: The bounds of durations here: key in the section, least and most.
BOUNDS = (
    ("breaker.window", Duration(1_000), Duration(3_600_000)),
    ("breaker.open", Duration(100), Duration(DAY_MS)),
    ("breaker.open_most", Duration(100), Duration(DAY_MS)),
    ("queue", Duration(100), Duration(60_000)),
    ("horizon", Duration(10_000), Duration(3_600_000)),
    ("retry_after_cap", Duration(1_000), Duration(DAY_MS)),
)
