"""The parts of a record on ``config`` that say how a task is sent, as people may write them.

Each description completes "the field must be …" in a refusal.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from streamer.wire.request_model import Codes, Instant

_STRICT = ConfigDict(extra="forbid", strict=True)
_SECRET = "1 to 64 letters, digits, _, . or -, the name of a secret"
_CODES = 'a list of at most 64 status codes: 404, classes such as "5xx", ranges such as "200-204"'

SecretName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Business = Annotated[str, Field(pattern=r"^[A-Za-z0-9_:-]{1,64}$")]
Host = Annotated[str, Field(min_length=1, max_length=260)]
Hosts = Annotated[list[Host], Field(min_length=1, max_length=64)]
Value = str | int | float | bool | None


class TlsRecord(BaseModel):
    """How a domain's certificate is judged, and what we show it."""

    model_config = _STRICT

    verify: bool | None = Field(None, description="true or false, default true")
    ca: SecretName | None = Field(None, description=f"{_SECRET} that holds certificates in PEM")
    client_certificate: SecretName | None = Field(
        None, description=f"{_SECRET} that holds a certificate and its key in PEM"
    )


class AuthRecord(BaseModel):
    """Credentials that go with every call for a domain."""

    model_config = _STRICT

    type: Literal["basic", "bearer", "oauth2"] = Field(description="basic, bearer or oauth2")
    secret: SecretName = Field(description=f"{_SECRET}: the password, the token, or the client's secret")
    user: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        None, description="1 to 255 characters: the user with basic, the client's id with oauth2"
    )
    token_url: Annotated[str, Field(min_length=1, max_length=2048)] | None = Field(
        None, description="the URL of the token endpoint, with oauth2"
    )
    scope: Annotated[str, Field(max_length=1024)] | None = Field(None, description="text of at most 1024 characters")
    audience: Annotated[str, Field(max_length=1024)] | None = Field(None, description="text of at most 1024 characters")
    businesses: Annotated[list[Business], Field(min_length=1, max_length=64)] | None = Field(
        None, description="a list of 1 to 64 businesses whose tasks go with the credentials, default all"
    )


class SigningKeyRecord(BaseModel):
    """A secret that calls are signed with."""

    model_config = _STRICT

    secret: SecretName = Field(description=_SECRET)
    until: Instant | None = Field(None, description='an RFC 3339 instant with a zone: "2026-01-31T09:30:00Z"')
    domain: Host | None = Field(None, description='a domain: "example.com", "*.example.com", default all')


class AnswerRuleRecord(BaseModel):
    """What an answer means whose body says something."""

    model_config = _STRICT

    then: Literal["success", "retry", "stop"] = Field(description="success, retry or stop")
    codes: Annotated[Codes, Field(min_length=1)] | None = Field(None, description=_CODES + ', default ["2xx"]')
    # `json` would hide a method of the model's.
    json_pointer: Annotated[str, Field(max_length=256, pattern=r"^(/.*)?$")] | None = Field(
        None, alias="json", description='a JSON pointer (RFC 6901): "/error/code"'
    )
    values: Annotated[list[Value], Field(min_length=1, max_length=32)] | None = Field(
        None, alias="is", description="a list of 1 to 32 texts, numbers, true, false or null"
    )
    other_values: Annotated[list[Value], Field(min_length=1, max_length=32)] | None = Field(
        None, alias="is_not", description="a list of 1 to 32 texts, numbers, true, false or null"
    )
    contains: Annotated[str, Field(min_length=1, max_length=256)] | None = Field(
        None, description="text of 1 to 256 characters"
    )
    lacks: Annotated[str, Field(min_length=1, max_length=256)] | None = Field(
        None, description="text of 1 to 256 characters"
    )


class NetworkRecord(BaseModel):
    """Whom a business may call, beside the installation's own rules."""

    model_config = _STRICT

    only_hosts: Hosts | None = Field(
        None, description='a list of 1 to 64 hosts: "example.com", "*.example.com"; no others may be called'
    )
    deny_hosts: Hosts | None = Field(None, description='a list of 1 to 64 hosts: "example.com", "*.example.com"')
    deny_cidrs: Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=64)] | None = (
        Field(None, description='a list of 1 to 64 networks: "10.1.0.0/16"')
    )
