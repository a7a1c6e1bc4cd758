"""Where secrets are read, and what is masked, from the settings."""

from __future__ import annotations

from dataclasses import replace

from streamer.adapters.crypto.aes_gcm import KEY_BYTES, AesGcmSealer
from streamer.adapters.http.secrets import SecretMissing
from streamer.adapters.secrets.directory import DirectorySecrets
from streamer.adapters.secrets.environment import EnvironmentSecrets
from streamer.adapters.secrets.kept import KeptSecrets, read_first
from streamer.adapters.secrets.key_ring import KeyRing
from streamer.adapters.secrets.source import SecretSource
from streamer.adapters.secrets.store import StoredSecrets
from streamer.ports import Clock
from streamer.settings.model import Settings
from streamer.settings.secrets import ENV_SECRET, secrets_of_environment
from streamer.wire.body_text import from_base64
from streamer.wire.masking import Masking, extended


def key_ring(settings: Settings) -> KeyRing:
    """Return the keys of the encrypted store."""
    own = settings.secrets
    return KeyRing(own.key_file, own.key.get_secret_value() if own.key else None)


def secret_store(settings: Settings) -> StoredSecrets:
    """Return the encrypted store."""
    return StoredSecrets(settings.secrets.store, key_ring(settings))


def secret_sources(settings: Settings) -> list[SecretSource]:
    """Return where secrets are looked for, in this order."""
    sources: list[SecretSource] = [EnvironmentSecrets(secrets_of_environment(), ENV_SECRET)]
    if settings.secrets.directory is not None:
        sources.append(DirectorySecrets(settings.secrets.directory))
    sources.append(secret_store(settings))
    return sources


def make_secrets(settings: Settings, clock: Clock) -> KeptSecrets:
    """Return the secrets as calls use them."""
    return KeptSecrets(secret_sources(settings), clock)


class SealingKeys(Exception):
    """A key for encryption at rest cannot be used; the message names it."""


def make_sealer(settings: Settings) -> AesGcmSealer | None:
    """Return what encrypts requests on our topics, None where nothing is to; raises SealingKeys."""
    names = settings.sealing.keys
    if not names:
        return None
    sources, keys = secret_sources(settings), {}
    for name in names:
        try:
            keys[name] = from_base64(read_first(sources, name).reveal().decode("ascii"))
        except SecretMissing as error:
            raise SealingKeys(f"sealing.keys: {error}") from None
        except ValueError:
            raise SealingKeys(f"sealing.keys: the secret {name} is no base64 of {KEY_BYTES} bytes") from None
    try:
        return AesGcmSealer(keys)
    except ValueError as error:
        raise SealingKeys(f"sealing.keys: {error}") from None


def masking_of(settings: Settings) -> Masking:
    """Return what is masked in this installation."""
    own = settings.masking
    masking = extended(own.headers, own.query, own.fields)
    return replace(masking, own_headers=True) if settings.sealing.keys else masking
