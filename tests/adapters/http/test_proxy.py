"""The egress proxy: every call goes through it, and what it refuses is told from what a target answers."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamer.adapters.demo.exchange import Answer
from streamer.adapters.http.client_options import ClientOptions
from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.proxy import Proxy
from streamer.core.outcome import ErrorType, Exchange, Failure, Response
from streamer.core.request import Request
from tests.adapters.http.conftest import MakeSender
from tests.support.egress_proxy import EgressProxy, egress_proxy, refusal
from tests.support.libraries import both_libraries
from tests.support.receiver import Receiver
from tests.support.sending import closed_port, delivery_of
from tests.support.tls import HOST, make_certificate, tls_server

POLICY = AddressPolicy(ports=frozenset(range(1, 65_536)))


@pytest.fixture
async def proxy() -> AsyncIterator[EgressProxy]:
    """A proxy in this loop."""
    async with egress_proxy() as running:
        yield running


async def never(host: str) -> tuple[str, ...]:
    """Fail the test: with a proxy nobody resolves names here."""
    raise AssertionError(host)


def options(proxy: EgressProxy, *certificates: bytes, user: str = "") -> ClientOptions:
    """Return a client's options with this proxy."""
    return ClientOptions(
        root_certificates=certificates, proxy=Proxy("127.0.0.1", proxy.port, user, "open sesame" if user else "")
    )


def refused(exchange: Exchange) -> Failure:
    """Return the end of a call that was blocked before the target was called."""
    assert isinstance(exchange.end, Failure), exchange.end
    assert (exchange.end.error, exchange.end.begun) == (ErrorType.BLOCKED, False)
    return exchange.end


@both_libraries
async def test_http_is_asked_for_as_a_whole_url(
    make_sender: MakeSender, receiver: Receiver, proxy: EgressProxy
) -> None:
    """The proxy gets the name and resolves it; the target gets the path and the host, and nothing of the proxy's."""
    sender = make_sender(POLICY, look_up=never, options=options(proxy, user="streamer"))
    url = receiver.url.replace("127.0.0.1", "hooks.test") + "/a?b=c"
    exchange = await sender.send(delivery_of(Request(url, method="GET")))
    assert isinstance(exchange.end, Response)
    assert (exchange.end.status, exchange.address) == (200, None)
    assert [(asked.method, asked.target) for asked in proxy.asked] == [("GET", url)]
    assert (
        proxy.asked[0].headers["proxy-authorization"] == "Basic " + base64.b64encode(b"streamer:open sesame").decode()
    )
    arrival = receiver.arrivals[0]
    assert (arrival.path, arrival.header("host")) == ("/a?b=c", f"hooks.test:{receiver.server.port}")
    assert arrival.header("proxy-authorization") is None


@both_libraries
async def test_https_is_tunnelled(make_sender: MakeSender, proxy: EgressProxy, tmp_path: Path) -> None:
    """The target's own certificate is verified through the tunnel, and the proxy sees nothing but its name."""
    certificate = make_certificate(tmp_path)
    async with tls_server(certificate) as port:
        trusting = options(proxy, certificate.certificate.read_bytes(), user="streamer")
        request = Request(f"https://{HOST}:{port}/secret", headers=(("X-Secret", "1"),))
        exchange = await make_sender(POLICY, look_up=never, options=trusting).send(delivery_of(request))
        assert isinstance(exchange.end, Response), exchange.end
        distrusting = make_sender(POLICY, look_up=never, options=options(proxy))
        end = (await distrusting.send(delivery_of(request))).end
    assert isinstance(end, Failure)
    assert end.error is ErrorType.TLS
    assert [(asked.method, asked.target) for asked in proxy.asked] == [("CONNECT", f"{HOST}:{port}")] * 2
    assert "proxy-authorization" in proxy.asked[0].headers
    assert "x-secret" not in proxy.asked[0].headers


@both_libraries
async def test_what_needs_no_name_is_judged_before_the_proxy(make_sender: MakeSender, proxy: EgressProxy) -> None:
    """Addresses in URLs, host rules and ports are judged here: the proxy is not even asked."""
    policy = AddressPolicy(deny_hosts=frozenset({"denied.test"}))
    sender = make_sender(policy, look_up=never, options=options(proxy))
    for url in (
        "http://127.0.0.1/",
        "https://[::1]/",
        "http://169.254.169.254/",
        "http://denied.test/",
        "http://metadata.google.internal/",
        "http://hooks.test:6379/",
    ):
        refused(await sender.send(delivery_of(Request(url))))
    assert proxy.asked == []


@both_libraries
@pytest.mark.parametrize("status", [403, 407])
async def test_a_tunnel_that_the_proxy_refuses_is_blocked(
    make_sender: MakeSender, proxy: EgressProxy, status: int
) -> None:
    """As smokescreen (407) and others (403) refuse: no attempt makes it allowed."""
    proxy.refusals["hooks.test"] = refusal(status, "Request Rejected by Proxy")
    sender = make_sender(POLICY, look_up=never, options=options(proxy))
    failure = refused(await sender.send(delivery_of(Request("https://hooks.test/"))))
    assert "http.proxy" in failure.message
    assert str(status) in failure.message


@both_libraries
@pytest.mark.parametrize("status", [502, 503, 504])
async def test_a_tunnel_that_cannot_be_opened_is_a_connect_failure(
    make_sender: MakeSender, proxy: EgressProxy, status: int
) -> None:
    """A target that the proxy cannot reach may be back later: another attempt is worth it."""
    proxy.refusals["hooks.test"] = refusal(status, "Bad Gateway")
    sender = make_sender(POLICY, look_up=never, options=options(proxy))
    end = (await sender.send(delivery_of(Request("https://hooks.test/")))).end
    assert isinstance(end, Failure)
    assert (end.error, end.begun) == (ErrorType.CONNECT, False)
    assert str(status) in end.message


@both_libraries
async def test_what_the_proxy_says_over_http_is_told_from_the_target(
    make_sender: MakeSender, receiver: Receiver, proxy: EgressProxy
) -> None:
    """A 407, which no target may answer, and what has smokescreen's header are its own; a target's 403 is an answer."""
    sender = make_sender(POLICY, look_up=never, options=options(proxy))
    proxy.refusals["a.test"] = refusal(407, "Request rejected by proxy", reason="denied by rule 'no private networks'")
    proxy.refusals["b.test"] = refusal(502, "Bad gateway", reason="Failed to connect to remote host")
    assert "407 denied by rule" in refused(await sender.send(delivery_of(Request("http://a.test/")))).message
    away = (await sender.send(delivery_of(Request("http://b.test/")))).end
    assert isinstance(away, Failure)
    assert (away.error, away.begun) == (ErrorType.CONNECT, False)
    assert "502 Failed to connect" in away.message
    for status in (403, 502):
        url = receiver.on(f"/{status}", Answer(status)).replace("127.0.0.1", f"answers-{status}.test")
        end = (await sender.send(delivery_of(Request(url, method="GET")))).end
        assert isinstance(end, Response)
        assert end.status == status


@both_libraries
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_wrong_password_fails_no_task_for_good(
    make_sender: MakeSender, proxy: EgressProxy, scheme: str
) -> None:
    """A proxy that asks who we are has refused us and not the task: that is mended while the tasks wait."""
    asks = b"HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    proxy.refusals["hooks.test"] = asks
    sender = make_sender(POLICY, look_up=never, options=options(proxy, user="streamer"))
    end = (await sender.send(delivery_of(Request(f"{scheme}://hooks.test/")))).end
    assert isinstance(end, Failure)
    assert (end.error, end.begun) == (ErrorType.CREDENTIALS, False)
    assert "http.proxy_password" in end.message
    assert "sesame" not in end.message


@both_libraries
async def test_a_proxy_that_talks_nonsense_is_a_connect_failure(make_sender: MakeSender, proxy: EgressProxy) -> None:
    """Nothing is learned from it, and nothing breaks; nor does a proxy that refuses once and then opens."""
    sender = make_sender(POLICY, look_up=never, options=options(proxy))
    for nonsense in (b"", b"HTTP/1.1 no\r\n\r\n", b"\x00\xff\r\n\r\n", b"HTTP/1.1 500 x\r\n" + b"a" * 100_000):
        proxy.refusals["hooks.test"] = nonsense
        end = (await sender.send(delivery_of(Request("https://hooks.test/")))).end
        assert isinstance(end, Failure)
        assert (end.error, end.begun) == (ErrorType.CONNECT, False), nonsense[:20]


@both_libraries
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_away_lets_nothing_past_it(
    make_sender: MakeSender, scheme: str, receiver: Receiver
) -> None:
    """Calls fail to connect; none goes around the proxy."""
    with closed_port() as port:
        away = ClientOptions(proxy=Proxy("127.0.0.1", port))
        sender = make_sender(AddressPolicy(allow_private=True), look_up=never, options=away)
        url = receiver.url.replace("http:", f"{scheme}:")
        end = (await sender.send(delivery_of(Request(url)))).end
    assert isinstance(end, Failure)
    assert (end.error, end.begun) == (ErrorType.CONNECT, False)
    assert receiver.server.accepted == 0


def test_the_password_is_not_shown() -> None:
    """Neither by repr nor by str."""
    assert "sesame" not in repr(Proxy("proxy", 1, "streamer", "sesame"))
