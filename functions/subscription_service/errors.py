"""What can go wrong in subscription_service."""

from kit.errors import Conflict, NotFound, PoisonMessage, Unavailable


class SubscriptionMissing(NotFound):
    """The tenant has no subscription, or not yet: its verification may still be on its way."""

    code, title = "subscription_missing", "There is no subscription yet"
    retryable = True


class TenantIsClosed(Conflict):
    """The tenant closed for good; nothing of it begins again."""

    code, title = "tenant_closed", "This tenant is closed"


class PlanUnknown(NotFound):
    """No published plan has this code."""

    code, title = "plan_unknown", "There is no such plan"


class UsageKeyReused(Conflict):
    """One idempotency key came with two different usages."""

    code, title = "usage_key_reused", "This usage was recorded with another content"


class EarlierPeriodOpen(Conflict):
    """Periods close in their order; the one before is still open."""

    code, title = "earlier_period_open", "The period before is still open"
    retryable = True


class BillingRunUnfinished(Unavailable):
    """Some periods are still due; the message comes back and goes on where this one ended."""

    code, title = "billing_run_unfinished", "Some periods are not closed yet"


class TenantMissing(PoisonMessage):
    """A message that must belong to a tenant names none."""

    code, title = "tenant_missing", "The message belongs to no tenant"
