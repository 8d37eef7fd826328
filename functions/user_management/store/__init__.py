"""The only SQL of user_management. A tenant-bound transaction sees its own tenant's rows."""

from functions.user_management.store.analytics import AnalyticsStore
from functions.user_management.store.consents import ConsentStore
from functions.user_management.store.members import MemberStore
from functions.user_management.store.profiles import (
    ProfileStore,
    find_unverified,
    find_verification_tenant,
)
from functions.user_management.store.staff import StaffStore, list_tenants, record_listing
from functions.user_management.store.tenants import TenantStore, find_due_erasures

__all__ = [
    "AnalyticsStore",
    "ManagementStore",
    "StaffStore",
    "TenantStore",
    "find_due_erasures",
    "find_unverified",
    "find_verification_tenant",
    "list_tenants",
    "record_listing",
]


class ManagementStore(ProfileStore, MemberStore, ConsentStore):
    """Everything of the transaction's tenant."""
