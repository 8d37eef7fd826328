"""Use cases of trading_engine's room: linking accounts, keeping the edge's reports."""

from typing import Protocol
from uuid import UUID

from contracts.trading_engine import (
    AccountLinked,
    AccountUnlinked,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    PositionClosed,
)
from functions.trading_engine.errors import (
    AccountLimitReached,
    AccountNotFound,
    ForeignAccount,
    SubscriptionNotReady,
    TenantIsClosed,
)
from functions.trading_engine.models import Account, LinkAccount


class Accounts(Protocol):
    """What linking needs of the store."""

    def lock_allowance(self) -> int | None:
        """Paper accounts the plan allows, or None when no plan is known."""

    def count_linked(self) -> int:
        """Paper accounts linked now."""

    def add_paper(self, account_id: UUID, body: LinkAccount) -> Account:
        """Add one."""

    def unlink(self, account_id: UUID) -> int | None:
        """Unlink one; its new version."""

    def unlink_all(self) -> list[tuple[UUID, int]]:
        """Unlink every one; ids and new versions."""

    def is_closed(self) -> bool:
        """Whether the tenant closed for good."""

    def note_closure(self) -> None:
        """Keep that it did."""

    def owns(self, account_id: UUID) -> bool:
        """Whether the account is this tenant's."""


class Orders(Protocol):
    """What the edge's reports need of the store."""

    def record_fill(self, e: OrderFilled) -> None:
        """Keep an execution."""

    def record_rejection(self, e: OrderRejected) -> None:
        """Keep a terminal's refusal."""

    def record_denial(self, e: OrderDenied) -> None:
        """Keep a refusal of ours."""

    def record_close(self, e: PositionClosed) -> None:
        """Keep the end of a position."""


Report = OrderFilled | OrderRejected | OrderDenied | PositionClosed


def link_account(
    accounts: Accounts, body: LinkAccount, account_id: UUID
) -> tuple[Account, AccountLinked]:
    """Link a paper account within the plan's limit.

    Raises SubscriptionNotReady, TenantIsClosed, AccountLimitReached.
    """
    allowed = accounts.lock_allowance()
    if allowed is None:
        raise SubscriptionNotReady
    if accounts.is_closed():
        raise TenantIsClosed
    if accounts.count_linked() >= allowed:
        raise AccountLimitReached(f"your plan allows {allowed} paper accounts; unlink one first")
    account = accounts.add_paper(account_id, body)
    fields = account.model_dump(exclude={"state"})
    return account, AccountLinked(**fields)


def unlink_account(accounts: Accounts, account_id: UUID) -> AccountUnlinked:
    """Stop trading an account. Raises AccountNotFound."""
    version = accounts.unlink(account_id)
    if version is None:
        raise AccountNotFound
    return AccountUnlinked(account_id=account_id, version=version)


def close_tenant(accounts: Accounts) -> list[AccountUnlinked]:
    """Stop trading every account of a tenant that closed, and let none be linked again."""
    accounts.lock_allowance()  # a link that is being made ends first, and is then seen
    accounts.note_closure()
    return [
        AccountUnlinked(account_id=account_id, version=version)
        for account_id, version in accounts.unlink_all()
    ]


def record_report(accounts: Accounts, orders: Orders, report: Report) -> None:
    """Keep what the edge reports. Raises ForeignAccount: such a message is kept for a human."""
    if not accounts.owns(report.account_id):
        raise ForeignAccount(f"account {report.account_id} is not the event's tenant's")
    match report:
        case OrderFilled():
            orders.record_fill(report)
        case OrderRejected():
            orders.record_rejection(report)
        case OrderDenied():
            orders.record_denial(report)
        case PositionClosed():
            orders.record_close(report)
