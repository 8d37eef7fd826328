"""API keys: how they are made, what they open, how they end.

``contracts.api_keys`` says how a key's text looks. The secret has 256 random bits, so its hash
needs no salt and no slowness. A key acts for whoever made it, with the role that person has when
it is used. Rotating makes another key with an id of its own: an id that ended has ended for good,
and a repeated rotation cannot make a second one.
"""

import secrets
import string
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from contracts.api_keys import ApiKeyAccepted, ApiKeyRefused, read_api_key, write_api_key
from contracts.ids import derived_id, uuid7
from contracts.permissions import MANAGERS, ROLE_SCOPES
from contracts.user_service import AlertKind, RevokedKind, Role, Scope
from functions.user_service.errors import (
    KeyAlreadyCreated,
    KeyAlreadyRotated,
    KeyEnded,
    KeyLifeRefused,
    KeyLimitReached,
    NotYourKey,
    ScopeNotHeld,
    UnknownKey,
)
from functions.user_service.logic.key_bodies import KeyRequest
from functions.user_service.models import Account, KeyEnd, StoredKey
from kit.errors import Unauthenticated

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
ID_CHARACTERS = 8
SECRET_CHARACTERS = 43
"""62**43 > 2**256."""
LIVING_KEYS_MAX = 20
KEY_LIFE = timedelta(days=90)
KEY_LIFE_MAX = timedelta(days=365)
INACTIVE = ApiKeyRefused()


@dataclass(frozen=True, slots=True)
class FreshKey:
    """A key just made, with the text that is shown once."""

    stored: StoredKey
    text: str


class KeyStore(Protocol):
    """What the use cases need of the store."""

    def read_account(self, user_id: UUID) -> Account | None: ...
    def lock_keys(self, user_id: UUID | None = None) -> None: ...
    def count_living_keys(self, but: UUID | None = None) -> int: ...
    def add_key(self, key: StoredKey, key_hash: bytes) -> bool: ...
    def has_key(self, key_id: UUID) -> bool: ...
    def read_key(self, key_id: UUID) -> StoredKey | None: ...
    def end_key(self, key_id: UUID, reason: KeyEnd, ended_at: datetime) -> None: ...
    def name_successor(self, key_id: UUID, successor: UUID) -> None: ...
    def list_living_before(self, key_id: UUID) -> list[UUID]: ...
    def note_key_used(self, key_id: UUID) -> None: ...
    def revoke(self, kind: RevokedKind, subject_id: UUID) -> None: ...
    def alert(self, account: Account, kind: AlertKind, email: str | None = None) -> None: ...
    def record(
        self, action: str, target_kind: str, target_id: object, **detail: str | int | bool | None
    ) -> None: ...


def write_key(stage: str) -> str:
    """Make a key's text."""
    short_id, secret = (
        "".join(secrets.choice(ALPHABET) for _ in range(characters))
        for characters in (ID_CHARACTERS, SECRET_CHARACTERS)
    )
    return write_api_key(stage, short_id, secret)


def choose_key_id(tenant_id: UUID, user_id: UUID, idempotency_key: str | None) -> UUID:
    """The new key's id; a repeated request with the same Idempotency-Key finds the same one."""
    if idempotency_key is None:
        return uuid7()
    return derived_id("api_key", tenant_id, user_id, idempotency_key)


def create_key(
    store: KeyStore,
    request: KeyRequest,
    user_id: UUID,
    *,
    key_id: UUID,
    stage: str,
    now: datetime,
) -> FreshKey:
    """Make a key for a user. The text is in no store and cannot be given again.

    Raises ScopeNotHeld, KeyLifeRefused, KeyAlreadyCreated, KeyLimitReached, Unauthenticated.
    """
    account = _lock_keys(store, user_id)
    missing = [scope for scope in request.scopes if scope not in ROLE_SCOPES[account.role]]
    if missing:
        raise ScopeNotHeld(f"the role {account.role} does not have {' or '.join(missing)}")
    text = write_key(stage)
    key = StoredKey(
        key_id=key_id,
        tenant_id=account.tenant_id,
        user_id=account.user_id,
        name=request.name,
        prefix=read_api_key(text).prefix,
        scopes=request.scopes,
        requests_per_second=request.requests_per_second,
        created_at=now,
        expires_at=_choose_end(request.expires_at, now),
    )
    if store.has_key(key_id):
        raise KeyAlreadyCreated(
            "the key was shown in the first answer; revoke it if that was lost", key_id=str(key_id)
        )
    if store.count_living_keys() >= LIVING_KEYS_MAX:
        raise KeyLimitReached(f"a tenant has at most {LIVING_KEYS_MAX} keys; revoke one first")
    _introduce(store, FreshKey(key, text), account, "api_key.created")
    return FreshKey(key, text)


def _lock_keys(store: KeyStore, user_id: UUID) -> Account:
    """Hold the tenant's keys still and read whose they are to be, who may have left meanwhile."""
    store.lock_keys(user_id)
    account = store.read_account(user_id)
    if account is None or account.status != "active":
        raise Unauthenticated("the account is not there any more")
    return account


def _choose_end(wanted: datetime | None, now: datetime) -> datetime:
    if wanted is None:
        return now + KEY_LIFE
    if not now < wanted <= now + KEY_LIFE_MAX:
        raise KeyLifeRefused(f"expires_at lies ahead, by {KEY_LIFE_MAX.days} days at most")
    return wanted.astimezone(UTC)  # in reach by now: at the ends of time there is no UTC


def _introduce(store: KeyStore, key: FreshKey, account: Account, action: str) -> None:
    """Store a key, and tell its owner and the audit trail."""
    stored = key.stored
    store.add_key(stored, bytes.fromhex(read_api_key(key.text).digest))
    store.alert(account, "api_key_created")
    store.record(
        action,
        "api_key",
        stored.key_id,
        scopes=" ".join(stored.scopes),
        prefix=stored.prefix,
        expires_at=stored.expires_at.isoformat(),
    )


def find_key(store: KeyStore, key_id: UUID, user_id: UUID, role: Role) -> StoredKey:
    """A key that the caller may see: their own, or any of the tenant's for its managers.

    Raises UnknownKey, whether it is nobody's, another tenant's or a colleague's.
    """
    key = store.read_key(key_id)
    if key is None or (key.user_id != user_id and role not in MANAGERS):
        raise UnknownKey("list your keys with GET /v1/auth/api-keys")
    return key


def rotate_key(
    store: KeyStore,
    key: StoredKey,
    user_id: UUID,
    *,
    overlap: timedelta,
    stage: str,
    now: datetime,
) -> FreshKey:
    """Put a key with a new secret in a key's place; the old one is honoured for ``overlap`` more.

    Only for whoever made it: the new secret acts in that person's name. The new one lasts as long
    as the old was made to. Raises NotYourKey, KeyAlreadyRotated, KeyEnded, KeyLimitReached,
    Unauthenticated.
    """
    if key.user_id != user_id:
        raise NotYourKey("only who made a key can rotate it; you can revoke it")
    account = _lock_keys(store, user_id)
    key = store.read_key(key.key_id) or key
    if key.replaced_by is not None:
        raise KeyAlreadyRotated(
            "its successor was shown in the first answer", key_id=str(key.replaced_by)
        )
    if not key.is_alive(now):
        raise KeyEnded("it opens nothing any more; make another")
    if store.count_living_keys(None if overlap else key.key_id) >= LIVING_KEYS_MAX:
        raise KeyLimitReached("no room for two: revoke a key first, or rotate without an overlap")
    text = write_key(stage)
    fresh = StoredKey(
        key_id=uuid7(),
        tenant_id=key.tenant_id,
        user_id=key.user_id,
        name=key.name,
        prefix=read_api_key(text).prefix,
        scopes=key.scopes,
        requests_per_second=key.requests_per_second,
        created_at=now,
        expires_at=now + (key.expires_at - key.created_at),
    )
    _introduce(store, FreshKey(fresh, text), account, "api_key.rotated")
    store.end_key(key.key_id, "rotated", now + overlap)
    store.name_successor(key.key_id, fresh.key_id)
    if not overlap:
        store.revoke("api_key", key.key_id)
    return FreshKey(fresh, text)


def revoke_key(store: KeyStore, key: StoredKey, now: datetime) -> list[UUID]:
    """End a key, and those it was rotated from that are honoured still; again changes nothing.

    The ids of the keys that ended.
    """
    store.lock_keys()
    current = store.read_key(key.key_id) or key
    ending = [key.key_id] if current.is_alive(now) else []
    ending += store.list_living_before(key.key_id)
    for key_id in ending:
        store.end_key(key_id, "revoked", now)
        store.revoke("api_key", key_id)
        store.record("api_key.revoked", "api_key", key_id, reason="revoked")
    return ending


def intersect_scopes(scopes: tuple[Scope, ...], role: Role) -> tuple[Scope, ...]:
    """What a key may do in the hands of a role: never more than either."""
    return tuple(scope for scope in scopes if scope in ROLE_SCOPES[role])


def introspect_key(
    store: KeyStore, key_id: UUID, prefix: str, now: datetime
) -> ApiKeyAccepted | ApiKeyRefused:
    """What a key opens at this moment, and note that it was used."""
    key = store.read_key(key_id)
    if key is None or key.prefix != prefix or not key.is_alive(now):
        return INACTIVE
    account = store.read_account(key.user_id)
    if account is None or account.status != "active" or account.tenant_status != "active":
        return INACTIVE
    scopes = intersect_scopes(key.scopes, account.role)
    if not scopes:
        return INACTIVE
    store.note_key_used(key_id)
    return ApiKeyAccepted(
        key_id=key.key_id,
        tenant_id=key.tenant_id,
        user_id=key.user_id,
        role=account.role,
        scope=" ".join(scopes),
        tier=account.tier,
        requests_per_second=key.requests_per_second,
        expires_at=key.ends_at,
    )
