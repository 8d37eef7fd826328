"""What tenants and the platform said about trading: limits by account or tenant, and the news.

The highest version wins, whatever the order of arrival. A message that names an account of somebody
else changes nothing and is counted.
"""

from collections.abc import Callable
from uuid import UUID

from contracts.trading_engine import NewsCalendarPublished, TradingLimitsChanged
from contracts.trading_limits import NewsWindow, TradingLimits
from edge_bridge.engine.directory import Account
from edge_bridge.engine.journal import Record

LIMITS_KIND, NEWS_KIND = "limits", "news"
DEFAULTS = TradingLimits()
Owner = tuple[UUID, UUID | None]
"""A tenant, and the account whose own limits they are."""


class LimitBook:
    """The newest limits and news."""

    def __init__(self) -> None:
        self.limits: dict[Owner, TradingLimits] = {}
        self.news: tuple[NewsWindow, ...] = ()
        self._kept: dict[Owner, TradingLimitsChanged] = {}
        self._news: NewsCalendarPublished | None = None

    def of(self, account: Account) -> TradingLimits:
        """An account's own limits, else its tenant's, else the contract's defaults."""
        owner = account.tenant_id
        return self.limits.get((owner, account.account_id)) or self.limits.get(
            (owner, None), DEFAULTS
        )

    def take_limits(self, tenant_id: UUID, message: TradingLimitsChanged) -> list[Record]:
        """Take limits; what to remember, nothing when they are not newer."""
        owner = (tenant_id, message.account_id)
        known = self._kept.get(owner)
        if known is not None and known.version >= message.version:
            return []
        self._keep(owner, message)
        return [(LIMITS_KIND, _name(owner), message.model_dump_json())]

    def take_news(self, message: NewsCalendarPublished) -> list[Record]:
        """Take a calendar; what to remember, nothing when it is not newer."""
        if self._news is not None and self._news.version >= message.version:
            return []
        self._news, self.news = message, message.windows
        return [(NEWS_KIND, "calendar", message.model_dump_json())]

    def load(self, load: Callable[[str], dict[str, str]]) -> None:
        """Read everything back."""
        for key, text in load(LIMITS_KIND).items():
            tenant, _, account = key.partition("/")
            owner = (UUID(tenant), UUID(account) if account else None)
            self._keep(owner, TradingLimitsChanged.model_validate_json(text))
        for text in load(NEWS_KIND).values():
            self._news = NewsCalendarPublished.model_validate_json(text)
            self.news = self._news.windows

    def describe(self) -> object:
        """Everything known, for the digest."""
        kept = {_name(owner): each.model_dump(mode="json") for owner, each in self._kept.items()}
        return [kept, self._news.model_dump(mode="json") if self._news else None]

    def _keep(self, owner: Owner, message: TradingLimitsChanged) -> None:
        self._kept[owner], self.limits[owner] = message, message.limits


def _name(owner: Owner) -> str:
    tenant_id, account_id = owner
    return f"{tenant_id}/{account_id or ''}"
