"""What a room says to the audit trail: the actor of the request, in the deed's own transaction."""

from collections.abc import Callable
from uuid import UUID

import pytest

from contracts.audit import AuditRecorded
from contracts.ids import uuid7
from kit import audit
from kit.context import RequestContext, use
from kit.db import Database
from kit.tenancy import Principal
from tests.support.publisher import RecordingPublisher

OpenRoom = Callable[[str], Database]


def caller(tenant: UUID, **change: object) -> Principal:
    fields = {"user_id": uuid7(), "tenant_id": tenant, "role": "owner", "tier": "free"}
    return Principal.model_validate({**fields, **change})


def note(database: Database, tenant: UUID, who: Principal | None) -> RequestContext:
    context = RequestContext(uuid7(), "r-1", "203.0.113.9", "curl/8", who)
    with use(context), database.transaction(tenant) as tx:
        audit.record(tx, "api_key.created", "api_key", "k-1", scopes="read trade")
    return context


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({}, "user"),
        ({"support": True}, "support"),
        ({"platform_admin": True}, "admin"),
        ({"credential": "api_key", "key_id": uuid7()}, "api_key"),
    ],
)
def test_the_actor_is_who_the_authorizer_named(
    open_room: OpenRoom,
    published: RecordingPublisher,
    tenant: UUID,
    change: dict[str, object],
    kind: str,
) -> None:
    who = caller(tenant, **change)
    context = note(open_room("user_service"), tenant, who)
    [envelope] = published.envelopes(AuditRecorded)
    told = envelope.data
    assert isinstance(told, AuditRecorded)
    assert (told.room, told.actor_kind) == ("user_service", kind)
    assert told.actor_id == (who.key_id if kind == "api_key" else who.user_id)
    assert (told.address, told.device) == ("203.0.113.9", "curl/8")
    assert told.detail == {"scopes": "read trade"}
    assert envelope.meta.tenant_id == tenant
    assert envelope.meta.correlation_id == context.correlation_id


def test_without_a_caller_it_was_the_system(
    open_room: OpenRoom, published: RecordingPublisher, tenant: UUID
) -> None:
    note(open_room("user_service"), tenant, None)
    [told] = published.messages(AuditRecorded)
    assert (told.actor_kind, told.actor_id) == ("system", None)


def test_a_deed_that_is_undone_leaves_no_record(
    open_room: OpenRoom, published: RecordingPublisher, tenant: UUID
) -> None:
    with pytest.raises(ZeroDivisionError), open_room("user_service").transaction(tenant) as tx:
        audit.record(tx, "member.removed", "user", uuid7())
        _ = 1 // 0
    assert published.messages(AuditRecorded) == []
