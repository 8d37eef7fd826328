"""One's own profile, and the tenant's trading preferences."""

import re
from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.responses import JSONResponse

from functions.user_management.api.door import RoomDatabase, answer_write
from functions.user_management.logic import profiles
from functions.user_management.models import Preferences, PreferencesWish, Profile, ProfileChange
from functions.user_management.store import ManagementStore
from kit.api import CurrentPrincipal, problems
from kit.errors import BadRequest
from kit.idempotency import IdempotencyKey

router = APIRouter()

IfMatch = Annotated[str | None, Header(alias="If-Match", max_length=20)]
_ETAG = re.compile(r'(?:W/)?"?([0-9]{1,9})"?')


@router.get("/v1/users/me", responses=problems(404))
def read_me(principal: CurrentPrincipal, database: RoomDatabase) -> Profile:
    """One's own profile."""
    with database.transaction(principal.tenant_id) as tx:
        return profiles.require_profile(ManagementStore(tx).read_profile(principal.user_id))


@router.patch("/v1/users/me", response_model=Profile, responses=problems(404, 409))
def change_me(
    body: ProfileChange,
    principal: CurrentPrincipal,
    database: RoomDatabase,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Change one's own name, language or time zone."""
    with database.transaction(principal.tenant_id) as tx:
        return answer_write(
            tx,
            idempotency_key,
            ["change_me", principal.user_id, body.model_dump_json()],
            lambda: profiles.change_profile(ManagementStore(tx), principal.user_id, body),
        )


@router.get("/v1/users/me/preferences")
def read_preferences(
    principal: CurrentPrincipal, database: RoomDatabase, response: Response
) -> Preferences:
    """How the tenant wants to be traded for; the ETag names the version."""
    with database.transaction(principal.tenant_id) as tx:
        preferences = ManagementStore(tx).read_preferences()
    response.headers["etag"] = f'"{preferences.version}"'
    return preferences


@router.put("/v1/users/me/preferences", response_model=Preferences, responses=problems(404, 409))
def change_preferences(
    body: PreferencesWish,
    principal: CurrentPrincipal,
    database: RoomDatabase,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Set how the tenant wants to be traded for; If-Match refuses to overwrite a newer version."""
    expected = read_version(if_match)
    with database.transaction(principal.tenant_id) as tx:
        return answer_write(
            tx,
            idempotency_key,
            ["change_preferences", principal.user_id, if_match, body.model_dump_json()],
            lambda: profiles.change_preferences(
                ManagementStore(tx), principal.user_id, body, expected
            ),
        )


def read_version(if_match: str | None) -> int | None:
    """The version an If-Match names; None for no header or ``*``. Raises BadRequest."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise BadRequest('If-Match: send the ETag of the preferences, such as "3"')
    return int(found.group(1))
