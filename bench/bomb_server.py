"""A receiver that means harm: answers with bombs, bodies without end and drips, all calls of a round at the same instant.

``python -m bench.bomb_server --ports 4 --at-once 200`` prints its ports as JSON and ends with its parent, or on SIGTERM. The
path says how a call is answered: ``/small``, ``/bomb``, ``/endless`` or ``/drip``. It answers nobody until so many calls
wait, and then all of them. ``GET /stats`` on the last port tells how many rounds were answered, and how many of their calls
have ended; ``GET /release`` answers those that wait, however many.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import zlib
from typing import Any, cast

import uvloop

#: What one bomb unpacks to, and a drip's rate.
BOMB_BYTES = 400 * 1024 * 1024
_DRIP_S = 1.0

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_OK = b"HTTP/1.1 200 OK\r\n"
_SMALL = _OK + b"content-length: 2\r\n\r\nok"
_ENDLESS = _OK + b"\r\n"
_DRIPS = _OK + b"content-length: 1000000\r\n\r\n"
_BLOCK = bytes(256 * 1024)


def packed_bomb(size: int = BOMB_BYTES) -> bytes:
    """Return so many zeros as gzip: for each MiB one KiB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1024 * 1024)
    return b"".join([packer.compress(block) for _ in range(size // len(block))]) + packer.flush()


class Round:
    """The calls that wait for an answer, and those that have had theirs."""

    def __init__(self, at_once: int, bomb: bytes) -> None:
        """Begin with none."""
        self.bomb = _OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb) + bomb
        self._at_once = at_once
        self._waiting: list[tuple[Caller, bytes]] = []
        self.reset()

    def reset(self) -> None:
        """Count anew."""
        self.rounds = self.answered = self.ended = self.most = 0

    def add(self, caller: Caller, path: bytes) -> None:
        """Let a call wait for the others of its round."""
        self._waiting.append((caller, path))
        if len(self._waiting) >= self._at_once:
            self.release()

    def release(self) -> None:
        """Answer all that wait."""
        waiting, self._waiting = self._waiting, []
        self.rounds += 1
        self.answered += len(waiting)
        self.most = max(self.most, len(waiting))
        for caller, path in waiting:
            caller.answer(path)

    def told(self) -> dict[str, int]:
        """Return the figures."""
        return {"rounds": self.rounds, "answered": self.answered, "ended": self.ended, "most_at_once": self.most}


class Caller(asyncio.Protocol):
    """One connection; reads just enough of HTTP to know when a request is whole."""

    def __init__(self, round_: Round) -> None:
        """Wrap the round that all connections share."""
        self._round = round_
        self._buffer = b""
        self._gone = False
        #: How the answer that is under way is given; empty when there is none.
        self._path = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, which says when all that was written is gone."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        """Let each whole request wait for its round."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            length = _LENGTH.search(head)
            stop = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < stop:
                return
            self._buffer = self._buffer[stop:]
            self._round.add(self, head.split(b" ", 2)[1].partition(b"?")[0])

    def answer(self, path: bytes) -> None:
        """Begin to answer, in the way that the path names."""
        self._path = path
        if self._gone:
            self._end()
        elif path == b"/drip":
            self._transport.write(_DRIPS)
            self._drip()
        else:
            known = {b"/bomb": self._round.bomb, b"/endless": _ENDLESS}
            self._say(known.get(path, _SMALL))

    def resume_writing(self) -> None:
        """All that was written has gone."""
        if self._path == b"/endless":
            self._say(_BLOCK)
        elif self._path != b"/drip":
            self._end()

    def connection_lost(self, error: Exception | None) -> None:
        """The call has ended, if it was still being answered."""
        self._gone = True
        self._end()

    def _say(self, raw: bytes) -> None:
        self._transport.write(raw)
        if self._transport.get_write_buffer_size() == 0 and not self._gone:
            # It went out at once: nobody will say that writing may go on.
            asyncio.get_running_loop().call_soon(self.resume_writing)

    def _drip(self) -> None:
        if not self._gone:
            self._transport.write(b"x")
            asyncio.get_running_loop().call_later(_DRIP_S, self._drip)

    def _end(self) -> None:
        self._round.ended += bool(self._path)
        self._path = b""


class Desk(asyncio.Protocol):
    """One connection to the port that tells the figures."""

    def __init__(self, round_: Round) -> None:
        """Wrap the counts."""
        self._round = round_

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer one question, after doing what it says."""
        path = data.split(b" ", 2)[1]
        if path == b"/release":
            self._round.release()
        body = json.dumps(self._round.told()).encode()
        if path == b"/reset":
            self._round.reset()
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))


async def _serve(ports: int, at_once: int) -> None:
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    round_ = Round(at_once, packed_bomb())
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    servers: list[Any] = [
        await loop.create_server(lambda: Caller(round_), "127.0.0.1", 0, backlog=1024) for _ in range(ports)
    ]
    servers.append(await loop.create_server(lambda: Desk(round_), "127.0.0.1", 0))
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await stopped.wait()


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="A receiver of bombs for the benchmark.")
    parser.add_argument("--ports", type=int, required=True)
    parser.add_argument("--at-once", type=int, required=True)
    args = parser.parse_args()
    uvloop.run(_serve(args.ports, args.at_once))


if __name__ == "__main__":
    main()
