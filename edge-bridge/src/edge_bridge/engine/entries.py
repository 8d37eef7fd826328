"""From a signal to decisions: the way that must be short.

All accounts are decided first; the orders of a step then leave together (see sending.py).
"""

from dataclasses import replace
from datetime import datetime
from time import perf_counter_ns
from uuid import UUID

from contracts.ai_orchestration import SignalIssued
from contracts.envelope import Envelope, Meta
from contracts.trading_reasons import DenialReason
from edge_bridge.engine.desk import Desk
from edge_bridge.engine.directory import Account
from edge_bridge.engine.journal import Record
from edge_bridge.engine.models import Cause, Delivery, Order, name_order, write_value
from edge_bridge.engine.quota import make_calendar
from edge_bridge.engine.reports import (
    report_prediction,
)
from edge_bridge.engine.risk import Ticket, judge
from edge_bridge.engine.sending import Sending, Step
from edge_bridge.engine.state import EngineState, to_ns

FUTURE_MAX_NS = 5_000_000_000
"""A signal may be this far ahead of our market clock."""
SECOND_NS = 1_000_000_000


class Entries:
    """Deliver signals and send the orders they lead to."""

    def __init__(self, state: EngineState, sending: Sending) -> None:
        self._state, self._sending = state, sending

    def take_signal(self, signal: SignalIssued, cause: Meta, taken_ns: int) -> None:
        """Deliver a signal to every tenant that is due now, and plan the others."""
        state, step = self._state, Step()
        as_of_ns = to_ns(signal.as_of)
        link = Cause(cause.event_id, cause.correlation_id)
        for recipient in state.directory.find_recipients(signal.symbol):
            delay_ns = recipient.entitlements.prediction_delay_s * SECOND_NS
            delivery = Delivery(recipient.tenant_id, signal, link, as_of_ns + delay_ns)
            if not delay_ns:
                self._deliver(delivery, recipient.accounts, step)
            elif delivery.key not in state.deliveries:
                self._plan(delivery, recipient.accounts, step)
        self._sending.carry_out(step, taken_ns, done=cause.event_id)

    def deliver_due(self, *, market_over: bool = False) -> None:
        """Deliver what was delayed until now; all of it once the market is over."""
        state = self._state
        due = [each for each in state.deliveries.values() if each.due_ns <= state.now_ns]
        if market_over:
            due = list(state.deliveries.values())
        for delivery in sorted(due, key=lambda each: (each.due_ns, each.key)):
            taken_ns, step = perf_counter_ns(), Step()
            step.records.append(("delivery", delivery.key, None))
            self._deliver(delivery, state.directory.find_accounts(delivery.tenant_id), step)
            self._sending.carry_out(step, taken_ns)
            del state.deliveries[delivery.key]

    def _plan(self, delivery: Delivery, accounts: tuple[Account, ...], step: Step) -> None:
        """Keep a delivery for later, or make it when its time has come already."""
        if delivery.due_ns <= self._state.now_ns:
            self._deliver(delivery, accounts, step)
            return
        self._state.deliveries[delivery.key] = delivery
        step.records.append(("delivery", delivery.key, write_value(delivery)))

    def publish_interrupted(self) -> None:
        """Deliver the predictions of orders that an earlier process sent and did not report."""
        events: dict[tuple[UUID, UUID], Envelope] = {}
        records: list[Record] = []
        for orders in self._state.orders.values():
            for key, order in orders.items():
                if not order.predicted:
                    events.setdefault((order.signal_id, order.tenant_id), report_prediction(order))
                    orders[key] = replace(order, predicted=True)
                    records.append(orders[key].record)
        if records:
            self._state.journal.write(events=list(events.values()), records=records)

    def _deliver(self, delivery: Delivery, accounts: tuple[Account, ...], step: Step) -> None:
        """Decide one tenant's accounts; exactly one outcome each."""
        state, signal, tenant_id = self._state, delivery.signal, delivery.tenant_id
        fresh = [each for each in accounts if not state.is_handled(signal, each)]
        if not fresh:
            return
        now = state.clock.now()
        known_day = state.delivered.get((signal.signal_id, tenant_id))
        reason, day = self._judge_delivery(delivery, now, known_day)
        if day is not None and known_day is None:
            state.note_delivered(signal.signal_id, tenant_id, day)
            step.delivered.append((delivery, now))
        for account in fresh:
            desk = state.desks.get(account.account_id)
            verdict = reason or self._judge_account(desk, account, signal)
            order = _decide(delivery, account, verdict, state.now_ns, decided=(now, day))
            state.remember(order)
            (step.denied if order.state == "denied" else step.intended).append(order)

    def _judge_delivery(
        self, delivery: Delivery, now: datetime, known_day: str | None
    ) -> tuple[DenialReason | None, str | None]:
        """What speaks against the delivery itself, and the day it counts for when nothing does."""
        state, signal, tenant_id = self._state, delivery.signal, delivery.tenant_id
        reason = self._judge_signal(signal, tenant_id)
        if reason is not None or known_day is not None:
            return reason, None if reason else known_day
        plan = state.directory.entitlements[tenant_id]
        day = make_calendar(plan)(now)
        if not state.quota.has_room(tenant_id, plan, day, now):
            return "quota_exhausted", None
        return None, day

    def _judge_signal(self, signal: SignalIssued, tenant_id: UUID) -> DenialReason | None:
        state = self._state
        if not state.directory.is_entitled(tenant_id, signal.symbol):
            return "symbol_not_entitled"
        as_of_ns, expires_ns = to_ns(signal.as_of), to_ns(signal.expires_at)
        if as_of_ns > state.now_ns + FUTURE_MAX_NS or expires_ns <= as_of_ns:
            return "signal_invalid"
        if state.bars.get((signal.bar_id, tenant_id), signal.signal_id) != signal.signal_id:
            return "duplicate_signal"
        return "signal_expired" if state.now_ns >= expires_ns else None

    def _judge_account(
        self, desk: Desk | None, account: Account, signal: SignalIssued
    ) -> Ticket | DenialReason:
        state = self._state
        if state.switches.is_engaged(account.tenant_id):
            return "kill_switch"
        if state.journal.owed:
            return "storage_full"
        if desk is None:
            return "account_not_tradable"
        if not desk.connected:
            return "terminal_unavailable"
        picture = desk.draw_picture(
            signal,
            state.now_ns,
            state.references.get(signal.symbol),
            within_plan=state.directory.is_within_plan(account),
        )
        quote = picture.quote
        if quote is not None:
            age_ms = max(0, state.now_ns - quote.time_ns) / 1e6
            state.promises.observe(account.account_id, "tick_age_ms", age_ms)
            if quote.time_ns <= desk.closed_ns.get(signal.symbol, -1):
                return "market_closed"
        return judge(picture, state.limits)


def _decide(
    delivery: Delivery,
    account: Account,
    verdict: Ticket | DenialReason,
    now_ns: int,
    *,
    decided: tuple[datetime, str | None],
) -> Order:
    signal, (now, day) = delivery.signal, decided
    key, order_id, magic = name_order(signal, account.account_id)
    ticket = verdict if isinstance(verdict, Ticket) else None
    return Order(
        key=key,
        order_id=order_id,
        tenant_id=delivery.tenant_id,
        account_id=account.account_id,
        signal_id=signal.signal_id,
        bar_id=signal.bar_id,
        symbol=signal.symbol,
        digits=signal.digits,
        direction=signal.direction,
        state="intended" if ticket else "denied",
        cause=delivery.cause,
        decided_ns=now_ns,
        decided_at=now,
        visible_ns=delivery.due_ns,
        delivered_day=day,
        denial=None if isinstance(verdict, Ticket) else verdict,
        volume=ticket.volume if ticket else 0,
        stop_loss=ticket.stop_loss if ticket else 0,
        take_profit=ticket.take_profit if ticket else 0,
        magic=magic if ticket else 0,
        exit_ns=to_ns(signal.as_of) + signal.horizon_s * SECOND_NS,
    )
