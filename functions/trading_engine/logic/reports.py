"""Use cases of what the edge reports: orders, positions, and how each account is."""

from typing import Protocol
from uuid import UUID

from contracts.trading_engine import (
    AccountHealthChanged,
    KillSwitchChanged,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    PositionReduced,
    ReconciliationDiffered,
    ReconciliationResolved,
    StopsMoved,
)
from functions.trading_engine.errors import ForeignAccount


class Owners(Protocol):
    """What a report is checked against."""

    def owns(self, account_id: UUID) -> bool:
        """Whether the account is this tenant's."""


class Orders(Protocol):
    """What reports on orders need of the store."""

    def record_fill(self, e: OrderFilled) -> None:
        """Keep an execution."""

    def record_rejection(self, e: OrderRejected) -> None:
        """Keep a terminal's refusal."""

    def record_denial(self, e: OrderDenied) -> None:
        """Keep a refusal of ours."""

    def record_close(self, e: PositionClosed) -> None:
        """Keep the end of a position."""

    def record_reduction(self, e: PositionReduced) -> None:
        """Keep a part that was closed; once a deal."""

    def record_stops(self, e: StopsMoved) -> None:
        """Keep where the stops are; the newest move stands."""


class Conditions(Protocol):
    """What reports on accounts need of the store; of each kind the newest stands."""

    def record_health(self, e: AccountHealthChanged) -> None:
        """Keep how the terminal is."""

    def record_difference(self, e: ReconciliationDiffered) -> None:
        """Keep that the books disagree."""

    def record_resolution(self, e: ReconciliationResolved) -> None:
        """Keep that they agree again."""

    def record_latch(self, account_id: UUID, e: KillSwitchChanged) -> None:
        """Keep whether a limit latched the account."""


OrderReport = (
    OrderFilled | OrderRejected | OrderDenied | PositionClosed | PositionReduced | StopsMoved
)
AccountReport = AccountHealthChanged | ReconciliationDiffered | ReconciliationResolved


def record_order_report(owners: Owners, orders: Orders, report: OrderReport) -> None:
    """Keep an order's or position's fate. Raises ForeignAccount: a human looks at the message."""
    _check_owner(owners, report.account_id)
    match report:
        case OrderFilled():
            orders.record_fill(report)
        case OrderRejected():
            orders.record_rejection(report)
        case OrderDenied():
            orders.record_denial(report)
        case PositionClosed():
            orders.record_close(report)
        case PositionReduced():
            orders.record_reduction(report)
        case StopsMoved():
            orders.record_stops(report)


def record_account_report(owners: Owners, conditions: Conditions, report: AccountReport) -> None:
    """Keep how an account is. Raises ForeignAccount."""
    _check_owner(owners, report.account_id)
    match report:
        case AccountHealthChanged():
            conditions.record_health(report)
        case ReconciliationDiffered():
            conditions.record_difference(report)
        case ReconciliationResolved():
            conditions.record_resolution(report)


def record_latch(
    owners: Owners, conditions: Conditions, account_id: UUID | None, told: KillSwitchChanged
) -> None:
    """Keep whether a limit latched an account. Raises ForeignAccount."""
    if account_id is None:
        raise ForeignAccount("a switch of scope account names no account")
    _check_owner(owners, account_id)
    conditions.record_latch(account_id, told)


def _check_owner(owners: Owners, account_id: UUID) -> None:
    if not owners.owns(account_id):
        raise ForeignAccount(f"account {account_id} is not the event's tenant's")
