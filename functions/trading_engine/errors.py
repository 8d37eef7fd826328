"""What can go wrong in trading_engine."""

from kit.errors import Conflict, Forbidden, NotFound, PoisonMessage, Unavailable, Unprocessable


class AccountNotFound(NotFound):
    """No such account, or another tenant's."""

    code, title = "account_not_found", "There is no such account"


class AccountLimitReached(Forbidden):
    """The plan allows no more accounts of this kind."""

    code, title = "account_limit_reached", "Your plan allows no more accounts"


class AccountAlreadyLinked(Conflict):
    """The tenant's own link to this account stands."""

    code, title = "account_already_linked", "This account is linked already"


class AccountNotLinkable(Conflict):
    """Somebody's link to this account stands; whose is nobody's business."""

    code, title = "account_not_linkable", "This account cannot be linked"

    def __init__(self) -> None:
        super().__init__(
            "unlink the account wherever else it is traded; if you did not link it, write to"
            " support"
        )


class AccountInChange(Conflict):
    """Two requests link the same account at once."""

    code, title = "account_in_change", "Another request is linking this account"
    retryable = True


class LiveAccountNeeded(Conflict):
    """A paper account has no broker, hence none of its settings."""

    code, title = "live_account_needed", "Only a live account has this setting"


class NothingToChange(Unprocessable):
    """A change names nothing."""

    code, title = "nothing_to_change", "Name what to change"


class SymbolNotInPlan(Unprocessable):
    """Limits name symbols that the plan does not have."""

    code, title = "symbol_not_in_plan", "Your plan does not have these symbols"


class PasswordNotSealed(Unavailable):
    """KMS did not answer; the password was kept nowhere."""

    code, title = "password_not_sealed", "The password cannot be kept safely now, try again"


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


class TenantNamed(PoisonMessage):
    """A message about the whole host names a tenant."""

    code, title = "tenant_named", "The message is about the host and names a tenant"


class LooseningUnfinished(Conflict):
    """Some tenants' limits could not be loosened; the message comes again for them."""

    code, title = "loosening_unfinished", "Some limits are not loosened yet"
    retryable = True


class ForeignAccount(PoisonMessage):
    """An event names an account that is not its tenant's."""

    code, title = "foreign_account", "The event names an account of another tenant"
