"""Lets go of signals that were answered long ago, a few at each look, so that a host that runs for
months keeps its size in memory and on disk.

A signal goes whole: the orders of all its accounts, and what they say about later signals. What is
left is what a restart would read back, no more and no less.
"""

from datetime import timedelta
from uuid import UUID

from edge_bridge.engine.journal import Record
from edge_bridge.engine.state import EngineState

ORDERS_KEPT = timedelta(days=7)
PAIRS_MAX = 500
"""Outcomes forgotten at one look, about."""
HELD_MAX = 100
"""Old signals with an open position that are passed over at one look."""


def forget_old(state: EngineState) -> int:
    """Forget what is older than `ORDERS_KEPT` and over; how many outcomes that were."""
    oldest = state.clock.now() - ORDERS_KEPT
    first = state.handled.peek()
    if first is None or first.decided_at >= oldest or state.journal.owed:
        return 0
    signals: list[UUID] = []
    held = count = 0
    open_keys = {order.key for _, order in state.each_open()}
    open_keys.update(key for orders in state.orders.values() for key in orders)
    for signal_id, outcomes in state.handled.groups():
        if count >= PAIRS_MAX or held >= HELD_MAX:
            break
        if next(iter(outcomes.values())).decided_at >= oldest:
            break
        young = any(each.decided_at >= oldest for each in outcomes.values())
        if young or any(f"{signal_id}/{account_id}" in open_keys for account_id in outcomes):
            held += 1
            continue
        signals.append(signal_id)
        count += len(outcomes)
    records: list[Record] = []
    for signal_id in signals:
        records += _forget_signal(state, signal_id)
    if records:
        state.journal.write(records=records)
    return count


def _forget_signal(state: EngineState, signal_id: UUID) -> list[Record]:
    outcomes = state.handled.drop(signal_id)
    for each in outcomes.values():
        state.orders_made -= each.made
        if state.bars.of(each.bar_id).get(each.tenant_id) == signal_id:
            state.bars.discard(each.bar_id, each.tenant_id)
    for tenant_id, day in state.delivered.drop(signal_id).items():
        state.quota.forget(tenant_id, day)
    return [("order", f"{signal_id}/{account_id}", None) for account_id in outcomes]
