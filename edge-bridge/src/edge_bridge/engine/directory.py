"""Who may trade what: linked accounts and entitlements, the newest version of each.

Messages come more than once and out of order, so the highest version wins. What cannot be true (an
account that changes its tenant, a message without a tenant) changes nothing.
"""

from dataclasses import dataclass
from uuid import UUID

from contracts.envelope import Contract
from contracts.subscription_service import ALL_SYMBOLS, EntitlementsChanged
from contracts.trading_engine import AccountLinked, AccountUnlinked

SYMBOLS_KEPT = 1_000


class Account(Contract):
    """A tenant's account as last told; `linked` is None when only its end is known."""

    account_id: UUID
    tenant_id: UUID
    version: int
    active: bool
    linked: AccountLinked | None


@dataclass(frozen=True, slots=True)
class Recipient:
    """A tenant that gets a symbol's signals, with its active accounts, oldest id first."""

    tenant_id: UUID
    entitlements: EntitlementsChanged
    accounts: tuple[Account, ...]


class Directory:
    """Accounts and entitlements of all tenants."""

    def __init__(self) -> None:
        self.accounts: dict[UUID, Account] = {}
        self.entitlements: dict[UUID, EntitlementsChanged] = {}
        self._recipients: dict[str, list[Recipient]] = {}
        self._within_plan: dict[UUID, bool] = {}

    def forget_answers(self) -> None:
        """Answers are kept for the next signal until something changes."""
        self._recipients.clear()
        self._within_plan.clear()

    def link(self, tenant_id: UUID | None, message: AccountLinked) -> Account | None:
        """Take a link; return the account when this changed it."""
        return self._replace(tenant_id, message.account_id, message.version, message)

    def unlink(self, tenant_id: UUID | None, message: AccountUnlinked) -> Account | None:
        """Take the end of a link, even one that was never seen; a late link stays refused."""
        return self._replace(tenant_id, message.account_id, message.version, None)

    def entitle(self, tenant_id: UUID | None, message: EntitlementsChanged) -> bool:
        """Take entitlements; tell whether they are newer than those known."""
        known = self.entitlements.get(tenant_id) if tenant_id else None
        if tenant_id is None or (known is not None and known.version >= message.version):
            return False
        self.entitlements[tenant_id] = message
        self.forget_answers()
        return True

    def is_entitled(self, tenant_id: UUID, symbol: str) -> bool:
        """Tell whether a tenant may get a symbol's signals now; unknown tenants may not."""
        known = self.entitlements.get(tenant_id)
        return known is not None and (symbol in known.symbols or ALL_SYMBOLS in known.symbols)

    def find_recipients(self, symbol: str) -> list[Recipient]:
        """The tenants with active accounts that are entitled to a symbol."""
        if symbol not in self._recipients:
            if len(self._recipients) >= SYMBOLS_KEPT:
                self._recipients.clear()
            self._recipients[symbol] = self._list_recipients(symbol)
        return self._recipients[symbol]

    def _list_recipients(self, symbol: str) -> list[Recipient]:
        found: dict[UUID, list[Account]] = {}
        for account in self.accounts.values():
            if account.active and self.is_entitled(account.tenant_id, symbol):
                found.setdefault(account.tenant_id, []).append(account)
        return [
            Recipient(tenant_id, self.entitlements[tenant_id], _sorted(accounts))
            for tenant_id, accounts in found.items()
        ]

    def find_accounts(self, tenant_id: UUID) -> tuple[Account, ...]:
        """A tenant's active accounts."""
        owned = (each for each in self.accounts.values() if each.tenant_id == tenant_id)
        return _sorted([account for account in owned if account.active])

    def is_within_plan(self, account: Account) -> bool:
        """Tell whether the plan has room for this account; the oldest ids come first."""
        if account.account_id not in self._within_plan:
            self._within_plan[account.account_id] = self._has_room(account)
        return self._within_plan[account.account_id]

    def _has_room(self, account: Account) -> bool:
        plan = self.entitlements.get(account.tenant_id)
        if plan is None or account.linked is None or not account.active:
            return False
        mode = account.linked.mode
        room = plan.live_accounts if mode == "live" else plan.paper_accounts
        same = [
            each.account_id
            for each in self.find_accounts(account.tenant_id)
            if each.linked is not None and each.linked.mode == mode
        ]
        return same.index(account.account_id) < room

    def _replace(
        self, tenant_id: UUID | None, account_id: UUID, version: int, linked: AccountLinked | None
    ) -> Account | None:
        known = self.accounts.get(account_id)
        if tenant_id is None or (known is not None and known.tenant_id != tenant_id):
            return None
        if known is not None and known.version >= version:
            return None
        before = known.linked if known is not None else None
        if before is not None and linked is not None and _names(before) != _names(linked):
            return None
        account = Account(
            account_id=account_id,
            tenant_id=tenant_id,
            version=version,
            active=linked is not None,
            linked=linked or (known.linked if known else None),
        )
        self.accounts[account_id] = account
        self.forget_answers()
        return account


def _names(linked: AccountLinked) -> tuple[str, str, int]:
    """What names an account at its broker: another one is another account, never this one."""
    return linked.mode, linked.server, linked.login


def _sorted(accounts: list[Account]) -> tuple[Account, ...]:
    return tuple(sorted(accounts, key=lambda account: account.account_id))
