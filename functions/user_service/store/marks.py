"""Ended access, marked in Redis right after the commit: the authorizer sees it at once.

Best effort. The event AccessRevoked of the same transaction says it too, durably, a little later.
"""

import json
from collections.abc import Sequence
from typing import Any

from contracts.access_keys import (
    ACCESS_MARK_LIFE_S,
    revoked_api_key_key,
    revoked_session_key,
    revoked_user_key,
)
from contracts.envelope import Meta
from contracts.user_service import AccessRevoked
from kit.cache import open_redis
from kit.errors import Unavailable
from kit.observability import warn
from kit.outbox import OutboxRow
from kit.settings import read_secret

_KEYS = {
    "session": revoked_session_key,
    "user": revoked_user_key,
    "api_key": revoked_api_key_key,
}


def mark_revoked(rows: Sequence[OutboxRow]) -> None:
    """Mark what a committed transaction revoked, in one round trip. Never raises."""
    from redis.exceptions import RedisError

    ended = [json.loads(row.envelope) for row in rows if row.detail_type == AccessRevoked.__name__]
    if not ended:
        return
    try:
        pipe = open_redis(str(read_secret("redis")["url"])).pipeline(transaction=False)
        for detail in ended:
            key, before_ms = _read_mark(detail)
            pipe.set(key, before_ms, ex=ACCESS_MARK_LIFE_S)
        pipe.execute()
    except (RedisError, Unavailable) as error:
        warn("ended access is not marked; the event does it", error=type(error).__name__)


def _read_mark(detail: dict[str, Any]) -> tuple[str, int]:
    meta, data = Meta.model_validate(detail["meta"]), AccessRevoked.model_validate(detail["data"])
    assert meta.tenant_id is not None
    key = _KEYS[data.kind](meta.tenant_id, data.subject_id)
    return key, int(data.before.timestamp() * 1000)
