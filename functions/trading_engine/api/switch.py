"""Kill switches: a tenant's own, and the platform's for the whole host.

Engaging asks for nothing but the role; releasing asks for a fresh second factor.
"""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from contracts.ids import uuid7
from functions.trading_engine.api.door import RoomDatabase
from functions.trading_engine.logic.switch import engage_switch, release_switch
from functions.trading_engine.models import Body, KeptSwitch
from functions.trading_engine.store import HostSwitchStore, SwitchStore
from kit import audit
from kit.api import CurrentPrincipal
from kit.db import Database, Transaction

router = APIRouter()


class EngageSwitch(Body):
    """Body of POST /v1/kill-switch, which may be left out."""

    flatten: bool = False
    """Close the open positions too."""
    reason: Annotated[str, Field(max_length=200)] = ""


class KillSwitch(KeptSwitch):
    """A switch as its owner sees it: what was asked for, and what the edge confirmed."""

    scope: Literal["tenant", "host"]
    engaged: bool
    """Whether trading is stopped: asked for, or said by the edge. A release counts when the edge
    confirms it."""
    waiting: bool
    """Whether the edge has not answered the newest word yet."""
    host_engaged: bool
    """Whether the platform stopped the whole host."""


def _show(tx: Transaction, scope: Literal["tenant", "host"]) -> KillSwitch:
    host = HostSwitchStore(tx).find()
    kept = host if scope == "host" else SwitchStore(tx).find()
    asked, confirmed = kept.asked, kept.confirmed
    return KillSwitch(
        scope=scope,
        asked=asked,
        confirmed=confirmed,
        engaged=_is_engaged(kept),
        waiting=asked is not None and (confirmed is None or confirmed.version < asked.version),
        host_engaged=_is_engaged(host),
    )


def _is_engaged(kept: KeptSwitch) -> bool:
    """Whether the newest word or the edge's says so, or words before the newest, of which one may
    have engaged it, were not answered."""
    asked, confirmed = kept.asked, kept.confirmed
    if confirmed is not None and confirmed.engaged:
        return True
    answered = confirmed.version if confirmed is not None else 0
    return asked is not None and (asked.engaged or asked.version - answered > 1)


def _open(tx: Transaction) -> SwitchStore:
    return HostSwitchStore(tx) if tx.tenant_id is None else SwitchStore(tx)


def _engage(
    database: Database, tenant_id: UUID | None, user_id: UUID, body: EngageSwitch | None
) -> KillSwitch:
    asked = body or EngageSwitch()
    with database.transaction(tenant_id) as tx:
        command = engage_switch(
            _open(tx),
            flatten=asked.flatten,
            reason=asked.reason,
            now=tx.now,
            command_id=uuid7(),
            requested_by=user_id,
        )
        if command is not None:
            tx.publish(command)
            _audit(tx, "kill_switch.engaged", command.version, flatten=command.flatten)
        return _show(tx, "tenant" if tenant_id else "host")


def _release(database: Database, tenant_id: UUID | None, user_id: UUID) -> KillSwitch:
    with database.transaction(tenant_id) as tx:
        command = release_switch(_open(tx), now=tx.now, command_id=uuid7(), requested_by=user_id)
        tx.publish(command)
        _audit(tx, "kill_switch.released", command.version)
        return _show(tx, "tenant" if tenant_id else "host")


def _audit(tx: Transaction, action: str, version: int, **detail: bool) -> None:
    audit.record(tx, action, "kill_switch", tx.tenant_id or "host", version=version, **detail)


@router.get("/v1/kill-switch")
def get_kill_switch(principal: CurrentPrincipal, database: RoomDatabase) -> KillSwitch:
    """Whether trading is stopped: what was asked for, and what the edge confirmed."""
    with database.transaction(principal.tenant_id) as tx:
        return _show(tx, "tenant")


@router.post("/v1/kill-switch", status_code=202)
def post_kill_switch(
    principal: CurrentPrincipal, database: RoomDatabase, body: EngageSwitch | None = None
) -> KillSwitch:
    """Stop entries at once and cancel what is pending; `flatten` closes positions too.

    Needs no second factor and waits for no rate limit. A repeat is safe.
    """
    principal.require_role("owner", "admin", "trader")
    return _engage(database, principal.tenant_id, principal.user_id, body)


@router.delete("/v1/kill-switch", status_code=202)
def delete_kill_switch(principal: CurrentPrincipal, database: RoomDatabase) -> KillSwitch:
    """Arm trading again, also accounts that a loss limit stopped.

    The edge refuses it when it hears of it later than five minutes from now.
    """
    principal.require_role("owner", "admin", "trader")
    return _release(database, principal.tenant_id, principal.user_id)


@router.get("/v1/kill-switch/host")
def get_host_switch(database: RoomDatabase) -> KillSwitch:
    """Whether the whole host is stopped."""
    with database.transaction(None) as tx:
        return _show(tx, "host")


@router.post("/v1/kill-switch/host", status_code=202)
def post_host_switch(
    principal: CurrentPrincipal, database: RoomDatabase, body: EngageSwitch | None = None
) -> KillSwitch:
    """Stop every tenant's entries at once."""
    principal.require_platform_admin()
    return _engage(database, None, principal.user_id, body)


@router.delete("/v1/kill-switch/host", status_code=202)
def delete_host_switch(principal: CurrentPrincipal, database: RoomDatabase) -> KillSwitch:
    """Arm the host again; tenants' own switches stay as they are. Needs a fresh second factor."""
    principal.require_platform_admin()
    principal.require_step_up(database.clock.now())
    return _release(database, None, principal.user_id)
