"""API keys of a tenant: made and rotated (the secret is shown in that one answer), seen, ended.

An answer with a secret is never kept for an Idempotency-Key: a repeat gets a 409 that names the
key. Keys that may trade ask for a fresh second factor.
"""

import re
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from contracts.permissions import MANAGERS
from functions.user_service.api.door import RoomDatabase
from functions.user_service.logic.api_keys import (
    FreshKey,
    choose_key_id,
    create_key,
    find_key,
    revoke_key,
    rotate_key,
)
from functions.user_service.logic.key_bodies import (
    KeyCard,
    KeyPage,
    KeyRequest,
    KeyRotation,
    NewKey,
)
from functions.user_service.settings import settings
from functions.user_service.store import UserStore, mark_revoked
from kit.api import CurrentPrincipal, problems
from kit.errors import BadRequest
from kit.idempotency import IdempotencyKey

PAGE_MAX = 100
HARMLESS = "read"
"""Keys with any other scope can cost money: they ask for a fresh second factor."""
VISIBLE = re.compile(r"[\x21-\x7e]{1,80}")

router = APIRouter()


@router.post("/v1/auth/api-keys", status_code=201, responses=problems(409))
def create_api_key(
    body: KeyRequest,
    principal: CurrentPrincipal,
    database: RoomDatabase,
    idempotency_key: IdempotencyKey = None,
) -> NewKey:
    """Make an API key that acts for the caller; its secret is in this answer and never again.

    A repeat with the same Idempotency-Key is a 409 `key_already_created` with the `key_id`.
    """
    if idempotency_key is not None and not VISIBLE.fullmatch(idempotency_key):
        raise BadRequest("Idempotency-Key: 1 to 80 visible ASCII characters")
    key_id = choose_key_id(principal.tenant_id, principal.user_id, idempotency_key)
    with database.transaction(principal.tenant_id) as tx:
        if set(body.scopes) != {HARMLESS}:
            principal.require_step_up(tx.now)
        store = UserStore(tx)
        fresh = create_key(
            store, body, principal.user_id, key_id=key_id, stage=settings().stage, now=tx.now
        )
    return _show(fresh)


@router.get("/v1/auth/api-keys")
def list_api_keys(
    principal: CurrentPrincipal,
    database: RoomDatabase,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
    cursor: UUID | None = None,
) -> KeyPage:
    """The caller's API keys, the newest first; the whole tenant's for owner and admin."""
    whose = None if principal.role in MANAGERS else principal.user_id
    with database.transaction(principal.tenant_id) as tx:
        keys = UserStore(tx).list_keys(whose, limit + 1, cursor)
        cards = [KeyCard.of(key, tx.now) for key in keys[:limit]]
    return KeyPage(items=cards, next_cursor=str(cards[-1].key_id) if len(keys) > limit else None)


@router.delete(
    "/v1/auth/api-keys/{key_id}",
    status_code=204,
    response_class=Response,
    responses=problems(404),
)
def revoke_api_key(key_id: UUID, principal: CurrentPrincipal, database: RoomDatabase) -> None:
    """End an API key at once, and those it was rotated from that were honoured still."""
    with database.transaction(principal.tenant_id) as tx:
        store = UserStore(tx)
        revoke_key(store, find_key(store, key_id, principal.user_id, principal.role), tx.now)
    mark_revoked(tx.rows)


@router.post("/v1/auth/api-keys/{key_id}/rotate", status_code=201, responses=problems(404, 409))
def rotate_api_key(
    key_id: UUID,
    principal: CurrentPrincipal,
    database: RoomDatabase,
    body: KeyRotation | None = None,
) -> NewKey:
    """Put a key with an id and a secret of its own in a key's place.

    The old one is honoured for `overlap_s` seconds more. A repeat is a 409 `key_already_rotated`
    with the successor's `key_id`.
    """
    overlap = timedelta(seconds=(body or KeyRotation()).overlap_s)
    with database.transaction(principal.tenant_id) as tx:
        store = UserStore(tx)
        key = find_key(store, key_id, principal.user_id, principal.role)
        if set(key.scopes) != {HARMLESS}:
            principal.require_step_up(tx.now)
        fresh = rotate_key(
            store, key, principal.user_id, overlap=overlap, stage=settings().stage, now=tx.now
        )
    mark_revoked(tx.rows)
    return _show(fresh)


def _show(fresh: FreshKey) -> NewKey:
    card = KeyCard.of(fresh.stored, fresh.stored.created_at)
    return NewKey(**card.model_dump(), key=fresh.text)
