"""TLS per domain: authorities and client certificates from secrets, verification off by a word, and all else closed."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from streamer.adapters.http.client_options import ClientOptions
from streamer.adapters.http.httpx_client.library import HttpxLibrary
from streamer.adapters.http.library import HttpLibrary
from streamer.adapters.http.sender import HttpSender
from streamer.adapters.http.transport import Transport
from streamer.core.outcome import ErrorType, Failure, Response
from streamer.core.policy import Policy
from streamer.core.request import Request
from streamer.core.send_policy import Tls
from tests.adapters.http.conftest import MakeSender
from tests.support.authority import Authority, server_context
from tests.support.held_secrets import HeldSecrets
from tests.support.http2_server import Http2Server, http2_server
from tests.support.libraries import both_libraries
from tests.support.policies import Sayings, delivery_to
from tests.support.raw_server import raw_server

HOST = "secure.test"


async def to_this_machine(host: str) -> tuple[str, ...]:
    return ("127.0.0.1",)


@pytest.fixture(scope="module")
def authority() -> Authority:
    """An authority that no system trusts."""
    return Authority()


@asynccontextmanager
async def serving(context: ssl.SSLContext) -> AsyncIterator[tuple[str, Http2Server]]:
    """Serve, and give the URL."""
    async with http2_server(context) as server:
        yield f"https://{HOST}:{server.port}/?canary", server


async def end_of(sender: HttpSender, url: str) -> Response | Failure:
    """Call a URL, and return the end, whose message never tells the URL's query."""
    exchange = await sender.send(delivery_to(Request(url, timeout_ms=5_000)))
    assert not isinstance(exchange.end, Failure) or "canary" not in exchange.end.message
    return exchange.end


def error_of(end: Response | Failure) -> ErrorType | None:
    return end.error if isinstance(end, Failure) else None


def self_signed(authority: Authority, directory: Path) -> ssl.SSLContext:
    return server_context(Authority("Stranger").issue([HOST]), directory)


def expired(authority: Authority, directory: Path) -> ssl.SSLContext:
    return server_context(authority.issue([HOST], life=timedelta(hours=1)), directory)


def of_another_host(authority: Authority, directory: Path) -> ssl.SSLContext:
    return server_context(authority.issue(["other.test", f"x.{HOST}", "*.test"]), directory)


def for_clients_only(authority: Authority, directory: Path) -> ssl.SSLContext:
    return server_context(authority.issue([HOST], client=True), directory)


def tls_1_0(authority: Authority, directory: Path) -> ssl.SSLContext:
    return server_context(authority.issue([HOST]), directory, newest=ssl.TLSVersion.TLSv1)


def tls_1_1(authority: Authority, directory: Path) -> ssl.SSLContext:
    return server_context(authority.issue([HOST]), directory, newest=ssl.TLSVersion.TLSv1_1)


def signed_over_sha1(authority: Authority, directory: Path) -> ssl.SSLContext:
    return server_context(authority.issue_over_sha1(HOST, directory), directory, newest=ssl.TLSVersion.TLSv1_2)


def without_encryption(authority: Authority, directory: Path) -> ssl.SSLContext:
    return server_context(authority.issue([HOST]), directory, newest=ssl.TLSVersion.TLSv1_2, ciphers="eNULL")


def wants_a_certificate(authority: Authority, directory: Path) -> ssl.SSLContext:
    # Of TLS 1.3 the loop's server drops the alert that tells why it hangs up; see the test with a socket of its own.
    return server_context(authority.issue([HOST]), directory, wants=authority, newest=ssl.TLSVersion.TLSv1_2)


@both_libraries
@pytest.mark.parametrize(
    "context",
    [
        self_signed,
        expired,
        of_another_host,
        for_clients_only,
        tls_1_0,
        tls_1_1,
        signed_over_sha1,
        without_encryption,
        wants_a_certificate,
    ],
)
async def test_bad_handshakes_fail_closed(
    make_sender: MakeSender,
    authority: Authority,
    tmp_path: Path,
    context: Callable[[Authority, Path], ssl.SSLContext],
) -> None:
    """D6: whatever is wrong with the other side's TLS, the call ends as a failure of TLS and no request is served."""
    sender = make_sender(look_up=to_this_machine, options=ClientOptions(root_certificates=(authority.pem,)))
    async with serving(context(authority, tmp_path)) as (url, server):
        end = await end_of(sender, url)
    assert isinstance(end, Failure)
    assert end.error is ErrorType.TLS, end
    assert server.versions == []


@both_libraries
async def test_certificate_of_a_thousand_names_makes_no_long_message(
    make_sender: MakeSender, library: HttpLibrary, authority: Authority, tmp_path: Path
) -> None:
    """What a peer writes into its certificate is quoted, by the library that quotes it, and cut."""
    sender = make_sender(look_up=to_this_machine, options=ClientOptions(root_certificates=(authority.pem,)))
    names = [f"a-long-name-of-a-host-{number}.test" for number in range(1_000)]
    async with serving(server_context(authority.issue(names), tmp_path)) as (url, _):
        end = await end_of(sender, url)
    assert isinstance(end, Failure)
    assert ("a-long-name-of-a-host-0.test" in end.message) is (not isinstance(library, HttpxLibrary))
    assert len(end.message) <= 300


@both_libraries
@pytest.mark.parametrize("stranger", [False, True])
async def test_refused_certificate_of_ours_is_tls(
    make_sender: MakeSender, library: HttpLibrary, authority: Authority, tmp_path: Path, stranger: bool
) -> None:
    """D6: with TLS 1.3 our certificate, or that there is none, is refused after the handshake: a failure all the same."""
    context = server_context(authority.issue([HOST]), tmp_path, wants=authority)
    sayings, secrets = Sayings(), HeldSecrets(mine=Authority("Stranger").issue(["us"], client=True).both)
    options = ClientOptions(root_certificates=(authority.pem,))
    sender = make_sender(look_up=to_this_machine, options=options, policies=sayings, secrets=secrets)

    def shake_hands(listening: socket.socket) -> str:
        accepted, _ = listening.accept()
        with accepted:
            try:
                context.wrap_socket(accepted, server_side=True)
            except ssl.SSLError as error:
                return str(error.reason)
        return "shaken"

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)
        url = f"https://{HOST}:{listening.getsockname()[1]}/?canary"
        sayings.say(url, Policy(tls=Tls(client_certificate="mine" if stranger else None)))
        said, end = await asyncio.gather(asyncio.to_thread(shake_hands, listening), end_of(sender, url))
    assert said == ("CERTIFICATE_VERIFY_FAILED" if stranger else "PEER_DID_NOT_RETURN_A_CERTIFICATE")
    # Over asyncio a write that fails loses what was to be read, here the alert with the reason.
    lost = isinstance(library, HttpxLibrary)
    assert error_of(end) in ((ErrorType.TLS, ErrorType.UNKNOWN) if lost else (ErrorType.TLS,)), end


@both_libraries
@pytest.mark.parametrize(
    "bytes_sent", [b"", b"\x16\x03\x03\x00\x40\x02\x00", b"\x15\x03\x03\x00\x02\x02\x28", b"220 mail\r\n"]
)
async def test_handshakes_that_break_off_fail_closed(make_sender: MakeSender, bytes_sent: bytes) -> None:
    """D6: a peer that hangs up within the handshake, or says something else, was not connected to."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(bytes_sent)

    async with raw_server(handle) as port:
        end = await end_of(make_sender(look_up=to_this_machine), f"https://{HOST}:{port}/?canary")
    assert isinstance(end, Failure)
    assert (end.error, end.begun) == (ErrorType.TLS, False), end


@both_libraries
async def test_domain_trusts_its_own_authority(make_sender: MakeSender, authority: Authority, tmp_path: Path) -> None:
    """A secret with certificates opens one domain, at its very place in the list, and no other domain."""
    both = Authority("Another").pem + authority.pem
    sayings, secrets = Sayings(), HeldSecrets(ca=both)
    sender = make_sender(look_up=to_this_machine, policies=sayings, secrets=secrets)
    async with serving(server_context(authority.issue([HOST, "other.test"]), tmp_path)) as (url, _):
        assert error_of(await end_of(sender, url)) is ErrorType.TLS
        sayings.say(url, Policy(tls=Tls(ca="ca")))
        assert error_of(await end_of(sender, url)) is None
        assert error_of(await end_of(sender, url.replace(HOST, "other.test"))) is ErrorType.TLS


@both_libraries
@pytest.mark.parametrize("slow", [False, True])
async def test_domain_is_shown_our_certificate(
    make_sender: MakeSender, authority: Authority, tmp_path: Path, slow: bool
) -> None:
    """A target that wants a certificate gets the domain's, be its secret at hand or not."""
    mine = authority.issue(["streamer"], client=True)
    sayings, secrets = Sayings(), HeldSecrets(slow, ca=authority.pem, mine=mine.both)
    sender = make_sender(look_up=to_this_machine, policies=sayings, secrets=secrets)
    async with serving(wants_a_certificate(authority, tmp_path)) as (url, server):
        sayings.say(url, Policy(tls=Tls(ca="ca", client_certificate="mine")))
        assert error_of(await end_of(sender, url)) is None
        sayings.say(url, Policy(tls=Tls(ca="ca")))
        assert error_of(await end_of(sender, url)) is ErrorType.TLS, "no connection outlives the certificate it showed"
    assert len(server.versions) == 1


@both_libraries
async def test_rotated_certificate_is_used_from_the_next_call_on(
    make_sender: MakeSender, authority: Authority, tmp_path: Path
) -> None:
    """A secret that holds something else makes a new client; connections of the old one take no more calls."""
    mine = authority.issue(["streamer"], client=True)
    sayings, secrets = Sayings(), HeldSecrets(ca=authority.pem, mine=mine.both)
    sender = make_sender(look_up=to_this_machine, policies=sayings, secrets=secrets)
    async with serving(wants_a_certificate(authority, tmp_path)) as (url, server):
        sayings.say(url, Policy(tls=Tls(ca="ca", client_certificate="mine")))
        assert [error_of(await end_of(sender, url)) for _ in range(2)] == [None, None]
        assert server.connections == 1
        secrets.values["mine"] = authority.issue(["streamer"], client=True).both
        assert error_of(await end_of(sender, url)) is None
        assert server.connections == 2
        secrets.values["mine"] = Authority("Stranger").issue(["streamer"], client=True).both
        assert error_of(await end_of(sender, url)) is ErrorType.TLS


@both_libraries
@pytest.mark.parametrize(
    ("tls", "part"),
    [
        (Tls(ca="nothing"), "secret nothing: nobody holds it"),
        (Tls(ca="junk"), "secret junk: tls.ca needs a certificate in PEM"),
        (Tls(ca="broken"), "tls.ca"),
        (Tls(client_certificate="junk"), "tls.client_certificate"),
        (Tls(client_certificate="keyless"), "tls.client_certificate"),
    ],
)
async def test_unfit_secrets_are_failures_of_ours(
    make_sender: MakeSender, authority: Authority, tmp_path: Path, tls: Tls, part: str
) -> None:
    """A secret that is missing or no PEM ends the call before it begins, with a message that quotes nothing of it."""
    broken = b"-----BEGIN CERTIFICATE-----\nQ0FOQVJZ\n-----END CERTIFICATE-----\n"
    keyless = authority.issue(["streamer"], client=True).certificate
    secrets = HeldSecrets(junk=b"CANARY", broken=broken, keyless=keyless)
    sayings = Sayings()
    sender = make_sender(look_up=to_this_machine, policies=sayings, secrets=secrets)
    async with serving(self_signed(authority, tmp_path)) as (url, server):
        sayings.say(url, Policy(tls=tls))
        end = await end_of(sender, url)
    assert isinstance(end, Failure)
    assert (end.error, end.begun) == (ErrorType.CREDENTIALS, False)
    assert part in end.message
    assert "CANARY" not in end.message
    assert "Q0FOQVJZ" not in end.message
    assert server.connections == 0


@both_libraries
async def test_verification_is_switched_off_by_a_word_that_is_logged(
    make_sender: MakeSender, authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the domain that says so is called unverified; that is told once, and so is its end, which holds at once."""
    sayings = Sayings()
    sender = make_sender(look_up=to_this_machine, policies=sayings)
    with caplog.at_level(logging.WARNING, "streamer.adapters.http.transport"):
        async with serving(self_signed(authority, tmp_path)) as (url, server):
            sayings.say(url, Policy(tls=Tls(verify=False)))
            assert [error_of(await end_of(sender, url)) for _ in range(3)] == [None] * 3
            assert error_of(await end_of(sender, url.replace(HOST, "other.test"))) is ErrorType.TLS
            sayings.say(url, Policy(tls=Tls()))
            assert error_of(await end_of(sender, url)) is ErrorType.TLS
            lane = f"{HOST}:{server.port}"
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == [
        f"{lane}: its certificate is not verified",
        f"{lane}: its certificate is verified again",
    ]


def test_private_keys_are_not_shown() -> None:
    """What holds a private key tells nothing of it."""
    assert "CANARY" not in repr(Transport(authorities=(b"CANARY",), identity=b"CANARY"))
