"""What the receiver's process answers, by path: a story chooses its target's behaviour in the URL."""

from __future__ import annotations

from collections import Counter
from zlib import crc32

from streamer.adapters.demo.exchange import DROP, OK, SILENCE, After, Answer, Arrival

_CUT = Answer(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", after=After.CLOSE)


class PathAnswers:
    """Answers by the path's words.

    ``/status/503``; ``/pause/429/2`` (429 with ``Retry-After: 2``); ``/delay/250`` (200 after 250 ms);
    ``/delay/250/500`` (500 after as long); ``/fail/2/500`` (the first 2 calls of each webhook-id get 500, later ones
    200); ``/chance/30/503`` (503 to 30 % of all calls, by a checksum of webhook-id and number of the call);
    ``/action/200/stop`` (200 with ``Streamer-Action: stop``); ``/says/200/busy`` (200 with ``{"code": "busy"}``);
    ``/drop``, ``/cut``, ``/silent``; any other path gets 200.
    """

    def __init__(self) -> None:
        """Begin with no call seen."""
        self._seen: Counter[str] = Counter()

    def __call__(self, arrival: Arrival) -> Answer:
        """Return the answer to one arrival."""
        match arrival.path.partition("?")[0].split("/")[1:]:
            case ["status", code]:
                return Answer(int(code))
            case ["pause", code, after_s]:
                return Answer(int(code), headers=(("Retry-After", after_s),))
            case ["delay", delay_ms]:
                return Answer(delay_s=int(delay_ms) / 1000)
            case ["delay", delay_ms, code]:
                return Answer(int(code), delay_s=int(delay_ms) / 1000)
            case ["fail", count, code]:
                key = arrival.header("webhook-id") or ""
                self._seen[key] += 1
                return Answer(int(code)) if self._seen[key] <= int(count) else OK
            case ["chance", percent, code]:
                key = arrival.header("webhook-id") or ""
                self._seen[key] += 1
                drawn = crc32(f"{key} {self._seen[key]}".encode()) % 100
                return Answer(int(code)) if drawn < int(percent) else OK
            case ["action", code, word]:
                return Answer(int(code), headers=(("Streamer-Action", word),))
            case ["says", code, word]:
                return Answer(int(code), body=b'{"code": "%s"}' % word.encode())
            case ["drop"]:
                return DROP
            case ["cut"]:
                return _CUT
            case ["silent"]:
                return SILENCE
            case _:
                return OK
