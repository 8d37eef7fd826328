"""What a backtest reads in place is what the adapter reads through the module."""

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper.settings import AccountSettings, make_forex_symbol
from edge_bridge.adapters.paper.simulated import SimulatedTerminal
from edge_bridge.adapters.paper.terminal import open_terminal
from edge_bridge.backtest.terminal import BacktestTerminal
from edge_bridge.ports import Done, OrderRequest, Side

START_NS = 1_400_047_200_000_000_000
SECOND_NS = 1_000_000_000
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("buy", "sell", "close", "part", "wait", "limit")),
        st.integers(1, 300),
        st.integers(-900, 900),
        st.integers(1, 40_000),
    ),
    min_size=3,
    max_size=12,
)


def limit_order(simulated: SimulatedTerminal, bid: int) -> None:
    simulated.order_send(
        action=c.TRADE_ACTION_PENDING, symbol="EURUSD", volume=0.1, type=c.ORDER_TYPE_BUY_LIMIT,
        price=(bid - 50) / 100_000, type_filling=c.ORDER_FILLING_RETURN,
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, currency=st.sampled_from(("USD", "EUR")), hedging=st.booleans())
def test_both_ways_of_reading_give_the_same_values(
    steps: list[tuple[str, int, int, int]], currency: str, hedging: bool
) -> None:
    mode = c.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING if hedging else 0
    account = AccountSettings(currency=currency, balance=100_000_00, margin_mode=mode)
    simulated = SimulatedTerminal(account, [make_forex_symbol("EURUSD", 5)])
    direct, through = BacktestTerminal(simulated), open_terminal(simulated)
    direct.connect()
    through.connect()
    bid, now_ns = 137_000, START_NS
    simulated.feed_tick(0, now_ns, bid, bid + 8, "EURUSD")
    for number, (act, volume, move, seconds) in enumerate(steps, 1):
        held = direct.positions()
        if act in ("buy", "sell"):
            side: Side = "buy" if act == "buy" else "sell"
            assert isinstance(direct.send(OrderRequest("x", "EURUSD", side, volume)), Done)
        elif act == "limit":
            limit_order(simulated, bid)
        elif held and act != "wait":
            part = max(1, held[0].volume // 2) if act == "part" else None
            direct.close_position(held[0], volume=part)
        bid, now_ns = bid + move, now_ns + seconds * SECOND_NS
        simulated.feed_tick(number, now_ns, bid, bid + 8, "EURUSD")
        assert list(direct.positions()) == list(through.positions())
        assert list(direct.pending_orders()) == list(through.pending_orders())
        assert direct.account() == through.account()
        for since_ns in (1, START_NS, now_ns - 60 * SECOND_NS, now_ns + 1):
            assert list(direct.deals_since(since_ns)) == list(through.deals_since(since_ns))
    assert direct.deals_since(1) or not any(act in ("buy", "sell") for act, *_ in steps)
