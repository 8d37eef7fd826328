"""What must hold whatever happens: judged from the broker's books, the bus and what left here."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.envelope import Envelope
from contracts.trading_engine import EngageKillSwitch, ReleaseKillSwitch
from edge_bridge.engine.models import Order, read_value
from edge_bridge.ports import CloseRequest, Deal, OrderRequest
from tests.edge_bridge.chaos.cloud import SimSender
from tests.edge_bridge.chaos.messages import POSITIONS_MAX, Cast
from tests.edge_bridge.chaos.terminal import Link

TICKETS_FOREVER_NS = 1_000_000_000


class Broken(AssertionError):
    """A claim does not hold."""


def claim(holds: bool, fact: str) -> None:
    """Raise Broken unless it holds."""
    if not holds:
        raise Broken(fact)


@dataclass
class KillOracle:
    """Which scopes are stopped, from the messages alone: the highest version of a scope counts."""

    states: dict[UUID | None, tuple[int, bool]] = field(default_factory=dict)

    def note(self, envelope: Envelope, now: datetime) -> None:
        """A message is about to be handled."""
        data, scope = envelope.data, envelope.meta.tenant_id
        if isinstance(data, EngageKillSwitch):
            engaged = True
        elif isinstance(data, ReleaseKillSwitch) and now <= data.expires_at:
            engaged = False
        else:
            return
        if data.version > self.states.get(scope, (0, False))[0]:
            self.states[scope] = (data.version, engaged)

    def forget_unstored(self, engaged: list[tuple[UUID | None, int]]) -> None:
        """The process died over commands that a full disk did not take: they stopped what ran, are
        in the queue still, and stop again when they come."""
        for scope, version in engaged:
            if self.states.get(scope, (0, False))[0] == version:
                del self.states[scope]

    def is_stopped(self, tenant_id: UUID) -> bool:
        """Whether the tenant or the whole host is stopped."""
        return any(self.states.get(scope, (0, False))[1] for scope in (tenant_id, None))


def judge_departure(link: Link, action: object, *, stopped: bool) -> None:
    """An order is about to leave: the kill switch is off and there is room for it."""
    if not isinstance(action, OrderRequest):
        return
    claim(not stopped, f"an entry leaves while its tenant is stopped: {action.client_id}")
    waiting = [each.action for each in link.pipe if each.answer is None]
    under_way = sum(isinstance(each, OrderRequest) for each in waiting)
    held = len(link.broker_positions()) + under_way
    claim(held < POSITIONS_MAX, f"{held} positions and orders, and another one leaves")
    magics = [each.magic for _, each in link.log if isinstance(each, OrderRequest)]
    claim(action.magic not in magics, f"magic {action.magic} leaves twice")


def judge_closes(link: Link) -> None:
    """No close was executed beyond what was open."""
    opened: Counter[int] = Counter()
    for deal in link.list_deals():
        opened[deal.position] += deal.volume if deal.entry == "in" else -deal.volume
        claim(opened[deal.position] >= 0, f"position {deal.position} was closed twice")


def judge_story(
    cast: Cast, links: dict[UUID, Link], bus: SimSender, market: SimSender, journal: Any
) -> dict[str, int]:
    """Judge the whole story after it has come to rest; return what happened, as counts."""
    outcomes = _collect_outcomes(cast, bus)
    orders = [read_value(Order, text) for text in journal.load("order").values()]
    for order in orders:
        claim(order.state not in ("intended", "unknown"), f"{order.order_id} is {order.state}")
        claim(str(order.order_id) in outcomes, f"nobody heard of {order.order_id} {order.state}")
    by_magic = {order.magic: order for order in orders if order.magic}
    filled = 0
    for account_id, link in links.items():
        judge_closes(link)
        filled += _judge_account(account_id, link, by_magic, outcomes, bus)
    _judge_batches(market)
    claim(journal.depth() == 0, f"{journal.depth()} messages were never sent")
    claim(journal.count_set_aside() == 0, "messages were given up")
    claim(journal.read_inbox() == [], "messages came and were not handled")
    kinds = Counter(outcomes.values())
    return {"orders": len(orders), "filled": filled, **kinds, "repeated": bus.repeated}


def _collect_outcomes(cast: Cast, bus: SimSender) -> dict[str, str]:
    outcomes: dict[str, str] = {}
    for kind in ("OrderFilled", "OrderRejected", "OrderDenied"):
        for body in bus.list_events(kind):
            data, meta = body["data"], body["meta"]
            order_id = data["order_id"]
            claim(order_id not in outcomes, f"{order_id} has two outcomes")
            outcomes[order_id] = kind
            owner = cast.accounts[UUID(data["account_id"])]
            claim(UUID(meta["tenant_id"]) == owner, f"{order_id} was told to a stranger")
    return outcomes


def _judge_account(
    account_id: UUID,
    link: Link,
    by_magic: dict[int, Order],
    outcomes: dict[str, str],
    bus: SimSender,
) -> int:
    entries: dict[int, list[Deal]] = defaultdict(list)
    for deal in link.list_deals():
        if deal.entry == "in":
            entries[deal.magic].append(deal)
    fills = {
        body["data"]["order_id"]: body["data"]
        for body in bus.list_events("OrderFilled")
        if body["data"]["account_id"] == str(account_id)
    }
    for magic, deals in entries.items():
        positions = {deal.position for deal in deals}
        claim(len(positions) == 1, f"magic {magic} opened {len(positions)} positions")
        order = by_magic.get(magic)
        claim(order is not None, f"the broker has an order {magic} that the edge does not know")
        assert order is not None
        claim(order.account_id == account_id, f"{order.order_id} is on somebody else's account")
        fill = fills.pop(str(order.order_id), None)
        claim(fill is not None, f"{order.order_id} was filled and told {outcomes}")
        assert fill is not None
        volume = sum(deal.volume for deal in deals)
        claim(fill["volume"] == volume, f"told {fill['volume']}, filled {volume}")
    claim(not fills, f"fills that the broker does not know: {list(fills)}")
    _judge_money(account_id, link, bus)
    return len(entries)


def _judge_money(account_id: UUID, link: Link, bus: SimSender) -> None:
    """Every position is flat, told once, and its profit is what the deals say."""
    told: Counter[int] = Counter()
    for body in bus.list_events("PositionClosed"):
        data = body["data"]
        if data["account_id"] == str(account_id):
            told[data["position_ticket"]] += 1
    flat = {deal.position for deal in link.list_deals() if deal.entry == "in"}
    claim(not link.broker_positions(), f"positions are left open: {link.broker_positions()}")
    claim(set(told) == flat, f"closes told {sorted(told)}, closes at the broker {sorted(flat)}")
    claim(set(told.values()) <= {1}, "a close was told twice")


def _judge_batches(market: SimSender) -> None:
    numbers = [body["data"]["sequence"] for body in market.list_events("TickBatch")]
    claim(sorted(numbers) == list(range(len(numbers))), "tick batches are missing or doubled")


def count_closes(link: Link) -> int:
    """Closes that left the edge."""
    return sum(isinstance(each, CloseRequest) for _, each in link.log)
