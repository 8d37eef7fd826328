"""Risk limits: what is in force, what waits, and how to change them."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from contracts.trading_limits import TradingLimits
from functions.trading_engine.api.door import RoomDatabase
from functions.trading_engine.errors import AccountNotFound
from functions.trading_engine.logic.limits import PLATFORM, change_limits
from functions.trading_engine.models import KeptLimits
from functions.trading_engine.store import AccountStore, LimitStore
from kit import audit
from kit.api import CurrentPrincipal, problems
from kit.idempotency import IdempotencyKey, answer_once

router = APIRouter()


class LimitsBody(TradingLimits):
    """Body of PUT /v1/risk-limits: the limits whole; what is left out gets its default."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class RiskLimits(BaseModel):
    """Answer of GET and PUT /v1/risk-limits."""

    account_id: UUID | None
    """Null: for all accounts without limits of their own."""
    source: Literal["account", "tenant", "platform"]
    """Whose limits these are: the account's own, the tenant's, or the platform's defaults."""
    version: int
    limits: TradingLimits
    """What is in force."""
    changed_at: datetime | None
    pending: TradingLimits | None
    """What takes effect at ``pending_at``, within a minute: looser limits wait a day."""
    pending_at: datetime | None


def _show(
    account_id: UUID | None, source: Literal["account", "tenant", "platform"], kept: KeptLimits
) -> RiskLimits:
    return RiskLimits(account_id=account_id, source=source, **dict(kept))


@router.get("/v1/risk-limits", responses=problems(404))
def get_risk_limits(
    principal: CurrentPrincipal, database: RoomDatabase, account_id: UUID | None = None
) -> RiskLimits:
    """The limits of an account, or of the tenant: in force, and waiting."""
    with database.transaction(principal.tenant_id) as tx:
        if account_id is not None and not AccountStore(tx).is_linked(account_id):
            raise AccountNotFound
        store = LimitStore(tx)
        own = store.find(account_id) if account_id is not None else None
        if own is not None:
            return _show(account_id, "account", own)
        tenants = store.find(None)
    if tenants is not None:
        return _show(account_id, "tenant", tenants)
    return _show(account_id, "platform", KeptLimits(version=0, limits=PLATFORM))


@router.put("/v1/risk-limits", response_model=RiskLimits, responses=problems(404, 409))
def put_risk_limits(
    body: LimitsBody,
    principal: CurrentPrincipal,
    database: RoomDatabase,
    account_id: UUID | None = None,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """Set limits for an account, or for all of the tenant's without their own.

    What is tighter counts at once. What is looser needs a fresh second factor and waits a day;
    setting limits that are not looser in the meantime takes it back.
    """
    principal.require_role("owner", "admin", "trader")
    wanted = TradingLimits.model_validate(body.model_dump())
    with database.transaction(principal.tenant_id) as tx:

        def run() -> tuple[int, Any]:
            kept, event = change_limits(
                LimitStore(tx),
                AccountStore(tx),
                account_id,
                wanted,
                now=tx.now,
                confirm_loosening=lambda: principal.require_step_up(tx.now),
            )
            if event is not None:
                tx.publish(event)
            waits = kept.pending is not None
            target = account_id or principal.tenant_id
            audit.record(tx, "limits.changed", "limits", target, version=kept.version, waits=waits)
            source: Literal["account", "tenant"] = "account" if account_id else "tenant"
            return 200, _show(account_id, source, kept).model_dump(mode="json")

        asked = ["PUT /v1/risk-limits", str(account_id), body.model_dump(mode="json")]
        return answer_once(tx, key, asked, run)
