"""A certificate authority for tests: good certificates, and bad ones of every kind that a receiver may show."""

from __future__ import annotations

import ssl
import subprocess
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key, both PEM."""

    certificate: bytes
    key: bytes

    @property
    def both(self) -> bytes:
        """Both in one text, as a client certificate's secret has them."""
        return self.certificate + self.key


class Authority:
    """Signs certificates; its own is ``pem``."""

    def __init__(self, name: str = "Tests") -> None:
        """Make a key and a root certificate."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        made = (
            _begun(self._name, self._name, self._key, 2 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = made.public_bytes(serialization.Encoding.PEM)

    def issue(self, names: Sequence[str], *, life: timedelta = 2 * _DAY, client: bool = False) -> Issued:
        """Return a certificate for names, that lives for so long from yesterday on."""
        key = ec.generate_private_key(ec.SECP256R1())
        purpose = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        made = (
            _begun(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]), self._name, key, life)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return Issued(made.public_bytes(serialization.Encoding.PEM), _pem(key))

    def issue_over_sha1(self, name: str, directory: Path) -> Issued:
        """Return a certificate that is signed over SHA-1, which only the openssl command still does."""
        for file, pem in (("ca.pem", self.pem), ("ca.key", _pem(self._key))):
            (directory / file).write_bytes(pem)
        (directory / "names").write_text(f"subjectAltName=DNS:{name}\n", encoding="ascii")
        asked = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out asked"
        signed = "openssl x509 -req -sha1 -days 2 -in asked -CA ca.pem -CAkey ca.key -CAcreateserial"
        for command in (f"{asked} -subj /CN={name}", f"{signed} -extfile names -out certificate"):
            subprocess.run(command.split(), check=True, capture_output=True, timeout=30, cwd=directory)
        return Issued((directory / "certificate").read_bytes(), (directory / "key").read_bytes())


def server_context(
    issued: Issued,
    directory: Path,
    *,
    alpn: Sequence[str] = (),
    wants: Authority | None = None,
    newest: ssl.TLSVersion | None = None,
    ciphers: str = "",
) -> ssl.SSLContext:
    """Return a server's side of TLS; it may want a client's certificate, or speak old versions or bad ciphers only."""
    path = directory / "server.pem"
    path.write_bytes(issued.both)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if newest is not None or ciphers:
        context.set_ciphers(f"{ciphers or 'ALL'}:@SECLEVEL=0")
    context.load_cert_chain(path)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if wants is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=wants.pem.decode())
    if newest is not None:
        with warnings.catch_warnings():
            # Python warns of versions that nobody should speak any more, which is the point here.
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = newest
    return context


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, life: timedelta
) -> x509.CertificateBuilder:
    yesterday = datetime.now(UTC) - _DAY
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(yesterday)
        .not_valid_after(yesterday + life)
    )
