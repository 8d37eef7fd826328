"""``Idempotency-Key`` on writes: the first answer is kept and given again.

The key's row commits with the work. The same key with another request is a 409.
"""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Header
from fastapi.responses import JSONResponse

from kit.db import Transaction
from kit.errors import BadRequest, Conflict

IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", max_length=80)]
"""Route parameter: the client's key; absent means the client takes the risk of a repeat."""

_KEY = re.compile(r"[\x21-\x7e]{1,80}")


class IdempotencyKeyReused(Conflict):
    """The key was used for another request."""

    code, title = "idempotency_key_reused", "This Idempotency-Key was used for another request"


def answer_once(
    tx: Transaction,
    key: str | None,
    request: Any,
    run: Callable[[], tuple[int, Any]],
) -> JSONResponse:
    """Run a write once a tenant and key; later calls get the stored answer.

    ``request`` names the operation and its parameters (JSON-ready); ``run`` returns status and body
    (JSON-ready). An error from ``run`` rolls the key back with the work.
    """
    if key is None:
        status, body = run()
        return JSONResponse(body, status_code=status)
    if not _KEY.fullmatch(key):
        raise BadRequest("Idempotency-Key: 1 to 80 visible ASCII characters")
    digest = hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode()).hexdigest()
    tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{tx.tenant_id}:{key}"])
    known = tx.fetch_one(
        "SELECT request_hash, status, body FROM idempotency_keys WHERE tenant_id = %s AND key = %s",
        [tx.tenant_id, key],
    )
    if known is not None:
        if known["request_hash"] != digest:
            raise IdempotencyKeyReused("use a new key for a new request")
        return JSONResponse(
            known["body"], status_code=known["status"], headers={"idempotency-replayed": "true"}
        )
    status, body = run()
    tx.execute(
        "INSERT INTO idempotency_keys (tenant_id, key, request_hash, status, body, created_at)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        [tx.tenant_id, key, digest, status, json.dumps(body, default=str), tx.now],
    )
    return JSONResponse(json.loads(json.dumps(body, default=str)), status_code=status)
