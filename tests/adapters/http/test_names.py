"""Names: looked up once, judged whole, remembered for a while, kept steady."""

from __future__ import annotations

import asyncio

import pytest

from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.names import BY_PROXY, Known, Names, SystemLookUp
from streamer.core.outcome import ErrorType
from tests.support.sending import WallClock

A, B, INSIDE = "1.1.1.1", "8.8.8.8", "10.0.0.1"


class Directory:
    """A resolver by script: what it answers now, how often it was asked, and a gate that holds its answers."""

    def __init__(self, *addresses: str) -> None:
        self.addresses: tuple[str, ...] | OSError = addresses
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.answered = asyncio.Event()

    async def __call__(self, host: str) -> tuple[str, ...]:
        self.asked += 1
        await self.gate.wait()
        self.answered.set()
        if isinstance(self.addresses, OSError):
            raise self.addresses
        return self.addresses


def names_of(directory: Directory, clock: WallClock | None = None, **options: int) -> Names:
    """Return a memory with the default policy."""
    return Names(AddressPolicy(), clock or WallClock(), directory, **options)


async def refreshed(names: Names, directory: Directory) -> Known | None:
    """Wait for the look-up in the background, and return what is known then."""
    await asyncio.wait_for(directory.answered.wait(), 30)
    await names.ask("a.test")
    return names.recall("a.test")


async def test_many_calls_ask_once() -> None:
    """A hundred calls for a new host wait for one look-up, then nobody asks until it is stale."""
    directory = Directory(A)
    names = names_of(directory)
    assert names.recall("a.test") is None
    known = await asyncio.gather(*(names.ask("a.test") for _ in range(100)))
    assert {k.addresses for k in known} == {(A,)}
    assert names.recall("a.test") is known[0]
    assert directory.asked == 1


async def test_given_up_call_leaves_the_look_up_to_the_others() -> None:
    """Cancelling one of two that wait takes nothing from the other."""
    directory = Directory(A)
    directory.gate.clear()
    names = names_of(directory)
    first, second = asyncio.create_task(names.ask("a.test")), asyncio.create_task(names.ask("a.test"))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    directory.gate.set()
    assert (await second).addresses == (A,)
    assert directory.asked == 1


@pytest.mark.parametrize("found", [(A, INSIDE), (INSIDE, A), (INSIDE,), ("::ffff:10.0.0.1",), ("fe80::1%lo", A)])
async def test_one_bad_address_refuses_all(found: tuple[str, ...]) -> None:
    """A name that leads to a public and an inner address is refused whatever their order."""
    known = await names_of(Directory(*found)).ask("a.test")
    assert known.failure is not None
    assert known.failure.error is ErrorType.BLOCKED
    assert not known.failure.begun
    assert known.addresses == ()


async def test_stale_name_is_used_while_it_is_asked_again() -> None:
    """After the TTL the old address goes on being called until the new answer is there."""
    clock, directory = WallClock(), Directory(A)
    names = names_of(directory, clock, ttl_ms=1_000)
    await names.ask("a.test")
    directory.addresses = (B,)
    directory.answered.clear()
    clock.ahead_ms += 1_001
    known = names.recall("a.test")
    assert known is not None
    assert known.addresses == (A,)
    await asyncio.wait_for(directory.answered.wait(), 30)
    await asyncio.sleep(0)
    known = names.recall("a.test")
    assert known is not None
    assert known.addresses == (B,)
    assert directory.asked == 2


async def test_old_name_is_not_used_unasked() -> None:
    """After twice the TTL nothing is called before the name is looked up again."""
    clock, directory = WallClock(), Directory(A)
    names = names_of(directory, clock, ttl_ms=1_000)
    await names.ask("a.test")
    clock.ahead_ms += 2_001
    assert names.recall("a.test") is None


async def test_rebound_name_is_judged_anew() -> None:
    """A name that was public and now leads inside is refused at its next look-up."""
    clock, directory = WallClock(), Directory(A)
    names = names_of(directory, clock, ttl_ms=1_000)
    await names.ask("a.test")
    directory.addresses = (INSIDE,)
    clock.ahead_ms += 2_001
    known = await names.ask("a.test")
    assert known.failure is not None
    assert known.failure.error is ErrorType.BLOCKED


async def test_shuffled_answers_keep_the_address() -> None:
    """An answer in another order does not move the connections to another address."""
    clock, directory = WallClock(), Directory(A, B)
    names = names_of(directory, clock, ttl_ms=1_000)
    await names.ask("a.test")
    directory.addresses = (B, A)
    clock.ahead_ms += 2_001
    assert (await names.ask("a.test")).addresses == (A, B)


async def test_unreachable_address_goes_behind_the_others() -> None:
    """After a failed connection the next call tries the name's next address, once."""
    names = names_of(Directory(A, B))
    await names.ask("a.test")
    names.demote("a.test", A)
    names.demote("a.test", A)
    known = names.recall("a.test")
    assert known is not None
    assert known.addresses == (B, A)


async def test_unknown_name_is_asked_again_after_a_second() -> None:
    """A failure is remembered for a second, so that a backlog for a dead name asks once."""
    clock, directory = WallClock(), Directory()
    directory.addresses = OSError("no such name")
    names = names_of(directory, clock)
    known = await names.ask("a.test")
    assert known.failure is not None
    assert (known.failure.error, known.failure.begun) == (ErrorType.DNS, False)
    assert names.recall("a.test") is known
    clock.ahead_ms += 1_001
    assert names.recall("a.test") is None


async def test_failed_refresh_keeps_a_usable_address() -> None:
    """A resolver's hiccup does not stop the calls until the address is too old."""
    clock, directory = WallClock(), Directory(A)
    names = names_of(directory, clock, ttl_ms=10_000)
    await names.ask("a.test")
    directory.addresses = OSError("try again")
    clock.ahead_ms += 10_001
    assert (await names.ask("a.test")).addresses == (A,)
    clock.ahead_ms += 10_000
    assert (await names.ask("a.test")).failure is not None


async def test_name_without_addresses_is_dns() -> None:
    """An empty answer is no address to call."""
    known = await names_of(Directory()).ask("a.test")
    assert known.failure is not None
    assert known.failure.error is ErrorType.DNS


@pytest.mark.parametrize(
    ("host", "allowed"), [("127.0.0.1", False), ("[::1]", False), ("1.1.1.1", True), ("[2606:4700::1111]", True)]
)
async def test_literals_are_judged_and_never_looked_up(host: str, allowed: bool) -> None:
    """An address in the URL is judged as such; no resolver sees it."""
    directory = Directory(A)
    known = await names_of(directory).ask(host)
    assert (known.failure is None) is allowed
    assert directory.asked == 0


@pytest.mark.parametrize(
    ("host", "refused", "public"),
    [
        ("a.test", False, True),
        ("mine.test", False, False),
        ("denied.test", True, True),
        ("metadata.goog", True, True),
        ("127.0.0.1", True, True),
        ("1.1.1.1", False, True),
    ],
)
async def test_names_that_a_proxy_resolves_are_judged_as_names(host: str, refused: bool, public: bool) -> None:
    """Without a resolver of ours names have no address, host rules hold, and addresses in URLs are judged."""
    policy = AddressPolicy(allow_hosts=frozenset({"mine.test"}), deny_hosts=frozenset({"denied.test"}))
    known = await Names(policy, WallClock(), None).ask(host)
    assert (known.failure is not None, known.public) == (refused, public)
    assert known.addresses == (() if refused else (host,) if host == "1.1.1.1" else (BY_PROXY,))


async def test_memory_is_bounded() -> None:
    """Of more hosts than the limit the oldest is forgotten."""
    names = names_of(Directory(A), limit=2)
    for host in ("a.test", "b.test", "c.test"):
        await names.ask(host)
    assert names.recall("a.test") is None
    assert names.recall("c.test") is not None


async def test_system_knows_this_machine() -> None:
    """The system's resolver returns every address of localhost once, and OSError for what is not there."""
    look_up = SystemLookUp()
    found = await look_up("localhost")
    assert set(found) <= {"127.0.0.1", "::1"}
    assert len(set(found)) == len(found) > 0
    with pytest.raises(OSError, match=r"."):
        await look_up("nothing.invalid")
    look_up.close()
