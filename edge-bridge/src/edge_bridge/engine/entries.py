"""From a signal to decisions: the way that must be short.

All accounts are decided first; the orders of a step then leave together (see sending.py).
"""

from dataclasses import replace
from datetime import datetime
from time import perf_counter_ns
from uuid import UUID

from contracts.ai_orchestration import SignalIssued
from contracts.envelope import Envelope, Meta
from contracts.subscription_service import EntitlementsChanged
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


class Times:
    """A signal's times as numbers and the instant of the decision, worked out once for all."""

    __slots__ = ("_days", "as_of_ns", "exit_ns", "expires_ns", "name", "now")

    def __init__(self, signal: SignalIssued, now: datetime) -> None:
        self.name, self.now = str(signal.signal_id), now
        self.as_of_ns, self.expires_ns = to_ns(signal.as_of), to_ns(signal.expires_at)
        self.exit_ns = self.as_of_ns + signal.horizon_s * SECOND_NS
        self._days: dict[str, str] = {}

    def day(self, plan: EntitlementsChanged) -> str:
        """The day of the decision on a tenant's calendar."""
        day = self._days.get(plan.time_zone)
        if day is None:
            day = self._days[plan.time_zone] = make_calendar(plan)(self.now)
        return day


class Entries:
    """Deliver signals and send the orders they lead to."""

    def __init__(self, state: EngineState, sending: Sending) -> None:
        self._state, self._sending = state, sending

    def take_signal(self, signal: SignalIssued, cause: Meta, taken_ns: int) -> None:
        """Deliver a signal to every tenant that is due now, and plan the others."""
        state, step = self._state, Step()
        times = Times(signal, state.clock.now())
        link = Cause(cause.event_id, cause.correlation_id)
        for recipient in state.directory.find_recipients(signal.symbol):
            delay_ns = recipient.entitlements.prediction_delay_s * SECOND_NS
            delivery = Delivery(recipient.tenant_id, signal, link, times.as_of_ns + delay_ns)
            if not delay_ns:
                self._deliver(delivery, recipient.accounts, step, times)
            elif delivery.key not in state.deliveries:
                self._plan(delivery, recipient.accounts, step, times)
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
            times = Times(delivery.signal, state.clock.now())
            accounts = state.directory.find_accounts(delivery.tenant_id)
            self._deliver(delivery, accounts, step, times)
            self._sending.carry_out(step, taken_ns)
            del state.deliveries[delivery.key]

    def _plan(
        self, delivery: Delivery, accounts: tuple[Account, ...], step: Step, times: Times
    ) -> None:
        """Keep a delivery for later, or make it when its time has come already."""
        if delivery.due_ns <= self._state.now_ns:
            self._deliver(delivery, accounts, step, times)
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

    def _deliver(
        self, delivery: Delivery, accounts: tuple[Account, ...], step: Step, times: Times
    ) -> None:
        """Decide one tenant's accounts; exactly one outcome each."""
        state, signal, tenant_id = self._state, delivery.signal, delivery.tenant_id
        handled = state.handled.of(signal.signal_id)
        fresh = [each for each in accounts if each.account_id not in handled]
        if not fresh:
            return
        known = state.delivered.of(signal.signal_id).get(tenant_id)
        known_day = None if known is None else str(known)
        reason, day = self._judge_delivery(delivery, known_day, times)
        if day is not None and known_day is None:
            step.delivered.append((delivery, times.now, day))
        for account in fresh:
            desk = state.desks.get(account.account_id)
            verdict = reason or self._judge_account(desk, account, delivery, step)
            order = _decide(delivery, account, verdict, state.now_ns, times=times, day=day)
            (step.denied if order.state == "denied" else step.intended).append(order)

    def _judge_delivery(
        self, delivery: Delivery, known_day: str | None, times: Times
    ) -> tuple[DenialReason | None, str | None]:
        """What speaks against the delivery itself, and the day it counts for when nothing does."""
        state, signal, tenant_id = self._state, delivery.signal, delivery.tenant_id
        reason = self._judge_signal(signal, tenant_id, times)
        if reason is not None or known_day is not None:
            return reason, None if reason else known_day
        plan = state.directory.entitlements[tenant_id]
        day = times.day(plan)
        if not state.quota.has_room(tenant_id, plan, day, times.now):
            return "quota_exhausted", None
        return None, day

    def _judge_signal(
        self, signal: SignalIssued, tenant_id: UUID, times: Times
    ) -> DenialReason | None:
        state = self._state
        if not state.directory.is_entitled(tenant_id, signal.symbol):
            return "symbol_not_entitled"
        if times.as_of_ns > state.now_ns + FUTURE_MAX_NS or times.expires_ns <= times.as_of_ns:
            return "signal_invalid"
        acted = state.bars.of(signal.bar_id).get(tenant_id)
        if acted is not None and acted != signal.signal_id:
            return "duplicate_signal"
        return "signal_expired" if state.now_ns >= times.expires_ns else None

    def _judge_account(
        self, desk: Desk | None, account: Account, delivery: Delivery, step: Step
    ) -> Ticket | DenialReason:
        state, signal = self._state, delivery.signal
        if state.switches.is_engaged(account.tenant_id):
            return "kill_switch"
        if state.journal.owed:
            return "storage_full"
        limits = state.limit_book.find(account)
        if desk is None or limits is None:
            return "account_not_tradable"
        if not desk.connected:
            return "terminal_unavailable"
        reference = state.references.get(signal.symbol)
        plan = state.directory.entitlements[account.tenant_id]
        picture = desk.draw_picture(
            state.market.draw_scene(signal, state.now_ns, reference),
            state.market.calendar.find_periods(plan.time_zone, state.now_ns),
            within_plan=state.directory.is_within_plan(account),
            due_ns=delivery.due_ns,
        )
        quote = picture.quote
        if quote is not None:
            step.ages_ns.append((account.account_id, state.now_ns - quote.time_ns))
            if quote.time_ns <= desk.closed_ns.get(signal.symbol, -1):
                return "market_closed"
        return judge(picture, limits)


def _decide(
    delivery: Delivery,
    account: Account,
    verdict: Ticket | DenialReason,
    now_ns: int,
    *,
    times: Times,
    day: str | None,
) -> Order:
    signal = delivery.signal
    key, order_id, magic = name_order(times.name, account.account_id)
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
        decided_at=times.now,
        visible_ns=delivery.due_ns,
        delivered_day=day,
        denial=None if isinstance(verdict, Ticket) else verdict,
        volume=ticket.volume if ticket else 0,
        stop_loss=ticket.stop_loss if ticket else 0,
        take_profit=ticket.take_profit if ticket else 0,
        magic=magic if ticket else 0,
        exit_ns=times.exit_ns,
    )
