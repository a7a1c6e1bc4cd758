"""The TLS of one client: what is trusted, what is shown, and what is agreed upon."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from streamer.adapters.http.library import UNFIT_AUTHORITY, UNFIT_IDENTITY, UnfitTransport
from streamer.adapters.http.transport import Transport


def tls_context(root_certificates: tuple[bytes, ...], transport: Transport, protocols: list[str]) -> ssl.SSLContext:
    """Return the context in which a target is spoken to; ``protocols`` are offered in this order. Raises UnfitTransport.

    Made by hand: ``ssl.create_default_context`` would write all keys to the file that SSLKEYLOGFILE names.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    # A certificate that is given as trusted is trusted by itself, whoever may have signed it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.set_alpn_protocols(protocols)
    if not transport.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_default_certs()
        for certificate in root_certificates:
            context.load_verify_locations(cadata=certificate.decode("ascii"))
    # One step at a time, so that the message says which secret is no good. The library's own words may quote it.
    try:
        for certificate in transport.authorities:
            context.load_verify_locations(cadata=certificate.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise UnfitTransport(UNFIT_AUTHORITY) from None
    if transport.identity is not None:
        try:
            with _file_of(transport.identity) as path:
                # With a password that is given nobody is asked for one at a terminal.
                context.load_cert_chain(path, password="")
        except (OSError, ValueError):
            raise UnfitTransport(UNFIT_IDENTITY) from None
    return context


@contextmanager
def _file_of(pem: bytes) -> Iterator[str]:
    """A file with a private key, since OpenSSL is given none otherwise: in memory alone where the system has such files."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("identity"), "wb") as file:
            file.write(pem)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(pem)
        file.flush()
        yield file.name
