"""Rotation of the signing keys: a new one is shown before it signs, an old one till its tokens end.

    made .............. signs_from ............. the next one's signs_from ... honoured_until
    |- shown for 10 min -|- signs ---------------|- verifies for 12 min more --|

Verifiers keep the JWK set for five minutes and signers the secret for one, so both know a key
before its first token. Rotations run one at a time (the door holds a lock) on the secret as it is
now, and write it under a version named after the message: a redelivery finds its version there.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from contracts.user_service import RotateSigningKeys
from functions.user_service.logic.tokens import (
    ACCESS_TOKEN_LIFE,
    LONG_AGO,
    SigningKey,
    derive_key,
    make_card,
    read_signing_keys,
)

SHOWN_BEFORE = timedelta(minutes=10)
LEEWAY = timedelta(minutes=2)
"""A signer's minute-old secret, clocks that disagree, and some."""
SEED_BYTES = 48


class KeyVault(Protocol):
    """The secret ``jwt``, read past every cache."""

    def read_current(self) -> Mapping[str, Any]:
        """The secret as it is now."""

    def has_version(self, version: str) -> bool:
        """Whether this version was written before."""

    def write(self, value: Mapping[str, Any], version: str) -> None:
        """Make this the current secret; a version written before stays as it is."""


def rotate_signing_keys(
    vault: KeyVault, command: RotateSigningKeys, event_id: UUID, now: datetime
) -> list[str]:
    """Bring the keys up to date; returns the names of keys made now. Raises SigningKeysUnreadable.

    The caller sees to it that no other rotation runs meanwhile.
    """
    version = str(event_id)
    if vault.has_version(version):
        return []
    secret = vault.read_current()
    known = read_signing_keys(secret)
    planned = plan_rotation(known, command, now)
    if "keys" not in secret or planned != known:
        vault.write(write_signing_keys(planned), version)
    old = {key.seed for key in known}
    return [make_card(derive_key(key.seed))["kid"] for key in planned if key.seed not in old]


def plan_rotation(
    known: Sequence[SigningKey], command: RotateSigningKeys, now: datetime
) -> tuple[SigningKey, ...]:
    """The keys from now on: those honoured, and a new one when the newest is old or it is forced.

    The seed of a first deployment counts from the day it is first seen. While a new key waits for
    its time no other is made, however often it is asked for.
    """
    keys = [
        replace(key, created_at=now) if key.created_at == LONG_AGO else key
        for key in known
        if key.is_honoured(now)
    ]
    newest = keys[-1]
    is_due = command.force or now - newest.created_at >= timedelta(days=command.max_age_days)
    if not is_due or newest.signs_from > now:
        return tuple(keys)
    signs_from = now + SHOWN_BEFORE
    until = signs_from + ACCESS_TOKEN_LIFE + LEEWAY
    made = SigningKey(secrets.token_urlsafe(SEED_BYTES), created_at=now, signs_from=signs_from)
    return (*(replace(key, honoured_until=key.honoured_until or until) for key in keys), made)


def write_signing_keys(keys: Sequence[SigningKey]) -> dict[str, Any]:
    """The secret ``jwt`` that ``read_signing_keys`` reads."""
    return {
        "keys": [
            {
                "seed": key.seed,
                "kid": make_card(derive_key(key.seed))["kid"],
                "created_at": key.created_at.isoformat(),
                "signs_from": key.signs_from.isoformat(),
                "honoured_until": key.honoured_until.isoformat() if key.honoured_until else None,
            }
            for key in keys
        ]
    }
