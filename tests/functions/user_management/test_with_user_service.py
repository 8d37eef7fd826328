"""user_management and user_service together: from a stranger to a team, over their doors."""

import secrets
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from contracts.envelope import Envelope
from contracts.user_management import (
    EmailVerificationRequested,
    EmailVerified,
    MemberInvited,
    MemberRemoved,
)
from contracts.user_service import InvitationAccepted, UserRegistered
from functions.user_management import api as management_api
from functions.user_management import consumer as management_consumer
from functions.user_service import api as user_api
from functions.user_service import consumer as user_consumer
from kit.db import Database
from tests.functions.user_management.conftest import Rooms, as_user, make_address
from tests.support.builders import api_event, read_answer, sqs_event

PASSWORD = "jalan kenangan 1978"


@pytest.fixture
def both(
    rooms: Rooms,
    open_room: Callable[[str], Database],
    redis_url: str,
    set_secret: Callable[[str, dict[str, Any]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Rooms:
    users = open_room("user_service")
    monkeypatch.setattr(user_api, "_database", lambda: users)
    monkeypatch.setattr(user_consumer, "_database", lambda: users)
    set_secret("jwt", {"seed": secrets.token_urlsafe(32)})
    set_secret("redis", {"url": redis_url})
    return rooms


def post(door: Any, path: str, body: Any) -> tuple[int, Any]:
    return read_answer(door.handler(api_event("POST", f"/v1/auth/{path}", body=body), None))


def pass_on(rooms: Rooms, contract: type[Any], consumer: Any) -> Envelope:
    """Deliver the newest message of a kind twice; it."""
    envelope = rooms.published.envelopes(contract)[-1]
    for _ in range(2):
        assert consumer.handler(sqs_event(envelope), None) == {"batchItemFailures": []}
    return envelope


def sign_up(rooms: Rooms) -> tuple[UUID, dict[str, str]]:
    account = {"email": make_address(), "password": PASSWORD}
    person = {**account, "full_name": "A", "tenant_name": "T"}
    assert post(user_api, "register", person)[0] == 201
    tenant = pass_on(rooms, UserRegistered, management_consumer).meta.tenant_id
    assert tenant is not None
    return tenant, account


def test_a_stranger_registers_verifies_and_logs_in(both: Rooms) -> None:
    _, account = sign_up(both)
    (request,) = both.messages(EmailVerificationRequested)
    assert post(user_api, "login", account)[0] == 403
    assert post(management_api, "verify-email", {"token": request.token})[0] == 200
    pass_on(both, EmailVerified, user_consumer)
    status, pair = post(user_api, "login", account)
    assert (status, pair["token_type"]) == (200, "Bearer")


def test_a_colleague_is_invited_joins_and_is_removed(both: Rooms) -> None:
    tenant, _ = sign_up(both)
    (request,) = both.messages(EmailVerificationRequested)
    both.verify(request.token)
    pass_on(both, EmailVerified, user_consumer)
    owner = as_user(tenant, request.user_id)
    email = make_address()
    both.invite(owner, "trader", email)
    invited = pass_on(both, MemberInvited, user_consumer).data
    assert isinstance(invited, MemberInvited)
    answer = {
        "token": invited.token,
        "password": PASSWORD,
        "full_name": "Budi",
        "locale": "id",
    }
    status, joined = post(user_api, "invitations/accept", answer)
    assert status == 201, joined
    pass_on(both, InvitationAccepted, management_consumer)
    _, page = both.call("GET", "/v1/tenants/members", principal=owner)
    roles = {item["email"]: item["role"] for item in page["items"]}
    assert roles == {request.email: "owner", email: "trader"}
    account = {"email": email, "password": PASSWORD}
    assert post(user_api, "login", account)[0] == 200
    path = f"/v1/tenants/members/{joined['user_id']}"
    assert both.call("DELETE", path, principal=owner)[0] == 204
    pass_on(both, MemberRemoved, user_consumer)
    assert post(user_api, "login", account)[0] == 401
