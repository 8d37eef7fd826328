"""Use cases of accounts: linking paper and live ones, changing them, unlinking.

On a live account tighter numbers count at once and looser ones wait a day, also when an account is
linked again: unlinking is no way round the wait.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from contracts.trading_engine import AccountLinked, AccountUnlinked
from contracts.trading_reasons import AccountMode
from functions.trading_engine.errors import (
    AccountAlreadyLinked,
    AccountInChange,
    AccountLimitReached,
    AccountNotFound,
    LiveAccountNeeded,
    NothingToChange,
    SubscriptionNotReady,
    TenantIsClosed,
)
from functions.trading_engine.logic.limits import LOOSENING_WAIT
from functions.trading_engine.models import (
    NUMBERS,
    Account,
    Allowance,
    ChangeAccount,
    LinkAccount,
    LinkLiveAccount,
)


class Accounts(Protocol):
    """What the use cases need of the store."""

    def lock_allowance(self) -> Allowance | None:
        """What the plan allows; nobody else links while it is locked."""

    def count_linked(self, mode: AccountMode) -> int:
        """Accounts of a kind linked now."""

    def add_paper(self, account_id: UUID, body: LinkAccount) -> Account:
        """Add one."""

    def add_live(self, account_id: UUID, body: LinkLiveAccount, sealed: str) -> Account:
        """Add one. Raises AccountNotLinkable."""

    def find_live(self, server: str, login: int) -> Account | None:
        """The tenant's own row of a broker's account, linked or not."""

    def lock(self, account_id: UUID) -> Account | None:
        """A linked account, locked until the transaction ends."""

    def change(self, account_id: UUID, fields: dict[str, Any], sealed: str | None) -> Account:
        """Change columns, link it when it was not, count its version up. ``sealed`` None: as it
        was. Raises AccountNotLinkable."""

    def find_sealed(self, account_id: UUID) -> str | None:
        """The sealed password."""

    def list_due(self, now: datetime) -> list[UUID]:
        """Linked accounts whose looser numbers take effect now."""

    def unlink(self, account_id: UUID) -> int | None:
        """Unlink one; its new version."""

    def unlink_all(self) -> list[tuple[UUID, int]]:
        """Unlink every one; ids and new versions."""

    def is_closed(self) -> bool:
        """Whether the tenant closed for good."""

    def note_closure(self) -> None:
        """Keep that it did."""


def link_account(
    accounts: Accounts, body: LinkAccount, account_id: UUID
) -> tuple[Account, AccountLinked]:
    """Link a paper account within the plan's limit.

    Raises SubscriptionNotReady, TenantIsClosed, AccountLimitReached.
    """
    _require_room(accounts, "paper")
    account = accounts.add_paper(account_id, body)
    return account, _announce(account, None)


def link_live_account(
    accounts: Accounts, body: LinkLiveAccount, account_id: UUID, sealed: str, now: datetime
) -> tuple[Account, AccountLinked]:
    """Link a broker's account; ``sealed`` is its password for this very account id.

    Raises SubscriptionNotReady, TenantIsClosed, AccountLimitReached, AccountAlreadyLinked,
    AccountNotLinkable (another tenant trades it), AccountInChange.
    """
    own = accounts.find_live(body.server, body.login)
    if own is not None and own.state == "linked":
        raise AccountAlreadyLinked(f"it is your account {own.account_id}")
    _require_room(accounts, "live")
    if own is None:
        account = accounts.add_live(account_id, body, sealed)
    elif own.account_id != account_id:
        raise AccountInChange("send the request again")
    else:
        fields = body.model_dump(exclude={"mode", "login", "password"})
        numbers = _weigh_numbers(own, fields, now)
        account = accounts.change(account_id, {**fields, **numbers}, sealed)
    return account, _announce(account, sealed)


def change_account(
    accounts: Accounts,
    body: ChangeAccount,
    account_id: UUID,
    *,
    sealed: str | None,
    now: datetime,
    confirm: Callable[[], None],
) -> tuple[Account, AccountLinked]:
    """Change credentials and numbers; ``sealed`` is the new password, if there is one.

    All but tighter numbers of a live account is confirmed first (``confirm`` raises when it is
    not). Raises AccountNotFound, LiveAccountNeeded, NothingToChange.
    """
    account = accounts.lock(account_id)
    if account is None:
        raise AccountNotFound
    fields = body.list_changes()
    if not fields and sealed is None:
        raise NothingToChange("send at least one field")
    if account.mode == "paper":
        foreign = sorted({*fields, *(["password"] if sealed else [])} - set(NUMBERS))
        if foreign:
            raise LiveAccountNeeded(f"leave out {', '.join(foreign)}")
        return _change(accounts, account_id, fields, None)
    numbers = {name: fields[name] for name in NUMBERS if name in fields}
    looser = any(value > getattr(account, name) for name, value in numbers.items())
    if looser or sealed is not None or set(fields) - set(NUMBERS):
        confirm()
    weighed = _weigh_numbers(account, numbers, now) if numbers else {}
    return _change(accounts, account_id, {**fields, **weighed}, sealed)


def loosen_accounts(accounts: Accounts, now: datetime) -> list[AccountLinked]:
    """Put the looser numbers in force whose day is over."""
    events = []
    for account_id in accounts.list_due(now):
        account = accounts.lock(account_id)
        if account is None or account.pending is None or account.pending_at is None:
            continue
        if account.pending_at <= now:
            fields = {**account.pending.model_dump(), "pending": None, "pending_at": None}
            events.append(_change(accounts, account_id, fields, None)[1])
    return events


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


def _require_room(accounts: Accounts, mode: AccountMode) -> None:
    allowance = accounts.lock_allowance()
    if allowance is None:
        raise SubscriptionNotReady
    if accounts.is_closed():
        raise TenantIsClosed
    allowed = allowance.of(mode)
    if accounts.count_linked(mode) >= allowed:
        raise AccountLimitReached(f"your plan allows {allowed} {mode} accounts; unlink one first")


def _change(
    accounts: Accounts, account_id: UUID, fields: dict[str, Any], sealed: str | None
) -> tuple[Account, AccountLinked]:
    account = accounts.change(account_id, fields, sealed)
    return account, _announce(account, accounts.find_sealed(account_id))


def _weigh_numbers(account: Account, wanted: dict[str, Any], now: datetime) -> dict[str, Any]:
    """What of the wanted numbers counts at once, and what waits; less than waits already does not
    wait anew."""
    before = {name: getattr(account, name) for name in NUMBERS}
    waiting = before if account.pending is None else account.pending.model_dump()
    goal = {**waiting, **{name: wanted[name] for name in NUMBERS if name in wanted}}
    at_once: dict[str, Any] = {name: min(before[name], goal[name]) for name in NUMBERS}
    if at_once == goal:
        return {**at_once, "pending": None, "pending_at": None}
    less = account.pending is not None and all(goal[name] <= waiting[name] for name in NUMBERS)
    until = account.pending_at if less else now + LOOSENING_WAIT
    return {**at_once, "pending": goal, "pending_at": until}


def _announce(account: Account, sealed: str | None) -> AccountLinked:
    fields = {
        name: getattr(account, name)
        for name in AccountLinked.model_fields
        if name != "encrypted_password"
    }
    return AccountLinked(**fields, encrypted_password=sealed)
