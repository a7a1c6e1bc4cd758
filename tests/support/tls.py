"""TLS servers for tests, with certificates made on the spot by the openssl command."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.raw_server import raw_server

HOST = "secure.test"
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A self-signed certificate for ``HOST`` and its key, as files."""

    certificate: Path
    key: Path


def make_certificate(directory: Path, name: str = f"DNS:{HOST}") -> Certificate:
    """Make a certificate for a name, or for an address (``IP:127.0.0.1``), that is its own root."""
    made = Certificate(directory / "certificate.pem", directory / "key.pem")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        f"-subj /CN={HOST} -addext subjectAltName={name} -addext basicConstraints=critical,CA:FALSE"
    )
    files = ("-keyout", str(made.key), "-out", str(made.certificate))
    subprocess.run([*command.split(), *files], check=True, capture_output=True, timeout=30)
    return made


@asynccontextmanager
async def tls_server(certificate: Certificate) -> AsyncIterator[int]:
    """Serve 200 over TLS on a port of 127.0.0.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_ANSWER)

    async with raw_server(answer, context) as port:
        yield port
