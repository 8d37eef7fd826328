"""From a signal to orders: the way that must be short.

What can be decided without the terminal is decided for all accounts first and written in one step
(predictions, denials, intentions); only then orders leave, one an account; a second step records
what the terminals answered. An intention without an answer is settled by the broker's books.
"""

from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter_ns
from uuid import UUID

from contracts.ai_orchestration import SignalIssued
from contracts.envelope import Envelope, Meta
from contracts.trading_engine import (
    DenialReason,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    PredictionDelivered,
)
from edge_bridge.engine.desk import Desk
from edge_bridge.engine.directory import Account
from edge_bridge.engine.journal import Record
from edge_bridge.engine.models import Delivery, Order, name_order
from edge_bridge.engine.quota import make_calendar
from edge_bridge.engine.risk import Ticket, judge
from edge_bridge.engine.state import EngineState, to_instant, to_ns
from edge_bridge.ports import Done, OrderRequest, Rejected, SendResult, Unknown

FUTURE_MAX_NS = 5_000_000_000
"""A signal may be this far ahead of our market clock."""
SECOND_NS = 1_000_000_000


@dataclass(slots=True)
class Step:
    """What one signal, or one delayed delivery, does in its first write."""

    events: list[Envelope] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    """Orders about to leave."""


class Entries:
    """Deliver signals and send the orders they lead to."""

    def __init__(self, state: EngineState) -> None:
        self._state = state

    def take_signal(self, signal: SignalIssued, cause: Meta, taken_ns: int) -> None:
        """Deliver a signal to every tenant that is due now, and plan the others."""
        state, step = self._state, Step()
        for recipient in state.directory.find_recipients(signal.symbol):
            tenant_id = recipient.tenant_id
            delay_ns = recipient.entitlements.prediction_delay_s * SECOND_NS
            due_ns = to_ns(signal.as_of) + delay_ns
            delivery = Delivery(
                tenant_id=tenant_id, signal=signal, cause=cause, due_ns=due_ns,
                visible_at=to_instant(due_ns),
            )  # fmt: skip
            if (signal.signal_id, tenant_id) in state.handled or delivery.key in state.deliveries:
                continue
            if delay_ns and due_ns > state.now_ns:
                state.deliveries[delivery.key] = delivery
                step.records.append(("delivery", delivery.key, delivery.model_dump_json()))
            else:
                self._deliver(delivery, step)
        self._carry_out(step, taken_ns, done=cause.event_id)

    def deliver_due(self, *, market_over: bool = False) -> None:
        """Deliver what was delayed until now; all of it once the market is over."""
        state = self._state
        due = [each for each in state.deliveries.values() if each.due_ns <= state.now_ns]
        if market_over:
            due = list(state.deliveries.values())
        for delivery in sorted(due, key=lambda each: (each.due_ns, each.key)):
            taken_ns = perf_counter_ns()
            step = Step()
            step.records.append(("delivery", delivery.key, None))
            self._deliver(delivery, step)
            self._carry_out(step, taken_ns)
            del state.deliveries[delivery.key]

    def _deliver(self, delivery: Delivery, step: Step) -> None:
        """Decide one tenant's accounts; exactly one outcome each."""
        state, signal, tenant_id = self._state, delivery.signal, delivery.tenant_id
        now = state.clock.now()
        accounts = state.directory.find_accounts(tenant_id)
        reason, day = self._judge_delivery(delivery, now)
        if reason is None and day is not None and accounts:
            state.quota.count(tenant_id, day)
            prediction = PredictionDelivered(
                signal_id=signal.signal_id, symbol=signal.symbol, visible_at=delivery.visible_at
            )
            step.events.append(
                Envelope.wrap(prediction, tenant_id=tenant_id, now=now, cause=delivery.cause)
            )
        for account in accounts:
            desk = state.desks.get(account.account_id)
            verdict = reason or self._judge_account(desk, account, signal)
            order = _decide(delivery, account, verdict, state.now_ns, decided=(now, day))
            state.remember(order)
            step.records.append(("order", order.key, order.model_dump_json()))
            if isinstance(verdict, Ticket):
                step.orders.append(order)
            else:
                step.events.append(_deny(order, verdict, now))

    def _judge_delivery(
        self, delivery: Delivery, now: datetime
    ) -> tuple[DenialReason | None, str | None]:
        """What speaks against the delivery itself, and the day it counts for when nothing does."""
        state, signal, tenant_id = self._state, delivery.signal, delivery.tenant_id
        if not state.directory.is_entitled(tenant_id, signal.symbol):
            return "symbol_not_entitled", None
        as_of_ns, expires_ns = to_ns(signal.as_of), to_ns(signal.expires_at)
        if as_of_ns > state.now_ns + FUTURE_MAX_NS or expires_ns <= as_of_ns:
            return "signal_invalid", None
        if state.bars.get((signal.bar_id, tenant_id), signal.signal_id) != signal.signal_id:
            return "duplicate_signal", None
        if state.now_ns >= expires_ns:
            return "signal_expired", None
        plan = state.directory.entitlements[tenant_id]
        day = make_calendar(plan)(now)
        if not state.quota.has_room(tenant_id, plan, day, now):
            return "quota_exhausted", None
        return None, day

    def _judge_account(
        self, desk: Desk | None, account: Account, signal: SignalIssued
    ) -> Ticket | DenialReason:
        state = self._state
        if desk is None:
            return "account_not_tradable"
        picture = desk.draw_picture(
            signal,
            state.now_ns,
            state.references.get(signal.symbol),
            within_plan=state.directory.is_within_plan(account),
        )
        return judge(picture, state.limits)

    def _carry_out(self, step: Step, taken_ns: int, done: UUID | None = None) -> None:
        """Write the step, send its orders, write what became of them."""
        state = self._state
        handled = () if done is None else (done,)
        if not step.orders:
            state.journal.write(events=step.events, records=step.records, done=handled)
            return
        state.journal.write(events=step.events, records=step.records, quiet=True)
        events: list[Envelope] = []
        records: list[Record] = []
        for order in step.orders:
            desk = state.desks[order.account_id]
            desk.orders[order.key] = order
            desk.sent_ns.append(state.now_ns)
            path_us = (perf_counter_ns() - taken_ns) / 1_000
            answer = desk.terminal.send(_ask(order))
            settled = record_answer(
                order.model_copy(update={"order_path_us": path_us}), answer, state.now_ns
            )
            keep_order(desk, settled)
            records.append(("order", settled.key, settled.model_dump_json()))
            event = report_outcome(settled, state.clock.now())
            if event is not None:
                events.append(event)
        state.journal.write(events=events, records=records, done=handled)
        for order in step.orders:
            state.desks[order.account_id].refresh(state.now_ns, (order.symbol,))


def _decide(
    delivery: Delivery,
    account: Account,
    verdict: Ticket | DenialReason,
    now_ns: int,
    *,
    decided: tuple[datetime, str | None],
) -> Order:
    signal, (now, day) = delivery.signal, decided
    order_id, magic = name_order(signal, account.account_id)
    ticket = verdict if isinstance(verdict, Ticket) else None
    return Order(
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
        delivered_day=day,
        denial=None if isinstance(verdict, Ticket) else verdict,
        volume=ticket.volume if ticket else 0,
        stop_loss=ticket.stop_loss if ticket else 0,
        take_profit=ticket.take_profit if ticket else 0,
        magic=magic if ticket else 0,
        exit_ns=to_ns(signal.as_of) + signal.horizon_s * SECOND_NS,
    )


def _deny(order: Order, reason: DenialReason, now: datetime) -> Envelope:
    data = OrderDenied(
        order_id=order.order_id,
        account_id=order.account_id,
        signal_id=order.signal_id,
        symbol=order.symbol,
        direction=order.direction,
        reason=reason,
        denied_at=to_instant(order.decided_ns),
    )
    return Envelope.wrap(data, tenant_id=order.tenant_id, now=now, cause=order.cause)


def _ask(order: Order) -> OrderRequest:
    return OrderRequest(
        client_id=str(order.order_id),
        symbol=order.symbol,
        side=order.direction,
        volume=order.volume,
        stop_loss=order.stop_loss,
        take_profit=order.take_profit,
        magic=order.magic,
        comment=f"sinyal {order.order_id.hex[:16]}",
    )


def record_answer(order: Order, answer: SendResult, now_ns: int) -> Order:
    """The order as the terminal's answer leaves it; an acknowledgement without a price is open."""
    match answer:
        case Done() if answer.price > 0 and answer.deal > 0 and answer.position > 0:
            return order.move(
                "filled", volume=answer.volume, price_open=answer.price, opened_ns=now_ns,
                position=answer.position, deal=answer.deal,
            )  # fmt: skip
        case Done():
            return order.move("unknown", retcode=answer.code, reason="placed")
        case Unknown():
            return order.move("unknown", retcode=answer.code, reason=answer.reason[:80])
        case Rejected():
            return order.move("rejected", retcode=answer.code, reason=answer.reason[:80])


def keep_order(desk: Desk, order: Order) -> None:
    """Keep an order at its desk while it is not over."""
    if order.state in ("filled", "unknown", "intended"):
        desk.orders[order.key] = order
    else:
        desk.orders.pop(order.key, None)


def report_outcome(order: Order, now: datetime) -> Envelope | None:
    """The order's one outcome event; None while the outcome is open."""
    data: OrderFilled | OrderRejected
    if order.state == "filled":
        data = OrderFilled(
            order_id=order.order_id, account_id=order.account_id, signal_id=order.signal_id,
            symbol=order.symbol, digits=order.digits, direction=order.direction,
            volume=order.volume, price=order.price_open, stop_loss=order.stop_loss,
            take_profit=order.take_profit, position_ticket=order.position,
            deal_ticket=order.deal, filled_at=to_instant(order.opened_ns),
            order_path_us=order.order_path_us,
        )  # fmt: skip
    elif order.state == "rejected":
        data = OrderRejected(
            order_id=order.order_id, account_id=order.account_id, signal_id=order.signal_id,
            symbol=order.symbol, direction=order.direction, volume=order.volume,
            retcode=order.retcode, reason=order.reason,
            rejected_at=to_instant(order.decided_ns), order_path_us=order.order_path_us,
        )  # fmt: skip
    else:
        return None
    return Envelope.wrap(data, tenant_id=order.tenant_id, now=now, cause=order.cause)
