"""The script that takes slots in Redis, many reservations a call: the arithmetic of core.reservation, in one step.

It goes by Redis' own clock, since those of the workers differ. All reading comes before all writing, so that a Redis
without memory, or one that only replicates, refuses a call whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from streamer.core.reservation import STEP_US, Pace

#: What the script answers for a reservation whose slot lies beyond its horizon.
BEYOND = -1

#: A key holds "arrival time:moved at", in µs. What is no such text counts as nothing, and is written over.
LUA = f"""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local tats, changed, waits = {{}}, {{}}, {{}}
for i, key in ipairs(KEYS) do
  local kept = redis.pcall('GET', key)
  local tat, at
  if type(kept) == 'string' then tat, at = string.match(kept, '^(%d+):(%d+)$') end
  tat, at = tonumber(tat or 0), tonumber(at or 0)
  if at - now > {STEP_US} then tat = tat - (at - now) end
  tats[i] = tat
end
local a = 1
while ARGV[a] do
  local horizon, last = tonumber(ARGV[a]), a + 3 * ARGV[a + 1] - 1
  local slot = now
  for l = a + 2, last, 3 do
    slot = math.max(slot, tats[tonumber(ARGV[l])] - (ARGV[l + 2] - 1) * ARGV[l + 1])
  end
  if slot - now <= horizon then
    for l = a + 2, last, 3 do
      local i = tonumber(ARGV[l])
      tats[i] = math.max(tats[i], slot) + ARGV[l + 1]
      changed[i] = true
    end
    waits[#waits + 1] = slot - now
  else
    waits[#waits + 1] = {BEYOND}
  end
  a = last + 3
end
for i in pairs(changed) do
  local kept_ms = math.ceil((tats[i] - now) / 1000) + {STEP_US // 1000}
  redis.call('SET', KEYS[i], string.format('%.0f:%.0f', tats[i], now), 'PX', string.format('%.0f', kept_ms))
end
return waits
"""


class Ask(Struct, frozen=True, gc=False):
    """One reservation: its keys with their paces, and how long its wait may be."""

    paces: Sequence[tuple[str, Pace]]
    horizon_us: int


def arguments(asks: Sequence[Ask], prefix: str) -> tuple[list[str], list[int]]:
    """Return the script's keys, each once, and its numbers: per ask horizon, count, and (key, spacing, burst) each."""
    places: dict[str, int] = {}
    numbers: list[int] = []
    for ask in asks:
        numbers += (ask.horizon_us, len(ask.paces))
        for key, pace in ask.paces:
            place = places.setdefault(key, len(places) + 1)
            numbers += (place, pace.spacing_us, pace.burst)
    return [prefix + key for key in places], numbers
