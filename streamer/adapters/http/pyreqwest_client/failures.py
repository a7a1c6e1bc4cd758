"""What the client's exceptions mean: a peer's or the network's failure, as a value."""

from __future__ import annotations

from pyreqwest.exceptions import (
    ClientClosedError,
    ConnectError,
    DetailedPyreqwestError,
    RequestError,
    RequestTimeoutError,
)

from streamer.adapters.http.library import ClientClosed
from streamer.adapters.http.pace import NO_ANSWER, NO_CONNECTION, NO_END
from streamer.adapters.http.proxy import TUNNEL
from streamer.core.outcome import ErrorType, Failure

# The client's classes alone do not tell a refused connection from one that broke off, nor a timeout while
# connecting from one while waiting: the chain of causes does. Tests with real sockets hold these words to it.
_CONNECTING = "client error (Connect)"
_TCP = "tcp connect error"
_DNS = "dns error"
_BODY = "request or response body error"
# With TLS 1.3 a server judges our certificate after we think that all is well, and says so in the answer's place.
_ALERT = "received fatal alert"
#: A message may quote the peer, whose certificate can have a thousand names.
_LONGEST = 300


def failure_of(error: RequestError, scheme: str) -> Failure:
    """Return what a failed call came to; a closed client is no peer's doing: raises ClientClosed."""
    if isinstance(error, ClientClosedError):
        raise ClientClosed from error
    causes = _causes(error)
    connecting = _CONNECTING in causes
    message = (causes[-1] if causes else error.message)[:_LONGEST]
    if isinstance(error, RequestTimeoutError):
        if connecting:
            return NO_CONNECTION
        if _BODY in causes:
            return NO_END
        return NO_ANSWER
    if isinstance(error, ConnectError) and connecting:
        if message.startswith(TUNNEL):
            return Failure(ErrorType.CONNECT, message, begun=False)
        if _DNS in causes:
            return Failure(ErrorType.DNS, message, begun=False)
        if _TCP in causes or scheme != "https":
            return Failure(ErrorType.CONNECT, message, begun=False)
        return Failure(ErrorType.TLS, message, begun=False)
    return Failure(ErrorType.TLS if message.startswith(_ALERT) else ErrorType.UNKNOWN, message)


def _causes(error: DetailedPyreqwestError) -> list[str]:
    # The first cause holds the URL, whose query may hold a secret: only what lies under it is ever shown.
    return [cause["message"] for cause in (error.details["causes"] or ())][1:]
