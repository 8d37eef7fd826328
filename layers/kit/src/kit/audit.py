"""The audit trail's entrance: who did what, written in the transaction that did it."""

from uuid import UUID

from contracts.audit import ActorKind, AuditRecorded
from kit.context import RequestContext, current
from kit.db import Transaction


def record(
    tx: Transaction,
    action: str,
    target_kind: str,
    target_id: object,
    **detail: str | int | bool | None,
) -> None:
    """Publish AuditRecorded with the transaction; ``detail`` holds no personal data.

    The actor is the one of the request at the door; without a request it is the system.
    """
    tx.publish(_describe(tx, action, target_kind, target_id, detail))


def record_under(
    tx: Transaction, tenant_id: UUID, action: str, target_kind: str, target_id: object
) -> None:
    """Publish AuditRecorded to a tenant's trail from a transaction of the platform's."""
    tx.publish(_describe(tx, action, target_kind, target_id, {}), tenant_id=tenant_id)


def _describe(
    tx: Transaction,
    action: str,
    target_kind: str,
    target_id: object,
    detail: dict[str, str | int | bool | None],
) -> AuditRecorded:
    context = current()
    kind, actor = _name_actor(context)
    return AuditRecorded(
        room=tx.room,
        actor_kind=kind,
        actor_id=actor,
        action=action,
        target_kind=target_kind,
        target_id=str(target_id),
        address=context.address if context else None,
        device=context.device if context else None,
        detail=detail,
    )


def _name_actor(context: RequestContext | None) -> tuple[ActorKind, object]:
    who = context.principal if context else None
    if who is None:
        return "system", None
    if who.credential == "api_key":
        return "api_key", who.key_id
    if who.platform_admin:
        return "admin", who.user_id
    return ("support" if who.support else "user"), who.user_id
