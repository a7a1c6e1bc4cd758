"""The request record, version 1, as a producer may write it; its JSON Schema is made from these models.

Each description completes "the field must be …" in a refusal. Null means that the field is not given. Of a
name written twice in one object the last counts. What depends on the operator's limits the reader checks.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from streamer.wire.header_rules import MAX_HEADERS

MAX_URL_BYTES = 8192
_CODE = r"^(?:[1-5](?:[xX]{2}|[0-9]{2})|[1-5][0-9]{2} ?- ?[1-5][0-9]{2})$"
# A type, a subtype and parameters (RFC 9110 §8.3.1): nothing that could end a part's header.
_MEDIA_TYPE = r"^[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}(?:[ \t]*;[\t\x20-\x7e]*)?$"

Duration = Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1, max_length=40)]
Instant = Annotated[str, Field(max_length=40)]
Codes = Annotated[
    list[Annotated[int, Field(ge=100, le=599)] | Annotated[str, Field(pattern=_CODE, max_length=9)]],
    Field(max_length=64),
]
Pair = Annotated[list[str], Field(min_length=2, max_length=2)]
_STRICT = ConfigDict(extra="forbid", strict=True)
_DURATION = 'a duration: text such as "500ms", "30s", "1h30m", or a whole number of ms'
_CODES = 'a list of at most 64 status codes: 404, classes such as "5xx", ranges such as "200-204"'


class BackoffRecord(BaseModel):
    """Waits that grow by a factor."""

    model_config = _STRICT

    initial: Duration | None = Field(None, description=_DURATION + ", at least 1 ms, default 1s")
    multiplier: Annotated[float, Field(ge=1, le=100)] | None = Field(
        None, description="a number from 1 to 100, default 2"
    )
    max: Duration | None = Field(None, description=_DURATION + ", at least initial, default 60s")
    jitter: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="a number from 0 to 1, the share by which a wait is spread, default 0.1"
    )


class RetryRecord(BaseModel):
    """When to try again, how often, and after which answers."""

    model_config = _STRICT

    intervals: Annotated[list[Duration], Field(max_length=1000)] | None = Field(
        None,
        description='a list of durations, one per retry: ["1m", "5m", "30m", "2h"]; [] is one attempt',
    )
    backoff: BackoffRecord | None = Field(None, description="an object with initial, multiplier, max, jitter")
    max_attempts: Annotated[int, Field(ge=1)] | Literal["unlimited"] | None = Field(
        None, description='a whole number from 1 that counts the first attempt too, or "unlimited"'
    )
    retry_codes: Codes | None = Field(None, description=_CODES)
    fatal_codes: Codes | None = Field(None, description=_CODES)


class PartRecord(BaseModel):
    """One part of a multipart body: a field of a form, or a file."""

    model_config = _STRICT

    name: Annotated[str, Field(min_length=1, max_length=255)] = Field(
        description="1 to 255 characters without control characters, the field's name"
    )
    filename: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        None, description="1 to 255 characters without control characters; makes the part a file"
    )
    content_type: Annotated[str, Field(pattern=_MEDIA_TYPE, max_length=255)] | None = Field(
        None, description='a media type: "image/png", "text/plain; charset=utf-8"'
    )
    body: str | None = Field(None, description="text")
    body_base64: str | None = Field(None, description="base64 text (RFC 4648 §4, with padding)")
    json_body: Any = Field(None, alias="json", description="any JSON value but null")


class RequestRecord(BaseModel):
    """A request: send this, once it is due, until it succeeds or its policy ends."""

    model_config = _STRICT

    url: Annotated[str, Field(min_length=1, max_length=MAX_URL_BYTES)] = Field(
        description=f"an absolute http or https URL of at most {MAX_URL_BYTES} bytes"
    )
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_:-]{1,128}$")] | None = Field(
        None, description="1 to 128 letters, digits, _, : or -"
    )
    business: Annotated[str, Field(pattern=r"^[A-Za-z0-9_:-]{1,64}$")] | None = Field(
        None, description='1 to 64 letters, digits, _, : or -, default "default"'
    )
    business_id: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        None, description="1 to 255 printable characters, the business's own unique id"
    )
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] | None = Field(
        None, description="one of GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS, default POST"
    )
    headers: (
        Annotated[dict[str, str], Field(max_length=MAX_HEADERS)]
        | Annotated[list[Pair], Field(max_length=MAX_HEADERS)]
        | None
    ) = Field(
        None,
        description=f"an object of name and text, or a list of [name, text] pairs, at most {MAX_HEADERS}",
    )
    body: str | None = Field(None, description="text")
    json_body: Any = Field(None, alias="json", description="any JSON value but null")
    form: dict[str, str | list[str]] | None = Field(
        None, description="an object of name and text, or name and list of texts"
    )
    body_base64: str | None = Field(None, description="base64 text (RFC 4648 §4, with padding)")
    multipart: Annotated[list[PartRecord], Field(min_length=1, max_length=64)] | None = Field(
        None, description="a list of 1 to 64 objects with name and one of body, body_base64, json: a form with files"
    )
    timeout_ms: Annotated[int, Field(ge=1)] | None = Field(
        None, description="a whole number of ms from 1, default 30000"
    )
    retry: RetryRecord | None = Field(
        None, description="an object with intervals or backoff, max_attempts, retry_codes, fatal_codes"
    )
    success_codes: Annotated[Codes, Field(min_length=1)] | None = Field(None, description=_CODES + ', default ["2xx"]')
    send_at: Instant | None = Field(None, description='an RFC 3339 instant with a zone: "2026-01-31T09:30:00Z"')
    delay: Duration | None = Field(None, description=_DURATION)
    expires_at: Instant | None = Field(None, description='an RFC 3339 instant with a zone: "2026-01-31T09:30:00Z"')
    priority: Annotated[int, Field(ge=1, le=10)] | None = Field(
        None, description="a whole number from 1 (first) to 10, default 5"
    )
    rate_key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")] | None = Field(
        None, description="1 to 128 letters, digits, _, ., : or -"
    )
    sign: bool | None = Field(None, description="true or false, default false")
    policy: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] | None = Field(
        None, description="1 to 64 letters, digits, _, . or -, the name of a policy that is known"
    )
    metadata: (
        Annotated[
            dict[Annotated[str, Field(min_length=1, max_length=256)], Annotated[str, Field(max_length=256)]],
            Field(max_length=16),
        ]
        | None
    ) = Field(None, description="an object of at most 16 names and texts of at most 256 characters each")
