"""What can go wrong in trading_engine."""

from kit.errors import Conflict, Forbidden, NotFound, PoisonMessage


class AccountNotFound(NotFound):
    """No such account, or another tenant's."""

    code, title = "account_not_found", "There is no such account"


class AccountLimitReached(Forbidden):
    """The plan allows no more accounts of this kind."""

    code, title = "account_limit_reached", "Your plan allows no more accounts"


class SubscriptionNotReady(Conflict):
    """The tenant's plan is not known here yet; seconds after signing up it will be."""

    code, title = "subscription_not_ready", "Your subscription is being set up, try again shortly"
    retryable = True


class TenantIsClosed(Conflict):
    """The tenant closed for good; nothing is traded for it any more."""

    code, title = "tenant_closed", "This tenant is closed"


class TenantMissing(PoisonMessage):
    """A message that must belong to a tenant names none."""

    code, title = "tenant_missing", "The message belongs to no tenant"


class ForeignAccount(PoisonMessage):
    """An event names an account that is not its tenant's."""

    code, title = "foreign_account", "The event names an account of another tenant"
