"""Names that change where they lead, at the worst moments: nobody gets from outside to inside."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from streamer.adapters.http.client_options import ClientOptions
from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.library import HttpLibrary
from streamer.adapters.http.sender import HttpSender
from streamer.core.outcome import ErrorType, Failure, Response
from streamer.core.request import Request
from tests.adapters.http.conftest import MakeSender
from tests.support.libraries import both_libraries
from tests.support.listener import listening, trap
from tests.support.recording import RecordProperty
from tests.support.sending import WallClock, delivery_of
from tests.support.waiting import until

#: Stand for the public internet: addresses of this machine that the policy opens, as it does all that is public.
PUBLIC, ALSO_PUBLIC = "127.0.0.2", "127.0.0.3"
INSIDE, INSIDE_6 = "127.0.0.1", "::1"
POLICY = AddressPolicy(allow_cidrs=(f"{PUBLIC}/32", f"{ALSO_PUBLIC}/32"))

Answer = tuple[str, ...] | OSError
TRIES = 100
#: What a name server says, time after time; over again from the start when it has said all.
SCRIPTS: dict[str, tuple[Answer, ...]] = {
    "public-then-inside.test": ((PUBLIC,), (INSIDE,)),
    "inside-then-public.test": ((INSIDE,), (PUBLIC,)),
    "seldom-inside.test": (*((PUBLIC,),) * 9, (INSIDE,)),
    "mixed.test": ((PUBLIC, INSIDE),),
    "mixed-other-way.test": ((INSIDE, PUBLIC),),
    "six-only.test": ((INSIDE_6,),),
    "six-beside.test": ((PUBLIC, INSIDE_6), (PUBLIC,)),
    "mapped.test": ((f"::ffff:{INSIDE}",), (PUBLIC,)),
    "fails-then-inside.test": (OSError("no such name"), (INSIDE,), (PUBLIC,)),
    "empty-then-inside.test": ((), (f"{INSIDE_6}%lo",), (INSIDE, INSIDE_6)),
}


class Rebinding:
    """A name server with a script for each name, which knows what it has said."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.last: Answer = ()

    async def __call__(self, host: str) -> tuple[str, ...]:
        """Say what comes next."""
        script = SCRIPTS[host]
        self.last = script[self.asked[host] % len(script)]
        self.asked[host] += 1
        if isinstance(self.last, OSError):
            raise self.last
        return self.last


@both_libraries
async def test_a_thousand_tries_with_a_ttl_of_zero_never_reach_the_inside(
    library: HttpLibrary, record_property: RecordProperty
) -> None:
    """A call goes out exactly when all that the name server has just said is public, and only there."""
    record_property("cases", TRIES * len(SCRIPTS))
    names, clock = Rebinding(), WallClock()
    async with listening(PUBLIC) as target, trap(INSIDE, INSIDE_6, port=target.port):
        sender = HttpSender(clock, POLICY, library, look_up=names, name_ttl_ms=0)
        for _ in range(TRIES):
            clock.ahead_ms += 1_001  # So long a name that does not resolve is left alone.
            for host in SCRIPTS:
                exchange = await sender.send(delivery_of(Request(f"http://{host}:{target.port}/")))
                if names.last == (PUBLIC,):
                    assert isinstance(exchange.end, Response), (host, exchange.end)
                    assert exchange.address == PUBLIC
                else:
                    nothing = not names.last or isinstance(names.last, OSError)
                    assert isinstance(exchange.end, Failure), host
                    assert exchange.end.error is (ErrorType.DNS if nothing else ErrorType.BLOCKED), host
                    assert not exchange.end.begun
        await sender.close()
        assert sum(names.asked.values()) == TRIES * len(SCRIPTS) == 1_000
        assert target.answered > 300


@both_libraries
async def test_a_name_that_answers_too_late_is_not_called(make_sender: MakeSender) -> None:
    """A slow name server costs its own call, and what it says in the end is judged like everything else."""
    says, asked = asyncio.Event(), asyncio.Event()

    async def slow(host: str) -> tuple[str, ...]:
        asked.set()
        await says.wait()
        return (INSIDE,)

    async with trap(INSIDE, INSIDE_6) as inside:
        sender = make_sender(POLICY, look_up=slow, options=ClientOptions(connect_timeout_ms=30))
        delivery = delivery_of(Request(f"http://slow.test:{inside.port}/"))
        first = await sender.send(delivery)
        assert asked.is_set()
        assert isinstance(first.end, Failure)
        assert (first.end.error, first.end.begun) == (ErrorType.DNS, False)
        says.set()
        second = await sender.send(delivery)
        assert isinstance(second.end, Failure)
        assert second.end.error is ErrorType.BLOCKED


@both_libraries
@pytest.mark.parametrize("moves_to", [INSIDE, INSIDE_6])
async def test_a_name_that_goes_inside_while_it_is_remembered(library: HttpLibrary, moves_to: str) -> None:
    """Between the TTL and its double the judged address is called on, then nothing; the new one never."""
    clock, answer, asked = WallClock(), [PUBLIC], asyncio.Event()

    async def look_up(host: str) -> tuple[str, ...]:
        asked.set()
        return tuple(answer)

    async with listening(PUBLIC) as target, trap(INSIDE, INSIDE_6, port=target.port):
        sender = HttpSender(clock, POLICY, library, look_up=look_up, name_ttl_ms=1_000)
        delivery = delivery_of(Request(f"http://moving.test:{target.port}/"))
        assert isinstance((await sender.send(delivery)).end, Response)
        answer[:] = [moves_to]
        asked.clear()
        clock.ahead_ms += 1_001
        assert (await sender.send(delivery)).address == PUBLIC
        await asyncio.wait_for(asked.wait(), 30)
        await asyncio.sleep(0)
        refused = await sender.send(delivery)
        assert isinstance(refused.end, Failure)
        assert refused.end.error is ErrorType.BLOCKED
        await sender.close()
        assert target.answered == 2


@both_libraries
async def test_a_name_that_moves_takes_its_connections_along(make_sender: MakeSender) -> None:
    """Once a name no more leads to the pinned address, calls go to the new one, and the old connection is closed."""
    answer: list[tuple[str, ...]] = [(PUBLIC,)]

    async def look_up(host: str) -> tuple[str, ...]:
        return answer[0]

    async with listening(PUBLIC) as old, listening(ALSO_PUBLIC, port=old.port) as new:
        sender = make_sender(POLICY, look_up=look_up, name_ttl_ms=0)
        delivery = delivery_of(Request(f"http://moving.test:{old.port}/"))
        for _ in range(3):
            assert (await sender.send(delivery)).address == PUBLIC
        answer[0] = (ALSO_PUBLIC, PUBLIC)
        assert (await sender.send(delivery)).address == PUBLIC, "it is still among them"
        assert (old.accepted, old.open) == (1, 1)
        answer[0] = (ALSO_PUBLIC,)
        assert (await sender.send(delivery)).address == ALSO_PUBLIC
        await until(lambda: old.open == 0)
        assert (old.answered, new.answered) == (4, 1)
