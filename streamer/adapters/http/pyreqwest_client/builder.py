"""How a client is built: for one target, pinned to one address, with the target's way of speaking TLS and HTTP."""

from __future__ import annotations

from datetime import timedelta

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError
from pyreqwest.proxy import ProxyBuilder

from streamer.adapters.http.client_options import ClientOptions
from streamer.adapters.http.library import UNFIT_AUTHORITY, UNFIT_IDENTITY, UnfitTransport
from streamer.adapters.http.proxy import Proxy
from streamer.adapters.http.target import Target
from streamer.adapters.http.transport import PLAIN, Transport
from streamer.core.send_policy import Http2

#: An HTTP/2 connection whose peer has vanished would take all calls with it until somebody asks whether it is there.
_PING_EVERY = timedelta(seconds=15)
_PING_WITHIN = timedelta(seconds=10)


def build_client(options: ClientOptions, target: Target, address: str, transport: Transport = PLAIN) -> Client:
    """Return a client that calls nothing but the target, at this address; raises UnfitTransport."""
    builder = (
        ClientBuilder()
        .follow_redirects(False)
        .referer(False)
        .no_proxy()
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .connect_timeout(timedelta(milliseconds=options.connect_timeout_ms))
        .pool_idle_timeout(timedelta(milliseconds=options.idle_timeout_ms))
        .pool_max_idle_per_host(options.idle_per_host)
    )
    if options.proxy is not None:
        builder = builder.proxy(_proxy(options.proxy))
    else:
        builder = builder.resolve(target.host, address, target.port)
    builder = _http(builder, target, transport.http2)
    if target.scheme == "http":
        # A client for http never speaks TLS, and only this spares it the 5 ms for reading root certificates.
        return builder.danger_accept_invalid_certs(True).build()
    return _tls(builder.https_only(True).min_tls_version("TLSv1.2"), options, transport)


def _proxy(proxy: Proxy) -> ProxyBuilder:
    """Return the proxy as the library wants it: for every URL, whatever the environment says."""
    builder = ProxyBuilder.all(f"http://{proxy.host}:{proxy.port}")
    return builder.basic_auth(proxy.user, proxy.password) if proxy.user else builder


def _http(builder: ClientBuilder, target: Target, http2: Http2) -> ClientBuilder:
    if http2 is Http2.OFF or (http2 is Http2.AUTO and target.scheme == "http"):
        # Without TLS nothing can be agreed upon: HTTP/1.1 is what everybody speaks.
        return builder.http1_only()
    builder = builder.http2_prior_knowledge() if http2 is Http2.PRIOR_KNOWLEDGE else builder.http2(True)
    return builder.http2_keep_alive_interval(_PING_EVERY).http2_keep_alive_timeout(_PING_WITHIN)


def _tls(builder: ClientBuilder, options: ClientOptions, transport: Transport) -> Client:
    for certificate in options.root_certificates:
        builder = builder.add_root_certificate_pem(certificate)
    # One step at a time, so that the message says which secret is no good. The library's own words may quote it.
    try:
        for certificate in transport.authorities:
            builder = builder.add_root_certificate_pem(certificate)
        if not transport.verify:
            builder = builder.danger_accept_invalid_certs(True)
        if transport.identity is None:
            return builder.build()
    except (BuilderError, ValueError):
        raise UnfitTransport(UNFIT_AUTHORITY) from None
    try:
        return builder.identity_pem(transport.identity).build()
    except (BuilderError, ValueError):
        raise UnfitTransport(UNFIT_IDENTITY) from None
