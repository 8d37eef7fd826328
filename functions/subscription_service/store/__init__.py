"""The only SQL of subscription_service, bound to one tenant by its transaction."""

from functions.subscription_service.store.plans import PlanStore
from functions.subscription_service.store.usage import SubscriptionStore, list_due_periods

__all__ = ["PlanStore", "SubscriptionStore", "list_due_periods"]
