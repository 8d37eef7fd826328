"""The only SQL of trading_engine, one subject a module."""

from functions.trading_engine.store.accounts import AccountStore
from functions.trading_engine.store.conditions import ConditionStore
from functions.trading_engine.store.limits import LimitStore, list_loosening_tenants
from functions.trading_engine.store.orders import OrderStore
from functions.trading_engine.store.switches import CalendarStore, HostSwitchStore, SwitchStore

__all__ = [
    "AccountStore",
    "CalendarStore",
    "ConditionStore",
    "HostSwitchStore",
    "LimitStore",
    "OrderStore",
    "SwitchStore",
    "list_loosening_tenants",
]
