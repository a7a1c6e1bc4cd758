"""What httpcore's exceptions mean: a peer's or the network's failure, as a value that quotes no byte of the peer's."""

from __future__ import annotations

import os
import socket
import ssl

import httpcore

from streamer.core.outcome import ErrorType, Failure

#: A message may name what a certificate says of itself.
_LONGEST = 300
_BROKEN_OFF = "the connection broke off before the answer was whole"
_UNREADABLE = "the answer is no HTTP that can be read"


def not_reached(error: Exception) -> Failure:
    """Return why there is no connection to an address, or to the proxy's."""
    cause = _deepest(error)
    if isinstance(cause, socket.gaierror):
        return Failure(ErrorType.DNS, cause.strerror or "the name of http.proxy does not resolve", begun=False)
    return Failure(ErrorType.CONNECT, _words(cause), begun=False)


def not_shaken(error: Exception) -> Failure:
    """Return why a TLS handshake failed."""
    return Failure(ErrorType.TLS, f"handshake failed: {_words(_deepest(error))}"[:_LONGEST], begun=False)


def broken(error: Exception) -> Failure:
    """Return what a call came to that was begun."""
    cause = _deepest(error)
    if isinstance(cause, ssl.SSLError):
        # With TLS 1.3 a server judges our certificate after we think that all is well, and says so in the answer's place.
        return Failure(ErrorType.TLS, f"TLS failed: {_words(cause)}"[:_LONGEST])
    if isinstance(error, httpcore.RemoteProtocolError):
        # Behind a colon h11 quotes the peer, who may have been told a secret.
        said = str(error).partition(":")[0] if type(cause).__module__.startswith("h11") else ""
        return Failure(ErrorType.UNKNOWN, f"{_UNREADABLE}: {said}" if said else _BROKEN_OFF)
    if isinstance(error, httpcore.LocalProtocolError):
        return Failure(ErrorType.UNKNOWN, _UNREADABLE)
    return Failure(ErrorType.UNKNOWN, _BROKEN_OFF)


def unreadable(what: str) -> Failure:
    """Return what an answer came to that has a part which HTTP does not allow."""
    return Failure(ErrorType.UNKNOWN, f"{_UNREADABLE}: {what}")


def _deepest(error: BaseException) -> BaseException:
    """Return what lies under an exception; of several tries to connect, what the first came to."""
    while True:
        under = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__
        if under is None:
            return error
        error = under


def _words(cause: BaseException) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"certificate not valid: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        return (cause.reason or "TLS").replace("_", " ").lower()
    if isinstance(cause, OSError) and cause.errno is not None:
        return os.strerror(cause.errno).lower()
    return "the connection was closed"
