"""One hash over everything the engine knows that outlives the process.

Two engines with the same digest decide alike. What only this process knows (connections, requests
under way, measurements) is left out; so is what the broker is asked for anew.
"""

import hashlib

import orjson

from edge_bridge.engine.calendar import MINUTE_NS
from edge_bridge.engine.guard import Guard
from edge_bridge.engine.state import EngineState


def describe_state(state: EngineState) -> dict[str, object]:
    """The logical state as plain values; equal states give equal descriptions."""
    desks = state.desks
    orders = {key: order for each in state.orders.values() for key, order in each.items()}
    guards = dict(state.guards)
    sent = {account_id: list(times) for account_id, times in state.sent.items()}
    for account_id, desk in desks.items():
        orders.update(desk.orders)
        guards[account_id] = desk.guard
        sent[account_id] = list(desk.sent_ns.times_ns)
    recent = {
        str(account_id): sorted(ns for ns in times if ns > state.now_ns - MINUTE_NS)
        for account_id, times in sent.items()
    }
    directory = state.directory
    return {
        "orders": orders,
        "guards": {
            str(key): guard.model_dump(mode="json")
            for key, guard in guards.items()
            if guard != Guard()
        },
        "accounts": {
            str(key): each.model_dump(mode="json") for key, each in directory.accounts.items()
        },
        "entitlements": {
            str(key): each.model_dump(mode="json") for key, each in directory.entitlements.items()
        },
        "quota": state.quota.describe(),
        "limits": state.limit_book.describe(),
        "news": state.market.calendar.news_version,
        "switches": {
            each.key: each.model_dump(mode="json") for each in state.switches.known.values()
        },
        "differences": {
            each.key: each.model_dump(mode="json")
            for known in state.differences.open.values()
            for each in known.values()
        },
        "told_killed": {str(key): reason for key, reason in state.told_killed.items()},
        "deliveries": {key: each.due_ns for key, each in state.deliveries.items()},
        "handled": sorted(f"{signal}/{account}" for signal, account, _ in state.handled),
        "delivered": sorted(f"{signal}/{tenant}/{day}" for signal, tenant, day in state.delivered),
        "bars": sorted(f"{bar}/{tenant}/{signal}" for bar, tenant, signal in state.bars),
        "sent": {key: times for key, times in recent.items() if times},
        "orders_made": state.orders_made,
    }


def digest_state(state: EngineState) -> str:
    """The hash of the canonical JSON of the state."""
    text = orjson.dumps(
        describe_state(state), option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
    )
    return hashlib.sha256(text).hexdigest()
