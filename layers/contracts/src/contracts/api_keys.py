"""An API key's text, and what user_service tells the authorizer about one.

``sk_<stage>_<8 id>_<43 secret>_<6 checksum>``: the stage and the checksum let whoever holds a
mistyped or foreign key be refused without asking anybody, and secret scanners know one by sight.
"""

import hashlib
import re
import zlib
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from pydantic import Field

from contracts.envelope import Contract, UtcDatetime
from contracts.subscription_service import Tier
from contracts.user_service import Role

KEY_CHARACTERS_MAX = 100
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM_CHARACTERS = 6
_KEY = re.compile(
    r"(?P<body>(?P<prefix>sk_(?P<stage>[a-z][a-z0-9-]{1,20})_[A-Za-z0-9]{8})"
    r"_[A-Za-z0-9_-]{43})_(?P<checksum>[0-9A-Za-z]{6})"
)


class MalformedApiKey(ValueError):
    """The text is no API key: its shape or its checksum is wrong."""


@dataclass(frozen=True, slots=True)
class ApiKeyText:
    """A well-formed key; whether it opens anything is for user_service to say."""

    stage: str
    prefix: str
    """``sk_<stage>_<id>``: what may be shown and logged."""
    digest: str = field(repr=False)
    """SHA-256 of the whole text, hex: what is stored and sent."""


def write_api_key(stage: str, short_id: str, secret: str) -> str:
    """The text of a key. Raises MalformedApiKey when a part has the wrong shape."""
    body = f"sk_{stage}_{short_id}_{secret}"
    text = f"{body}_{_write_checksum(body)}"
    read_api_key(text)
    return text


def read_api_key(text: str) -> ApiKeyText:
    """Read a key's text and check its checksum. Raises MalformedApiKey."""
    found = _KEY.fullmatch(text) if len(text) <= KEY_CHARACTERS_MAX else None
    if found is None or _write_checksum(found["body"]) != found["checksum"]:
        raise MalformedApiKey("the text is no API key")
    digest = hashlib.sha256(text.encode()).hexdigest()
    return ApiKeyText(stage=found["stage"], prefix=found["prefix"], digest=digest)


def _write_checksum(body: str) -> str:
    """CRC-32 in base 62, six digits."""
    rest, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM_CHARACTERS):
        rest, digit = divmod(rest, 62)
        digits = _DIGITS[digit] + digits
    return digits


class IntrospectApiKey(Contract):
    """Body of ``POST /v1/auth/introspect``: which key is asked about; never the key itself."""

    prefix: str = Field(max_length=40)
    digest: str = Field(pattern="^[0-9a-f]{64}$", repr=False)


class ApiKeyRefused(Contract):
    """The answer for a key that opens nothing: unknown, expired, revoked, its owner gone."""

    active: Literal[False] = False


class ApiKeyAccepted(Contract):
    """Whose key it is and what it may do."""

    active: Literal[True] = True
    key_id: UUID
    tenant_id: UUID
    user_id: UUID
    role: Role
    tier: Tier
    scope: str = Field(max_length=500)
    requests_per_second: int | None = Field(default=None, ge=1)
    """The key's own rate; null: only the tenant's."""
    expires_at: UtcDatetime | None = None


ApiKeyAnswer = ApiKeyAccepted | ApiKeyRefused
"""Body of the answer to ``IntrospectApiKey``, told apart by ``active``."""
