"""Use cases of limits: tighter at once, looser after a day, one numbered row a scope."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from contracts.subscription_service import ALL_SYMBOLS
from contracts.trading_engine import TradingLimitsChanged
from contracts.trading_limits import TradingLimits
from functions.trading_engine.errors import AccountNotFound, SymbolNotInPlan, TenantIsClosed
from functions.trading_engine.logic.tightness import is_tighter, narrow
from functions.trading_engine.models import Allowance, KeptLimits

LOOSENING_WAIT = timedelta(hours=24)
"""Long enough that a decision of one bad evening meets the next morning."""
PLATFORM = TradingLimits()
"""What holds where nobody set anything: the contract's defaults."""


class Limits(Protocol):
    """What the use cases need of the store."""

    def find(self, account_id: UUID | None) -> KeptLimits | None:
        """The limits of an account of its own, or (None) of the tenant."""

    def lock(self, account_id: UUID | None, base: TradingLimits) -> KeptLimits:
        """The same, locked; version 0 with ``base`` where there were none."""

    def save(self, account_id: UUID | None, kept: KeptLimits) -> None:
        """Keep them."""

    def list_due(self, now: datetime) -> list[UUID | None]:
        """Scopes whose looser limits take effect now."""


class Owners(Protocol):
    """What the use cases need of the accounts."""

    def is_linked(self, account_id: UUID) -> bool:
        """Whether the tenant's account is linked."""

    def is_closed(self) -> bool:
        """Whether the tenant closed for good."""

    def find_allowance(self) -> Allowance | None:
        """What the plan allows."""


def change_limits(
    limits: Limits,
    owners: Owners,
    account_id: UUID | None,
    wanted: TradingLimits,
    *,
    now: datetime,
    confirm_loosening: Callable[[], None],
) -> tuple[KeptLimits, TradingLimitsChanged | None]:
    """Set the limits of an account, or (None) of the tenant's accounts without their own.

    What loosens is confirmed first (``confirm_loosening`` raises when it is not) and then waits a
    day; asking for no more than waits already does not prolong it. Raises AccountNotFound,
    TenantIsClosed, SymbolNotInPlan.
    """
    if account_id is not None and not owners.is_linked(account_id):
        raise AccountNotFound
    if owners.is_closed():
        raise TenantIsClosed
    _check_plan(owners.find_allowance(), wanted)
    before = limits.lock(account_id, _base(limits, account_id))
    kept = before
    if before.pending is not None and before.pending_at is not None and before.pending_at <= now:
        kept = before.model_copy(
            update={"limits": before.pending, "pending": None, "pending_at": None}
        )
    pending, pending_at = None, None
    if not is_tighter(wanted, kept.limits):
        confirm_loosening()
        less = kept.pending is not None and is_tighter(wanted, kept.pending)
        pending, pending_at = wanted, kept.pending_at if less else now + LOOSENING_WAIT
    after = KeptLimits(
        version=before.version,
        limits=narrow(kept.limits, wanted),
        changed_at=before.changed_at,
        pending=pending,
        pending_at=pending_at,
    )
    return _publish(limits, account_id, before, after, now)


def loosen_due(limits: Limits, now: datetime) -> list[TradingLimitsChanged]:
    """Put the looser limits in force whose day is over."""
    events = []
    for account_id in limits.list_due(now):
        before = limits.lock(account_id, PLATFORM)
        if before.pending is None or before.pending_at is None or before.pending_at > now:
            continue
        after = KeptLimits(
            version=before.version, limits=before.pending, changed_at=before.changed_at
        )
        _, event = _publish(limits, account_id, before, after, now)
        if event is not None:
            events.append(event)
    return events


def _publish(
    limits: Limits, account_id: UUID | None, before: KeptLimits, after: KeptLimits, now: datetime
) -> tuple[KeptLimits, TradingLimitsChanged | None]:
    """Keep the row; a new version and its event only when what is in force changes."""
    event = None
    if before.version == 0 or after.limits != before.limits:
        after = after.model_copy(update={"version": before.version + 1, "changed_at": now})
        event = TradingLimitsChanged(
            account_id=account_id, version=after.version, limits=after.limits
        )
    limits.save(account_id, after)
    return after, event


def _base(limits: Limits, account_id: UUID | None) -> TradingLimits:
    """What is in force for a scope that has no limits of its own yet."""
    tenants = limits.find(None) if account_id is not None else None
    return tenants.limits if tenants is not None else PLATFORM


def _check_plan(allowance: Allowance | None, wanted: TradingLimits) -> None:
    """Raises SymbolNotInPlan for symbols that no plan of the tenant would trade."""
    if allowance is None or allowance.symbols is None or wanted.symbols is None:
        return
    if ALL_SYMBOLS not in allowance.symbols:
        foreign = sorted(set(wanted.symbols) - set(allowance.symbols))
        if foreign:
            raise SymbolNotInPlan(f"leave out {', '.join(foreign[:10])}, or choose another plan")
    most = allowance.max_symbols
    if most is not None and len(set(wanted.symbols)) > most:
        raise SymbolNotInPlan(f"name at most {most} symbols, or choose another plan")
