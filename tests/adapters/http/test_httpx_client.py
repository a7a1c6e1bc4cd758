"""What is httpx's alone: calls that end where they are cancelled, connections of its own, and a machine without pyreqwest."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from streamer.adapters.demo.exchange import SILENCE, After, Answer
from streamer.adapters.http.client_options import ClientOptions
from streamer.adapters.http.httpx_client.links import Links
from streamer.adapters.http.httpx_client.tls_context import tls_context
from streamer.adapters.http.library import ClientClosed, HttpLibrary, UnfitTransport
from streamer.adapters.http.transport import Transport
from streamer.core.outcome import ErrorType, Failure, Response
from streamer.core.policy import Policy
from streamer.core.request import Request
from streamer.core.send_policy import Http2
from tests.adapters.http.conftest import MakeSender
from tests.adapters.http.test_misbehaving import came_to
from tests.support.authority import Authority
from tests.support.http2_server import http2_server
from tests.support.misbehaving import Comes
from tests.support.misbehaving_http2 import PEERS
from tests.support.policies import Sayings, delivery_to
from tests.support.raw_server import raw_server
from tests.support.receiver import Receiver
from tests.support.sending import delivery_of
from tests.support.tls import HOST, make_certificate, tls_server
from tests.support.waiting import until

pytestmark = pytest.mark.parametrize("library", ["httpx"], indirect=True)

TIMEOUT_MS = 300
#: A peer that misbehaves → what a call comes to where that is something else than with pyreqwest.
OTHERWISE: Mapping[str, Comes] = {
    # httpcore gives up all calls of a connection once the peer says that it is closing, finished or not.
    "gone away, and answered": Comes.BROKEN,
    "gone away, and silent": Comes.BROKEN,
    # It waits where the Rust library counts, or looks at the first bytes.
    "empty pieces without end": Comes.LATE,
    "a list of headers too long": Comes.LATE,
    "HTTP/1.1": Comes.LATE,
    "a frame of 16 MiB": Comes.LATE,
    "settings acknowledged twice": Comes.LATE,
}
#: Forbids packages, and then does what follows.
WITHOUT = """
import sys, asyncio
class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {forbidden}:
            raise ModuleNotFoundError(f"No module named '{{name}}'", name=name)
sys.meta_path.insert(0, Forbidden())
"""


def speaking_http2(url: str) -> Sayings:
    """Return a book by which a domain is spoken to in HTTP/2 at once."""
    sayings = Sayings()
    sayings.say(url, Policy(http2=Http2.PRIOR_KNOWLEDGE))
    return sayings


async def output_of(forbidden: set[str], code: str, *arguments: str) -> tuple[str, str]:
    """Run code in a process that lacks some packages, and return what it says on both channels."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WITHOUT.format(forbidden=sorted(forbidden)) + code, *arguments),
        cwd=Path(__file__).parents[3],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        said, complained = await child.communicate()
    return said.decode(), complained.decode()


async def test_cancelled_call_is_gone_from_the_wire(make_sender: MakeSender, receiver: Receiver) -> None:
    """Who cancels a call closes its connection, long before its timeout."""
    sender = make_sender()
    request = Request(receiver.on("/silent", SILENCE), timeout_ms=60_000)
    task = asyncio.create_task(sender.send(delivery_of(request)))
    await receiver.wait_for(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not receiver.server.open_connections)


async def test_idle_connections_are_bounded_in_number_and_time(make_sender: MakeSender, receiver: Receiver) -> None:
    """Of ten connections two stay open, and these for as long as they may be idle."""
    sender = make_sender(options=ClientOptions(idle_per_host=2, idle_timeout_ms=300))
    slow = Request(receiver.on("/slow", Answer(delay_s=0.05)))
    await asyncio.gather(*(sender.send(delivery_of(slow)) for _ in range(10)))
    assert receiver.server.accepted == 10
    await until(lambda: receiver.server.open_connections == 2, within_s=0.25)
    await sender.send(delivery_of(slow))
    assert receiver.server.accepted == 10, "one that was idle is used"
    await until(lambda: not receiver.server.open_connections)


async def test_connection_that_the_peer_has_closed_is_not_used(make_sender: MakeSender, receiver: Receiver) -> None:
    """A target that closes after each answer, without having said so, costs a connection and no call."""
    sender = make_sender()
    url = receiver.on("/closing", Answer(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", after=After.CLOSE))
    for number in range(1, 4):
        assert isinstance((await sender.send(delivery_of(Request(url)))).end, Response)
        await until(lambda: not receiver.server.open_connections)
        assert receiver.server.accepted == number


async def test_a_call_that_is_given_up_takes_no_other_along(make_sender: MakeSender) -> None:
    """Over HTTP/2 calls after it use another connection; one beside it is answered on the old one, which then closes."""
    async with http2_server() as server:
        url = f"http://127.0.0.1:{server.port}/"
        sender = make_sender(policies=speaking_http2(url))
        await sender.send(delivery_to(Request(url)))
        server.hold.clear()
        beside = asyncio.create_task(sender.send(delivery_to(Request(url, timeout_ms=20_000))))
        late = await sender.send(delivery_to(Request(url, timeout_ms=100)))
        assert isinstance(late.end, Failure)
        assert late.end.error is ErrorType.FIRST_BYTE_TIMEOUT
        after = asyncio.create_task(sender.send(delivery_to(Request(url))))
        await until(lambda: server.connections == 2)
        server.hold.set()
        exchanges = await asyncio.gather(beside, after)
        assert all(isinstance(exchange.end, Response) for exchange in exchanges)
        await until(lambda: server.open == 1)


async def test_every_peer_that_misbehaves_in_http2_comes_to_a_value_in_time(make_sender: MakeSender) -> None:
    """All of them at once: none raises, none outlasts its time, and no answer is made of what is none."""

    async def call(name: str) -> tuple[str, Comes]:
        async with raw_server(PEERS[name].handle) as port:
            url = f"http://127.0.0.1:{port}/"
            sender = make_sender(policies=speaking_http2(url))
            exchange = await sender.send(delivery_to(Request(url, body=b"{}", timeout_ms=2_000)))
            await sender.close()
        assert exchange.duration_ms < 5_000
        return name, came_to(exchange.end)

    # Those that talk without end would take the time from the others.
    calm = [name for name in PEERS if not name.endswith("without end")]
    found = dict(await asyncio.gather(*(call(name) for name in calm)))
    assert found == {name: OTHERWISE.get(name, PEERS[name].comes) for name in calm}


async def test_a_client_that_is_closed_cancels_nobody(library: HttpLibrary) -> None:
    """Who waits for its connection is told that it is closed, and is not taken for cancelled."""
    asked = asyncio.Event()

    async def never() -> Failure:
        asked.set()
        future: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()
        return await future

    links = Links(never, may_share=True, idle_most=1, idle_s=1.0)
    waiting = asyncio.create_task(links.take())
    await asked.wait()
    await links.close()
    for take in (waiting, links.take()):
        with pytest.raises(ClientClosed):
            await take


@pytest.mark.parametrize("name", [name for name in PEERS if name.endswith("without end")])
async def test_a_peer_that_talks_http2_without_end_comes_to_a_value_in_time(make_sender: MakeSender, name: str) -> None:
    """It keeps the event loop busy, and its call ends all the same."""
    async with raw_server(PEERS[name].handle) as port:
        url = f"http://127.0.0.1:{port}/"
        sender = make_sender(policies=speaking_http2(url))
        exchange = await sender.send(delivery_to(Request(url, body=b"{}", timeout_ms=TIMEOUT_MS)))
    assert came_to(exchange.end) is OTHERWISE.get(name, PEERS[name].comes), exchange.end
    assert exchange.duration_ms < TIMEOUT_MS + 1_500


@pytest.mark.parametrize("host", [f"{HOST}.", "127.0.0.1", "[::1]"])
async def test_certificate_is_that_of_the_urls_host(make_sender: MakeSender, tmp_path: Path, host: str) -> None:
    """A name may have a dot at its end, which no certificate has; an address must stand in the certificate itself."""
    certificate = make_certificate(tmp_path)

    async def here(name: str) -> tuple[str, ...]:
        return ("127.0.0.1",)

    async with tls_server(certificate) as port:
        trusting = ClientOptions(root_certificates=(certificate.certificate.read_bytes(),))
        sender = make_sender(look_up=here, options=trusting)
        end = (await sender.send(delivery_of(Request(f"https://{host}:{port}/")))).end
    if host.startswith(HOST):
        assert isinstance(end, Response), end
    else:
        assert isinstance(end, Failure)
        assert end.error is (ErrorType.CONNECT if host == "[::1]" else ErrorType.TLS), end


def test_a_key_behind_a_password_is_refused_and_nobody_asked(library: HttpLibrary) -> None:
    """OpenSSL would ask for the password at the terminal, and the worker would wait for somebody to come."""
    mine = Authority().issue(["us"], client=True)
    key = serialization.load_pem_private_key(mine.both, None)
    sealed = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"CANARY")
    )
    with pytest.raises(UnfitTransport, match=r"tls\.client_certificate"):
        tls_context((), Transport(identity=mine.certificate + sealed), ["http/1.1"])


async def test_all_of_it_works_without_pyreqwest(library: HttpLibrary, receiver: Receiver, tmp_path: Path) -> None:
    """The command line is there and calls are made; who chooses what is missing is told the setting and the way out."""
    certificate = make_certificate(tmp_path)
    code = (
        "import streamer.cli.app, streamer.bootstrap.worker\n"
        "from streamer.adapters.http.libraries import LibraryMissing, library_of\n"
        "from tests.support import one_call\n"
        "asyncio.run(one_call.main('httpx', open(sys.argv[1], 'rb').read(), sys.argv[2:]))\n"
        "try: library_of('pyreqwest')\n"
        "except LibraryMissing as error: print(error)\n"
    )
    async with tls_server(certificate) as port:
        said, _ = await output_of(
            {"pyreqwest"}, code, str(certificate.certificate), receiver.url, f"https://{HOST}:{port}/"
        )
    first, second, refusal = said.splitlines()
    assert (first, second) == ("200", "200")
    assert refusal.startswith("http.client is pyreqwest, which cannot be imported here")
    assert "set http.client to httpx" in refusal


async def test_without_h2_all_targets_get_http1(library: HttpLibrary, tmp_path: Path) -> None:
    """A target that speaks both is spoken to in HTTP/1.1, which is said at the start."""
    certificate = make_certificate(tmp_path)
    code = (
        "import logging; logging.basicConfig(format='%(message)s')\n"
        "from tests.support import one_call\n"
        "asyncio.run(one_call.main('httpx', open(sys.argv[1], 'rb').read(), sys.argv[2:]))\n"
    )
    async with tls_server(certificate) as port:
        said, complained = await output_of({"h2"}, code, str(certificate.certificate), f"https://{HOST}:{port}/")
    assert said.split() == ["200"]
    assert "the package h2 is not installed" in complained
