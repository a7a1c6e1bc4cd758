"""Every way a call can fail, with real sockets: the client's words become the closed set of error types."""

from __future__ import annotations

import asyncio

import pytest

from streamer.adapters.demo.exchange import DROP, SILENCE, After, Answer
from streamer.adapters.http.client_options import ClientOptions
from streamer.core.outcome import ErrorType, Exchange, Failure, Response
from streamer.core.request import Request
from tests.adapters.http.conftest import MakeSender
from tests.support.libraries import both_libraries
from tests.support.raw_server import raw_server
from tests.support.receiver import Receiver
from tests.support.sending import closed_port, delivery_of, full_backlog
from tests.support.tls import HOST, Certificate, make_certificate, tls_server

HEAD = b"HTTP/1.1 200 OK\r\n"
BROKEN = {
    "dropped": (DROP, ErrorType.UNKNOWN),
    "half a head": (Answer(raw=b"HTTP/1.1 2", after=After.CLOSE), ErrorType.UNKNOWN),
    "not HTTP": (Answer(raw=b"SSH-2.0-OpenSSH_9\r\n\r\n", after=After.CLOSE), ErrorType.UNKNOWN),
    "half a body": (
        Answer(raw=HEAD + b"content-length: 9\r\n\r\nhalf", after=After.CLOSE),
        ErrorType.UNKNOWN,
    ),
    "bad chunk": (
        Answer(raw=HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\nab", after=After.CLOSE),
        ErrorType.UNKNOWN,
    ),
    "silence": (SILENCE, ErrorType.FIRST_BYTE_TIMEOUT),
    "body stalls": (
        Answer(raw=HEAD + b"content-length: 9\r\n\r\nhalf", after=After.HANG),
        ErrorType.TOTAL_TIMEOUT,
    ),
}


async def to_this_machine(host: str) -> tuple[str, ...]:
    """Resolve every name to the loopback address."""
    return ("127.0.0.1",)


def failure_of(exchange: Exchange) -> Failure:
    """Return the failure of an exchange, whose message never tells the URL with its secrets."""
    assert isinstance(exchange.end, Failure), exchange.end
    assert "secret" not in exchange.end.message
    return exchange.end


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A self-signed certificate."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@both_libraries
@pytest.mark.parametrize("case", BROKEN)
async def test_broken_answers_are_failures_of_a_begun_attempt(
    make_sender: MakeSender, receiver: Receiver, case: str
) -> None:
    """Whatever a peer does after it was reached, the attempt was begun and its end is a value."""
    answer, error = BROKEN[case]
    url = receiver.on("/broken?secret", answer)
    failure = failure_of(await make_sender().send(delivery_of(Request(url, body=b"x", timeout_ms=300))))
    assert (failure.error, failure.begun) == (error, True)
    assert len(receiver.arrivals) == 1


@both_libraries
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_refused_port_is_connect(make_sender: MakeSender, scheme: str) -> None:
    """A refused connection is CONNECT, with and without TLS."""
    with closed_port() as port:
        url = f"{scheme}://127.0.0.1:{port}/?secret"
        failure = failure_of(await make_sender().send(delivery_of(Request(url))))
    assert (failure.error, failure.begun) == (ErrorType.CONNECT, False)
    assert "refused" in failure.message


@both_libraries
async def test_swallowed_packets_are_connect_timeout(make_sender: MakeSender) -> None:
    """A target that answers no SYN ends in CONNECT_TIMEOUT, long before the whole timeout."""
    sender = make_sender(options=ClientOptions(connect_timeout_ms=200))
    with full_backlog() as port:
        exchange = await sender.send(delivery_of(Request(f"http://127.0.0.1:{port}/?secret")))
    failure = failure_of(exchange)
    assert (failure.error, failure.begun) == (ErrorType.CONNECT_TIMEOUT, False)
    assert 150 < exchange.duration_ms < 2_000


@both_libraries
async def test_stalled_handshake_is_connect_timeout(make_sender: MakeSender, receiver: Receiver) -> None:
    """A port that accepts and never shakes hands ends with the connect timeout."""
    sender = make_sender(options=ClientOptions(connect_timeout_ms=200))
    url = receiver.url.replace("http:", "https:") + "/?secret"
    failure = failure_of(await sender.send(delivery_of(Request(url))))
    assert (failure.error, failure.begun) == (ErrorType.CONNECT_TIMEOUT, False)


@both_libraries
async def test_tls_to_a_port_that_speaks_none_is_tls(make_sender: MakeSender) -> None:
    """A peer that answers a TLS hello with plain text is a TLS failure."""

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw_server(plain) as port:
        exchange = await make_sender().send(delivery_of(Request(f"https://127.0.0.1:{port}/?secret")))
    failure = failure_of(exchange)
    assert (failure.error, failure.begun) == (ErrorType.TLS, False)


@both_libraries
async def test_self_signed_certificate_is_tls(make_sender: MakeSender, certificate: Certificate) -> None:
    """A certificate that no trusted root has signed is refused, with the reason."""
    async with tls_server(certificate) as port:
        sender = make_sender(look_up=to_this_machine)
        failure = failure_of(await sender.send(delivery_of(Request(f"https://{HOST}:{port}/?secret"))))
    assert (failure.error, failure.begun) == (ErrorType.TLS, False)
    assert "certificate" in failure.message


@both_libraries
async def test_certificate_of_another_name_is_tls(make_sender: MakeSender, certificate: Certificate) -> None:
    """A trusted certificate answers for its own name only."""
    trusted = ClientOptions(root_certificates=(certificate.certificate.read_bytes(),))
    async with tls_server(certificate) as port:
        sender = make_sender(look_up=to_this_machine, options=trusted)
        wrong = await sender.send(delivery_of(Request(f"https://other.test:{port}/?secret")))
        right = await sender.send(delivery_of(Request(f"https://{HOST}:{port}/")))
    assert failure_of(wrong).error is ErrorType.TLS
    assert isinstance(right.end, Response)
    assert right.end.status == 200


@both_libraries
async def test_name_that_does_not_resolve_is_dns(make_sender: MakeSender) -> None:
    """A name that the system does not know is DNS, and nothing was begun."""
    exchange = await make_sender().send(delivery_of(Request("http://nothing.invalid/?secret")))
    failure = failure_of(exchange)
    assert (failure.error, failure.begun) == (ErrorType.DNS, False)
    assert "nothing.invalid" in failure.message
    assert exchange.address is None


@both_libraries
async def test_name_server_that_hangs_is_dns(make_sender: MakeSender) -> None:
    """A look-up may take as long as a connection, and no longer."""

    async def never(host: str) -> tuple[str, ...]:
        await asyncio.Event().wait()
        return ()

    sender = make_sender(look_up=never, options=ClientOptions(connect_timeout_ms=100))
    failure = failure_of(await sender.send(delivery_of(Request("http://slow.test/?secret"))))
    assert (failure.error, failure.begun) == (ErrorType.DNS, False)
