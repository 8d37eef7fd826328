"""Orders on their way: all of a step are handed over first, only then answers are looked for.

The intentions are durable before the first order leaves. An order that does not answer at once
stays in flight; one that never answers is of unknown outcome, settled by the broker's books.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import perf_counter_ns
from uuid import UUID

from edge_bridge.engine.desk import Desk
from edge_bridge.engine.differences import Changes, Difference
from edge_bridge.engine.flights import MARKET_CLOSED, NO_ANSWER, OrderFlight
from edge_bridge.engine.journal import Record, StorageFull
from edge_bridge.engine.models import Delivery, Order
from edge_bridge.engine.reports import report_delivery, report_denial, report_outcome
from edge_bridge.engine.state import EngineState
from edge_bridge.ports import Done, OrderRequest, Rejected, SendResult, Unknown


@dataclass(slots=True)
class Step:
    """What one signal, or one delayed delivery, leads to."""

    delivered: list[tuple[Delivery, datetime, str]] = field(default_factory=list)
    """Predictions that count from now on, and the day they count for."""
    intended: list[Order] = field(default_factory=list)
    """Orders about to leave."""
    denied: list[Order] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    ages_ns: list[tuple[UUID, int]] = field(default_factory=list)
    """How old the quotes were that the accounts were judged by."""


class Sending:
    """Write intentions, hand orders over, take their answers."""

    def __init__(self, state: EngineState) -> None:
        self._state = state

    def carry_out(self, step: Step, taken_ns: int, done: UUID | None = None) -> None:
        """Write the intentions, hand them over, write everything else.

        Killed in between, the message is not done: it comes again, finds the intentions, and
        answers only for the accounts that have none.
        """
        state = self._state
        flights: list[OrderFlight] = []
        if step.intended:
            try:
                state.journal.write(records=[each.record for each in step.intended], quiet=True)
            except StorageFull:
                step.denied += [_deny_unwritten(order) for order in step.intended]
            else:
                flights = self._hand_over(step.intended, taken_ns)
        self._remember(step)
        for account_id, age_ns in step.ages_ns:
            state.promises.observe(account_id, "tick_age_ms", max(0, age_ns) / 1e6)
        into = Changes()
        into.events += [report_delivery(delivery, now) for delivery, now, _ in step.delivered]
        into.events += [report_denial(order) for order in step.denied]
        into.records += [each.record for each in step.denied]
        landed = self._take_answers(flights, into)
        into.records += [each.order.record for each in flights if each.order.key in state.in_flight]
        into.records += step.records
        state.journal.write(
            events=into.events, records=into.records, done=() if done is None else (done,)
        )
        self._look_again(landed)

    def _remember(self, step: Step) -> None:
        """What later signals have to know; this one's orders need not wait for it."""
        for delivery, _, day in step.delivered:
            self._state.note_delivered(delivery.signal.signal_id, delivery.tenant_id, day)
        for orders in (step.denied, step.intended):
            for order in orders:
                self._state.remember(order)

    def collect_answers(self) -> int:
        """Take the answers that came meanwhile; return how many orders still fly."""
        state, into = self._state, Changes()
        if state.in_flight:
            landed = self._take_answers(list(state.in_flight.values()), into)
            if into:
                state.journal.write(events=into.events, records=into.records)
            self._look_again(landed)
        return len(state.in_flight)

    def _hand_over(self, orders: Sequence[Order], taken_ns: int) -> list[OrderFlight]:
        """Hand every order to its terminal, once, and wait for none of them."""
        state = self._state
        now_ns, deadline = state.now_ns, state.steady() + state.timing.answer_wait
        flights: list[OrderFlight] = []
        for order in orders:
            desk = state.desks[order.account_id]
            desk.orders[order.key] = order
            desk.sent_ns.append(now_ns)
            request = OrderRequest(
                order.key, order.symbol, order.direction, order.volume, order.stop_loss,
                order.take_profit, order.magic, 0, f"sinyal {order.magic:x}",
            )  # fmt: skip
            begun_ns = perf_counter_ns()
            handle = desk.terminal.begin(request)
            flights.append(OrderFlight(order, desk, handle, begun_ns, deadline))
        state.orders_made += len(orders)
        for flight in flights:
            path_us = (flight.begun_ns - taken_ns) / 1_000
            flight.order = flight.order.change(order_path_us=path_us, predicted=True)
            flight.desk.orders[flight.order.key] = flight.order
            state.in_flight[flight.order.key] = flight
            account_id = flight.order.account_id
            state.promises.observe(account_id, "decision_to_order_us", path_us)
        return flights

    def _take_answers(self, flights: list[OrderFlight], into: Changes) -> list[OrderFlight]:
        """One look at every flight; those that landed, their order as the answer leaves it."""
        state, now, steady = self._state, self._state.clock.now(), self._state.steady()
        landed: list[OrderFlight] = []
        for flight in flights:
            answer = flight.handle.poll()
            if answer is None and steady < flight.deadline:
                continue
            trip_us = (perf_counter_ns() - flight.begun_ns) / 1_000
            state.promises.observe(flight.order.account_id, "order_round_trip_us", trip_us)
            settled = record_answer(flight.order, answer or NO_ANSWER, state.now_ns)
            if settled.state == "rejected":
                state.ended.note(settled)
            if settled.state == "unknown":
                settled = replace(settled, unknown_at=now)
            del state.in_flight[settled.key]
            keep_order(flight.desk, settled)
            flight.order = settled
            landed.append(flight)
            into.records.append(settled.record)
            event = report_outcome(settled, now)
            if event is not None:
                into.events.append(event)
            else:
                note_unknown(state, flight.desk, settled, now, into)
            if settled.retcode == MARKET_CLOSED:
                note_market_closed(flight.desk, settled.symbol)
        return landed

    def _look_again(self, landed: list[OrderFlight]) -> None:
        """Read the accounts whose orders were answered."""
        for flight in landed:
            flight.desk.refresh(self._state.now_ns, (flight.order.symbol,))


def note_unknown(
    state: EngineState, desk: Desk, order: Order, now: datetime, into: Changes
) -> None:
    """Hold the account until the broker's books tell what became of the order."""
    found = Difference(
        account_id=order.account_id, kind="order_unknown", subject=str(order.order_id),
        volume=order.volume, symbol=order.symbol,
    )  # fmt: skip
    state.differences.note(desk.account, found, now, into, order_id=order.order_id)
    desk.held = state.differences.holds(order.account_id)


def note_market_closed(desk: Desk, symbol: str) -> None:
    """Entries in the symbol wait for a newer price."""
    quote = desk.read_quote(symbol)
    desk.closed_ns[symbol] = quote.time_ns if quote is not None else 0


def _deny_unwritten(order: Order) -> Order:
    return replace(
        order, state="denied", denial="storage_full", volume=0, stop_loss=0, take_profit=0, magic=0
    )


def record_answer(order: Order, answer: SendResult, now_ns: int) -> Order:
    """The order as the terminal's answer leaves it; an acknowledgement without a price is open.

    Less volume than asked is the order's volume from then on: what is missing is not chased.
    """
    match answer:
        case Done() if min(answer.price, answer.deal, answer.position, answer.volume) > 0:
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
