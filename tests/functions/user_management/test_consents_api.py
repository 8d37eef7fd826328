"""Consents under UU PDP: versioned documents, a trail that is only added to, and being active."""

import hashlib
from typing import Any
from uuid import UUID

import psycopg
import pytest

from contracts.audit import AuditRecorded
from contracts.ids import uuid7
from tests.functions.user_management.conftest import Rooms, as_user
from tests.support.builders import FixedClock

CONSENTS = "/v1/users/me/consents"
TENANT = "/v1/tenants/me"


def read_status(rooms: Rooms, who: dict[str, Any]) -> str:
    return str(rooms.call("GET", TENANT, principal=who)[1]["status"])


def say(rooms: Rooms, who: dict[str, Any], document: str, action: str = "given") -> int:
    body = {"document": document, "version": 1, "action": action}
    return rooms.call("POST", CONSENTS, body, principal=who)[0]


@pytest.mark.parametrize(
    ("locale", "title"), [("id", "Pemberitahuan Risiko"), ("en", "Risk Notice")]
)
def test_the_documents_come_in_the_users_language_with_their_hash(
    rooms: Rooms, tenant: UUID, locale: str, title: str
) -> None:
    status, shown = rooms.call("GET", CONSENTS, principal=rooms.found(tenant, locale=locale))
    assert status == 200
    documents = {item["document"]: item for item in shown["documents"]}
    assert set(documents) == {"terms", "privacy", "risk_notice"}
    assert documents["risk_notice"]["title"] == title
    assert not any(item["consented"] for item in shown["documents"])
    assert shown["records"] == []
    with rooms.database.transaction(None) as tx:
        for row in tx.fetch_all("SELECT * FROM consent_documents LIMIT 100"):
            both = f"{row['text_id']}\n{row['text_en']}".encode()
            assert row["text_sha256"] == hashlib.sha256(both).hexdigest()


def test_a_consent_says_who_what_when_and_from_where(
    rooms: Rooms, tenant: UUID, clock: FixedClock
) -> None:
    owner = rooms.found(tenant)
    body = {"document": "privacy", "version": 1}
    status, consent = rooms.call("POST", CONSENTS, body, principal=owner)
    assert (status, consent["action"], consent["address"]) == (201, "given", "127.0.0.1")
    assert consent["recorded_at"] == clock.now().isoformat().replace("+00:00", "Z")
    _, shown = rooms.call("GET", CONSENTS, principal=owner)
    assert shown["records"] == [consent]
    assert {item["document"]: item["consented"] for item in shown["documents"]} == {
        "privacy": True,
        "risk_notice": False,
        "terms": False,
    }
    (audit,) = [e for e in rooms.messages(AuditRecorded) if e.action == "consent.given"]
    assert (str(audit.actor_id), audit.address) == (owner["user_id"], "127.0.0.1")
    assert audit.detail == {"document": "privacy", "version": 1}


def test_the_present_terms_and_risk_notice_make_a_verified_tenant_active(
    rooms: Rooms, tenant: UUID
) -> None:
    owner = rooms.found(tenant)
    seen = [read_status(rooms, owner)]
    for document in ("terms", "privacy", "risk_notice"):
        assert say(rooms, owner, document) == 201
        seen.append(read_status(rooms, owner))
    assert seen == ["verified", "verified", "verified", "active"]


def test_consents_before_the_proof_make_the_tenant_active_with_it(
    rooms: Rooms, tenant: UUID
) -> None:
    request = rooms.register(tenant)
    owner = as_user(tenant, request.user_id)
    rooms.consent(owner, "terms", "risk_notice")
    assert read_status(rooms, owner) == "registered"
    rooms.verify(request.token)
    _, shown = rooms.call("GET", TENANT, principal=owner)
    assert (shown["status"], shown["version"]) == ("active", 3)


def test_a_withdrawal_is_recorded_too_and_takes_being_active_back(
    rooms: Rooms, tenant: UUID
) -> None:
    owner = rooms.found(tenant)
    rooms.consent(owner, "terms", "risk_notice")
    assert say(rooms, owner, "terms", "withdrawn") == 201
    assert read_status(rooms, owner) == "verified"
    _, shown = rooms.call("GET", CONSENTS, principal=owner)
    trail = [(item["document"], item["action"]) for item in shown["records"]]
    assert trail == [("terms", "withdrawn"), ("risk_notice", "given"), ("terms", "given")]
    assert say(rooms, owner, "terms", "withdrawn") == 201
    assert len(rooms.call("GET", CONSENTS, principal=owner)[1]["records"]) == 3
    assert say(rooms, owner, "terms") == 201
    assert read_status(rooms, owner) == "active"
    assert rooms.actions(tenant)[-2:] == ["consent.withdrawn", "consent.given"]


def test_saying_again_what_stands_adds_no_record(rooms: Rooms, tenant: UUID) -> None:
    owner = rooms.found(tenant)
    body = {"document": "terms", "version": 1}
    first = rooms.call("POST", CONSENTS, body, principal=owner)
    assert rooms.call("POST", CONSENTS, body, principal=owner) == first
    assert rooms.actions(tenant).count("consent.given") == 1


def test_a_members_consents_are_their_own(rooms: Rooms, tenant: UUID) -> None:
    owner = rooms.found(tenant)
    viewer = rooms.join(owner, "viewer")
    rooms.consent(viewer, "terms", "risk_notice")
    assert read_status(rooms, owner) == "verified"
    assert rooms.call("GET", CONSENTS, principal=owner)[1]["records"] == []
    assert len(rooms.call("GET", CONSENTS, principal=viewer)[1]["records"]) == 2


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"version": 2}, 422, "unknown_document_version"),
        ({"document": "cookies"}, 422, "invalid_value"),
        ({"version": 0}, 422, "invalid_value"),
        ({"action": "withdrawn"}, 409, "nothing_to_withdraw"),
        ({"user_id": str(uuid7())}, 422, "invalid_value"),
    ],
)
def test_a_consent_that_cannot_be_right_is_refused(
    rooms: Rooms, tenant: UUID, change: dict[str, Any], status: int, code: str
) -> None:
    owner = rooms.found(tenant)
    body = {"document": "terms", "version": 1, **change}
    answer, problem = rooms.call("POST", CONSENTS, body, principal=owner)
    assert (answer, problem["code"]) == (status, code)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM consents",
        "UPDATE consents SET action = 'given'",
        "UPDATE consents SET recorded_at = now()",
        "UPDATE consents SET address = '10.0.0.1'",
        "UPDATE consent_documents SET text_en = 'x'",
        "DELETE FROM consent_documents",
    ],
)
def test_the_trail_is_only_added_to(rooms: Rooms, tenant: UUID, statement: str) -> None:
    rooms.consent(rooms.found(tenant), "terms")
    refusals = (psycopg.errors.InsufficientPrivilege, psycopg.errors.CheckViolation)
    with pytest.raises(refusals), rooms.database.transaction(tenant) as tx:
        tx.execute(statement)


def test_consents_of_another_tenant_are_not_there(
    rooms: Rooms, tenant: UUID, other_tenant: UUID
) -> None:
    owner = rooms.found(tenant)
    rooms.consent(owner, "terms")
    rooms.found(other_tenant)
    thief = as_user(other_tenant, UUID(owner["user_id"]))
    assert rooms.call("GET", CONSENTS, principal=thief)[0] == 404
    body = {"document": "terms", "version": 1, "action": "withdrawn"}
    assert rooms.call("POST", CONSENTS, body, principal=thief)[0] == 404
