"""What is needed of an HTTP library: to read URLs, and to build clients that call one judged address each."""

from __future__ import annotations

from typing import Any, Protocol

from streamer.adapters.http.client_options import ClientOptions
from streamer.adapters.http.deadlines import Deadlines
from streamer.adapters.http.outgoing import Outgoing
from streamer.adapters.http.pace import Pace
from streamer.adapters.http.target import Target
from streamer.adapters.http.transport import Transport
from streamer.core.outcome import Failure, Response


class UnfitTransport(Exception):
    """A client cannot be built with what the domain's record and secrets say."""


class ClientClosed(Exception):
    """A client was called that is closed: no peer's doing."""


#: Why a transport is unfit; a library's own words may quote the secret.
UNFIT_AUTHORITY = "the secret that tls.ca names holds a certificate that cannot be read"
UNFIT_IDENTITY = "the secret that tls.client_certificate names must hold a certificate and its private key, in PEM"


class HttpClient(Protocol):
    """Calls one target, at one address, in one way.

    Invariant: it follows no redirect, keeps no cookie, unpacks nothing, asks the environment for nothing, and adds to the
    call's headers Host, Accept and, with a body, Content-Length.
    """

    async def call(self, call: Outgoing, url: Any, deadlines: Deadlines, pace: Pace | None) -> Response | Failure:
        """Make the call, and return its answer with the head of its body, or what came instead; raises ClientClosed.

        ``url`` is the library's own reading of the call's. Whatever the peer does, the call ends within its timeout. An
        answer of which more came than is kept is left, with its connection.
        """

    async def close(self) -> None:
        """Close every connection; calls in flight fail."""


class HttpLibrary(Protocol):
    """Reads URLs, and builds clients that send what it has read."""

    def read(self, url: str) -> tuple[Target, Any]:
        """Return where a URL leads, and the reading that its clients want; ValueError says why it may not be called.

        ``str`` of the reading is the URL as it is sent.
        """

    def build(self, options: ClientOptions, target: Target, address: str, transport: Transport) -> HttpClient:
        """Return a client that calls nothing but the target, at this address; with a proxy, at that. Raises UnfitTransport.

        It may take some ms of CPU, and is called in a thread where TLS is spoken.
        """
