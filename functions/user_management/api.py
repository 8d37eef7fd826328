"""HTTP door of user_management: the verification link (open), one's own profile, the members."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from functions.user_management import logic
from functions.user_management.errors import VerificationTokenInvalid
from functions.user_management.models import MemberPage, Profile, ProfileChange, Verification
from functions.user_management.settings import settings
from functions.user_management.store import ProfileStore
from kit.api import CurrentPrincipal, make_app, make_handler
from kit.db import Database, open_database
from kit.idempotency import IdempotencyKey, answer_once

MEMBERS_A_PAGE_MAX = 100

app = make_app("user_management", "Profiles, members and e-mail verification")


class VerificationAnswer(BaseModel):
    """The address is proven."""

    status: Literal["verified"] = "verified"


def _database() -> Database:
    return open_database("user_management", settings().event_bus_name)


@app.post("/v1/auth/verify-email")
def verify_email(body: Verification) -> VerificationAnswer:
    """Prove an address with the token of its mail."""
    token_hash = logic.hash_token(body.token)
    database = _database()
    with database.transaction(None) as tx:
        tenant_id = ProfileStore(tx).find_verification_tenant(token_hash)
    if tenant_id is None:
        raise VerificationTokenInvalid("ask for a new mail and use its link within 24 hours")
    with database.transaction(tenant_id) as tx:
        logic.verify_email(ProfileStore(tx), token_hash)
    return VerificationAnswer()


@app.get("/v1/users/me")
def read_me(principal: CurrentPrincipal) -> Profile:
    """One's own profile."""
    with _database().transaction(principal.tenant_id) as tx:
        return logic.require_profile(ProfileStore(tx).read_profile(principal.user_id))


@app.patch("/v1/users/me")
def change_me(
    body: ProfileChange, principal: CurrentPrincipal, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Change one's own name, language or time zone."""
    with _database().transaction(principal.tenant_id) as tx:

        def run() -> tuple[int, Any]:
            profile = logic.change_profile(ProfileStore(tx), principal.user_id, body)
            return 200, profile.model_dump(mode="json")

        request = ["change_me", principal.user_id, body.model_dump(mode="json")]
        return answer_once(tx, idempotency_key, request, run)


@app.get("/v1/tenants/members")
def list_members(
    principal: CurrentPrincipal,
    limit: Annotated[int, Query(ge=1, le=MEMBERS_A_PAGE_MAX)] = 50,
    cursor: UUID | None = None,
) -> MemberPage:
    """The members of one's own tenant."""
    with _database().transaction(principal.tenant_id) as tx:
        members = ProfileStore(tx).list_members(cursor, limit + 1)
    return logic.make_page(members, limit)


handler = make_handler(app)
