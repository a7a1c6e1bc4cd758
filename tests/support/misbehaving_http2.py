"""Peers that speak HTTP/2, and misbehave in the ways that only it has; each with what a call to it must come to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from tests.support.http2_frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    PREFACE,
    Kind,
    block,
    data,
    frame,
    go_away,
    head,
    next_request,
    reset,
    settings,
)
from tests.support.misbehaving import Comes, Peer
from tests.support.raw_server import Handle

#: Makes what is said in answer to the request on a stream.
Says = Callable[[int], bytes]

_DRIP_S = 0.05
_WIDEST = 2**31 - 1
_LONG = ("x-long", "y" * 1000)
_OK = ("content-length", "2")


def plays(
    says: Says, *, again: Says | None = None, drips: bool = False, opening: bytes | None = None, stays: bool = True
) -> Handle:
    """A peer that shakes hands and then says something to each request: once, or over and over, or now and then."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(settings() if opening is None else opening)
        await reader.readexactly(len(PREFACE))
        while True:
            stream = await next_request(reader)
            writer.write(says(stream))
            await writer.drain()
            while again is not None:
                writer.write(again(stream))
                await writer.drain()
                # Who reads as fast as this is written would else leave the loop no time for anything.
                await asyncio.sleep(_DRIP_S if drips else 0)
            if not stays:
                return

    return handle


def blurts(raw: bytes) -> Handle:
    """A peer that says something in place of its settings."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        await reader.read()

    return handle


def _whole(stream: int) -> bytes:
    return head(stream, _OK) + data(stream, b"ok", END_STREAM)


def _nothing(stream: int) -> bytes:
    return b""


def _begun(stream: int) -> bytes:
    """A head that more headers are to follow."""
    return frame(Kind.HEADERS, 0, stream, block((":status", "200")))


def _resets_with(code: int) -> Says:
    return lambda stream: reset(stream, code)


#: 4 KiB in the table of headers, and then that entry a thousand times: one byte each.
_HPACK_BOMB = bytes((0x40, 1, ord("x"), 0x7F, 0x81, 0x1F)) + b"y" * 4_096 + b"\xbe" * 12_000
_LARGE_LIST = block((":status", "200"), *[_LONG] * 40)

_ANSWERED = {"status": 200, "body": b"ok"}
_RESETS = {"nothing": 0, "a protocol error": 1, "an internal error": 2, "a cancel": 8, "calm": 11, "HTTP/1.1": 13}

PEERS: Mapping[str, Peer] = {
    # What ends in the midst.
    **{f"a stream reset for {why}": Peer(plays(_resets_with(code)), Comes.BROKEN) for why, code in _RESETS.items()},
    "every stream refused": Peer(plays(lambda s: reset(s, 7)), Comes.BROKEN),
    "a stream reset in its body": Peer(plays(lambda s: head(s) + data(s, b"half") + reset(s, 2)), Comes.BROKEN),
    "gone away, request untouched": Peer(plays(lambda s: go_away(0), stays=False), Comes.BROKEN),
    "gone away, request taken": Peer(plays(lambda s: go_away(s), stays=False), Comes.BROKEN),
    "gone away in calm": Peer(plays(lambda s: go_away(0, 11), stays=False), Comes.BROKEN),
    "gone away in the body": Peer(plays(lambda s: head(s) + data(s, b"half") + go_away(s), stays=False), Comes.BROKEN),
    "gone away, and answered": Peer(plays(lambda s: go_away(s) + _whole(s)), Comes.ANSWER, _ANSWERED),
    "gone away, and silent": Peer(plays(lambda s: go_away(s)), Comes.LATE),
    "gone without a word": Peer(plays(_nothing, stays=False), Comes.BROKEN),
    # What has no end.
    "continuations without end": Peer(
        plays(_begun, again=lambda s: frame(Kind.CONTINUATION, 0, s, block(_LONG))), Comes.BROKEN
    ),
    "empty continuations without end": Peer(
        plays(_begun, again=lambda s: frame(Kind.CONTINUATION, 0, s) * 100), Comes.BROKEN
    ),
    "interim heads without end": Peer(plays(_nothing, again=lambda s: head(s, _LONG, status="103")), Comes.LATE),
    "heads of other streams without end": Peer(plays(_nothing, again=lambda s: head(s + 1)), Comes.BROKEN),
    "settings without end": Peer(plays(_nothing, again=lambda s: settings((3, 100)) * 100), Comes.LATE),
    "pings without end": Peer(plays(_nothing, again=lambda s: frame(Kind.PING, 0, 0, bytes(8)) * 100), Comes.LATE),
    "priorities without end": Peer(
        plays(_nothing, again=lambda s: frame(Kind.PRIORITY, 0, s, bytes(5)) * 100), Comes.LATE
    ),
    "resets without end": Peer(plays(_nothing, again=lambda s: reset(s, 8) * 100), Comes.BROKEN),
    "empty pieces without end": Peer(plays(head, again=lambda s: data(s, b"") * 100), Comes.BROKEN),
    "a body without end": Peer(
        plays(head, again=lambda s: data(s, b"x" * 16_384) * 3, drips=True),
        Comes.ANSWER,
        {"status": 200, "truncated": True},
    ),
    "a body within the window, and no end": Peer(plays(lambda s: head(s) + data(s, b"x" * 1_000)), Comes.LATE),
    "a body bit by bit": Peer(plays(head, again=lambda s: data(s, b"x"), drips=True), Comes.LATE),
    "silence": Peer(plays(_nothing), Comes.LATE),
    "no settings": Peer(blurts(b""), Comes.LATE),
    "no window for the request": Peer(plays(_nothing, opening=settings((4, 0))), Comes.LATE),
    # What unpacks.
    "headers that unpack to megabytes": Peer(
        plays(lambda s: frame(Kind.HEADERS, END_HEADERS, s, (block((":status", "200")) + _HPACK_BOMB)[:16_384])),
        Comes.BROKEN,
    ),
    "a list of headers too long": Peer(
        plays(
            lambda s: (
                frame(Kind.HEADERS, 0, s, _LARGE_LIST[:16_384])
                + frame(Kind.CONTINUATION, END_HEADERS, s, _LARGE_LIST[16_384:])
            )
        ),
        Comes.BROKEN,
    ),
    # What is no HTTP/2.
    "HTTP/1.1": Peer(blurts(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"), Comes.BROKEN),
    "a frame of 16 MiB": Peer(plays(lambda s: frame(Kind.DATA, 0, s, b"x", length=2**24 - 1)), Comes.BROKEN),
    "headers that cannot be unpacked": Peer(
        plays(lambda s: frame(Kind.HEADERS, END_HEADERS, s, b"\xff" * 20)), Comes.BROKEN
    ),
    "settings on a stream": Peer(plays(lambda s: frame(Kind.SETTINGS, 0, s)), Comes.BROKEN),
    "settings of half a pair": Peer(plays(lambda s: frame(Kind.SETTINGS, 0, 0, b"abc")), Comes.BROKEN),
    "settings acknowledged twice": Peer(plays(lambda s: frame(Kind.SETTINGS, ACK, 0) * 3), Comes.BROKEN),
    "a window too wide": Peer(plays(lambda s: frame(Kind.WINDOW_UPDATE, 0, 0, _WIDEST.to_bytes(4)) * 2), Comes.BROKEN),
    "a window wider by nothing": Peer(plays(lambda s: frame(Kind.WINDOW_UPDATE, 0, 0, bytes(4))), Comes.BROKEN),
    "a promise": Peer(
        plays(lambda s: frame(Kind.PUSH_PROMISE, END_HEADERS, s, (2).to_bytes(4) + block((":path", "/")))), Comes.BROKEN
    ),
    "a body before its head": Peer(plays(lambda s: data(s, b"ok", END_STREAM)), Comes.BROKEN),
    "a body on a stream that is none": Peer(plays(lambda s: data(s + 100, b"ok")), Comes.BROKEN),
    "a continuation of nothing": Peer(
        plays(lambda s: frame(Kind.CONTINUATION, END_HEADERS, s, block((":status", "200")))), Comes.BROKEN
    ),
    "a head without a status": Peer(
        plays(lambda s: frame(Kind.HEADERS, END_HEADERS, s, block(("x", "1"))) + data(s, b"ok", END_STREAM)),
        Comes.BROKEN,
    ),
    "two statuses": Peer(plays(lambda s: head(s, (":status", "500")) + data(s, b"ok", END_STREAM)), Comes.BROKEN),
    "a name in capitals": Peer(plays(lambda s: head(s, ("X-Loud", "1")) + data(s, b"ok", END_STREAM)), Comes.BROKEN),
    "a header of HTTP/1.1": Peer(
        plays(lambda s: head(s, ("connection", "close")) + data(s, b"ok", END_STREAM)), Comes.BROKEN
    ),
    "less than its length": Peer(
        plays(lambda s: head(s, ("content-length", "9")) + data(s, b"half", END_STREAM)), Comes.BROKEN
    ),
    "more than its length": Peer(
        plays(lambda s: head(s, ("content-length", "1")) + data(s, b"half", END_STREAM)), Comes.BROKEN
    ),
    # What is odd, and an answer all the same.
    "an interim head": Peer(plays(lambda s: head(s, status="103") + _whole(s)), Comes.ANSWER, _ANSWERED),
    "trailers": Peer(
        plays(
            lambda s: head(s) + data(s, b"ok") + frame(Kind.HEADERS, END_HEADERS | END_STREAM, s, block(("x-sum", "1")))
        ),
        Comes.ANSWER,
        _ANSWERED,
    ),
    "frames of no known kind": Peer(
        plays(lambda s: b"\x00\x00\x01\xfa\x00\x00\x00\x00\x00z" + _whole(s)), Comes.ANSWER
    ),
}
