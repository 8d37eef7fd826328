"""user_management over HTTP: the link of the mail, one's own profile, the own tenant's members."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.ids import uuid7
from contracts.user_management import EmailVerificationRequested, EmailVerified
from contracts.user_service import UserRegistered
from functions.user_management import api as management_api
from functions.user_management import consumer as management_consumer
from functions.user_service import api as user_api
from functions.user_service import consumer as user_consumer
from kit.db import Database
from tests.functions.user_management.conftest import ProfileDoors
from tests.support.builders import FixedClock, api_event, principal, read_answer, sqs_event
from tests.support.publisher import RecordingPublisher

ME = "/v1/users/me"
MEMBERS = "/v1/tenants/members"


def test_the_link_of_the_mail_proves_the_address_once(
    profiles: ProfileDoors, published: RecordingPublisher, tenant: UUID
) -> None:
    request = profiles.join(tenant)
    assert profiles.verify(request.token) == (200, {"status": "verified"})
    (envelope,) = published.envelopes(EmailVerified)
    assert envelope.meta.tenant_id == tenant
    assert isinstance(envelope.data, EmailVerified)
    assert envelope.data.user_id == request.user_id
    assert envelope.data.tenant_name == "Rahma Trading"
    status, problem = profiles.verify(request.token)
    assert (status, problem["code"]) == (400, "verification_token_invalid")
    assert len(published.messages(EmailVerified)) == 1


def test_unknown_expired_and_used_tokens_get_the_same_answer(
    profiles: ProfileDoors, tenant: UUID, clock: FixedClock
) -> None:
    used, expired = profiles.join(tenant), profiles.join(tenant)
    profiles.verify(used.token)
    clock.advance(hours=24)
    answers = [profiles.verify(token) for token in (used.token, expired.token, "x" * 43)]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 400


def test_a_token_lives_for_a_day(profiles: ProfileDoors, tenant: UUID, clock: FixedClock) -> None:
    request = profiles.join(tenant)
    assert request.expires_at - clock.now() == timedelta(hours=24)
    clock.advance(hours=23, minutes=59)
    assert profiles.verify(request.token)[0] == 200


@pytest.mark.parametrize("token", ["", "x" * 401, 5, None, "\ud800"])
def test_a_token_of_the_wrong_shape_is_refused(profiles: ProfileDoors, token: Any) -> None:
    assert profiles.call("POST", "/v1/auth/verify-email", {"token": token})[0] == 422


def test_only_the_hash_of_a_token_is_stored(
    profiles: ProfileDoors, open_room: Callable[[str], Database], tenant: UUID
) -> None:
    request = profiles.join(tenant)
    with open_room("user_management").transaction(tenant) as tx:
        (row,) = tx.fetch_all("SELECT * FROM verification_tokens")
        assert bytes(row["token_hash"]) == hashlib.sha256(request.token.encode()).digest()
        assert request.token not in str(row)
        assert tx.fetch_all("SELECT * FROM outbox WHERE envelope LIKE %s", [f"%{tenant}%"]) == []


def test_of_two_clicks_at_once_one_proves_the_address(
    profiles: ProfileDoors,
    open_room: Callable[[str], Database],
    published: RecordingPublisher,
    tenant: UUID,
) -> None:
    from functions.user_management.errors import VerificationTokenInvalid
    from functions.user_management.logic import hash_token, verify_email
    from functions.user_management.store import ProfileStore

    token = hash_token(profiles.join(tenant).token)

    def click(database: Database) -> bool:
        try:
            with database.transaction(tenant) as tx:
                verify_email(ProfileStore(tx), token)
        except VerificationTokenInvalid:
            return False
        return True

    databases = [open_room("user_management") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(click, databases)) == 1
    assert len(published.messages(EmailVerified)) == 1


def test_a_user_reads_and_changes_their_own_profile(profiles: ProfileDoors, tenant: UUID) -> None:
    user_id = profiles.join(tenant, full_name="Siti Rahma").user_id
    me = principal(tenant, user_id=user_id)
    status, before = profiles.call("GET", ME, principal=me)
    assert status == 200
    assert (before["role"], before["time_zone"], before["email_verified"]) == (
        "owner",
        "Asia/Jakarta",
        False,
    )
    change = {"full_name": " Siti R. ", "time_zone": "Asia/Makassar"}
    status, after = profiles.call("PATCH", ME, change, principal=me)
    assert status == 200
    assert after == {**before, "full_name": "Siti R.", "time_zone": "Asia/Makassar"}
    assert profiles.call("GET", ME, principal=me) == (200, after)
    assert profiles.call("PATCH", ME, {}, principal=me) == (200, after)


@pytest.mark.parametrize(
    "change",
    [
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../../etc/passwd"},
        {"time_zone": "/etc/localtime"},
        {"time_zone": "Asia"},
        {"time_zone": "a\u0000b"},
        {"locale": "fr"},
        {"full_name": ""},
        {"full_name": "nul\u0000"},
        {"role": "admin"},
        {"email": "other@example.com"},
        {"tenant_id": str(uuid7())},
    ],
)
def test_a_profile_change_that_cannot_be_right_is_refused(
    profiles: ProfileDoors, tenant: UUID, change: dict[str, Any]
) -> None:
    me = principal(tenant, user_id=profiles.join(tenant).user_id)
    before = profiles.call("GET", ME, principal=me)
    assert profiles.call("PATCH", ME, change, principal=me)[0] == 422
    assert profiles.call("GET", ME, principal=me) == before


def test_a_repeated_change_with_a_key_gets_the_first_answer(
    profiles: ProfileDoors, tenant: UUID
) -> None:
    me = principal(tenant, user_id=profiles.join(tenant).user_id)
    key = {"Idempotency-Key": "k1"}
    first = profiles.call("PATCH", ME, {"full_name": "A"}, principal=me, headers=key)
    profiles.call("PATCH", ME, {"full_name": "B"}, principal=me)
    assert profiles.call("PATCH", ME, {"full_name": "A"}, principal=me, headers=key) == first
    assert profiles.call("GET", ME, principal=me)[1]["full_name"] == "B"


def test_nobody_sees_or_changes_a_user_of_another_tenant(
    profiles: ProfileDoors, tenant: UUID, other_tenant: UUID
) -> None:
    victim = profiles.join(tenant)
    profiles.join(other_tenant)
    thief = principal(other_tenant, user_id=victim.user_id)
    assert profiles.call("GET", ME, principal=thief)[0] == 404
    assert profiles.call("PATCH", ME, {"full_name": "Eve"}, principal=thief)[0] == 404
    _, page = profiles.call("GET", MEMBERS, principal=thief)
    assert str(victim.user_id) not in str(page)


def test_members_come_by_the_page_and_each_once(profiles: ProfileDoors, tenant: UUID) -> None:
    joined = {str(profiles.join(tenant).user_id) for _ in range(5)}
    who = principal(tenant)
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        status, page = profiles.call("GET", MEMBERS, principal=who, query=query)
        assert status == 200
        seen += [item["user_id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert cursor is None
    assert sorted(seen) == sorted(joined)


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "101"}, {"cursor": "x"}])
def test_a_page_out_of_bounds_is_refused(
    profiles: ProfileDoors, tenant: UUID, query: dict[str, str]
) -> None:
    assert profiles.call("GET", MEMBERS, principal=principal(tenant), query=query)[0] == 422


@pytest.mark.parametrize(("method", "path"), [("GET", ME), ("PATCH", ME), ("GET", MEMBERS)])
def test_without_a_principal_it_is_401(profiles: ProfileDoors, method: str, path: str) -> None:
    body: dict[str, str] | None = {} if method == "PATCH" else None
    assert profiles.call(method, path, body)[0] == 401


def test_a_stranger_registers_verifies_and_logs_in_across_the_two_rooms(
    open_room: Callable[[str], Database],
    published: RecordingPublisher,
    set_secret: Callable[[str, dict[str, Any]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    users, management = open_room("user_service"), open_room("user_management")
    for door, database in (
        (user_api, users),
        (user_consumer, users),
        (management_api, management),
        (management_consumer, management),
    ):
        monkeypatch.setattr(door, "_database", lambda database=database: database)
    set_secret("jwt", {"seed": "0123456789abcdef" * 4})
    account = {"email": f"{uuid7().hex}@example.com", "password": "jalan kenangan 1978"}

    def post(door: Any, path: str, body: Any) -> tuple[int, Any]:
        return read_answer(door.handler(api_event("POST", f"/v1/auth/{path}", body=body), None))

    assert post(user_api, "register", {**account, "full_name": "A", "tenant_name": "T"})[0] == 201
    registered = sqs_event(published.envelopes(UserRegistered)[-1])
    for _ in range(2):
        assert management_consumer.handler(registered, None) == {"batchItemFailures": []}
    (request,) = published.messages(EmailVerificationRequested)
    assert post(user_api, "login", account)[0] == 403
    assert post(management_api, "verify-email", {"token": request.token})[0] == 200
    verified = sqs_event(published.envelopes(EmailVerified)[-1])
    for _ in range(2):
        assert user_consumer.handler(verified, None) == {"batchItemFailures": []}
    status, pair = post(user_api, "login", account)
    assert (status, pair["token_type"]) == (200, "Bearer")
