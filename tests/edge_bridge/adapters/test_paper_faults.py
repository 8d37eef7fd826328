"""What can be broken on purpose, call by call."""

from typing import Any

import pytest

from edge_bridge.adapters import constants as c
from tests.edge_bridge.adapters.paper_market import Market, open_market


@pytest.fixture
def market() -> Market:
    return open_market()


@pytest.mark.parametrize(
    ("kind", "retcode"),
    [
        ("busy", 10024), ("requote", 10004), ("market_closed", 10018), ("reject", 10006),
        ("no_money", 10019), ("connection", 10031), ("price_changed", 10020), ("locked", 10028),
        ("Market Closed", 10018),
    ],
)  # fmt: skip
def test_a_send_is_refused_as_often_as_asked_for(market: Market, kind: str, retcode: int) -> None:
    market.mt5.fail_next(kind, times=2)
    assert market.mt5.account_info() is not None, "reading goes on"
    assert [market.buy().retcode for _ in range(3)] == [retcode, retcode, 10009]
    assert len(market.mt5.positions_get()) == 1


def test_a_requote_tells_the_prices_of_now(market: Market) -> None:
    market.mt5.fail_next("requote")
    answer = market.buy()
    assert (answer.retcode, answer.bid, answer.ask) == (10004, 1.1, 1.1001)


def test_any_retcode_can_be_asked_for(market: Market) -> None:
    market.mt5.fail_next("reject", retcode=10027)
    assert market.buy().retcode == 10027


@pytest.mark.parametrize(("when", "error", "opened"), [("before", -10001, 0), ("after", -10002, 1)])
def test_the_pipe_dies_at_a_send(market: Market, when: Any, error: int, opened: int) -> None:
    market.mt5.fail_next("pipe_dies", when=when)
    assert market.mt5.order_send({"action": 1, "symbol": "EURUSD", "volume": 0.1} | IOC) is None
    assert market.mt5.last_error()[0] == error
    assert market.mt5.positions_get() is None
    assert market.mt5.last_error()[0] == -10004
    assert market.mt5.login(1001, "pw", "Paper-Demo") is False
    assert market.mt5.initialize()
    assert market.mt5.positions_total() == opened


IOC = {"type_filling": 1}


def test_the_pipe_dies_at_a_named_call(market: Market) -> None:
    market.mt5.fail_next("pipe_dies", call="positions_get")
    assert market.mt5.orders_get() == ()
    assert market.mt5.positions_get() is None
    assert market.mt5.last_error()[0] == -10002


def test_a_disabled_interface_answers_nothing(market: Market) -> None:
    market.mt5.fail_next("api_disabled", times=2)
    assert market.mt5.account_info() is None
    assert market.mt5.last_error()[0] == -8
    assert market.mt5.order_send(action=1) is None
    assert market.mt5.last_error()[0] == -8
    assert market.mt5.account_info() is not None
    market.mt5.api_disabled = True
    assert market.mt5.symbol_select("EURUSD") is False
    assert market.mt5.order_send(action=1) is None
    assert market.mt5.last_error()[0] == -8


def test_a_call_can_be_slow_or_hang(market: Market) -> None:
    market.mt5.fail_next("slow", seconds=0.25)
    market.mt5.fail_next("hang")
    market.mt5.fail_next("slow", seconds=9, call="initialize")
    assert market.mt5.account_info() is not None
    assert market.buy().retcode == 10009
    assert market.slept == [0.25, 60.0]
    market.mt5.initialize()
    assert market.slept == [0.25, 60.0, 9]


def test_an_order_is_placed_and_its_deal_is_found_later(market: Market) -> None:
    market.mt5.fail_next("placed")
    answer = market.buy(magic=6)
    assert (answer.retcode, answer.deal) == (10008, 0)
    (deal,) = market.mt5.history_deals_get(position=answer.order)
    assert deal.magic == 6


@pytest.mark.parametrize(("when", "opened"), [("before", 0), ("after", 1)])
def test_a_timeout_leaves_open_whether_it_was_executed(
    market: Market, when: Any, opened: int
) -> None:
    market.mt5.fail_next("timeout", when=when)
    assert market.buy().retcode == 10012
    assert market.mt5.positions_total() == opened


def test_a_part_is_filled_and_the_rest_cancelled(market: Market) -> None:
    market.mt5.fail_next("partial_fill", fraction=0.35)
    market.wait(c.ORDER_TYPE_BUY_LIMIT, 1.09)
    answer = market.buy(0.1)
    assert (answer.retcode, answer.volume) == (10010, 0.03)
    assert market.position.volume == 0.03
    (order,) = market.mt5.history_orders_get(ticket=answer.order)
    assert (order.volume_initial, order.volume_current, order.state) == (0.1, 0.07, 3)
    market.mt5.fail_next("partial_fill", volume=0.01)
    close = market.sell(0.03, position=answer.order)
    assert (close.retcode, close.volume, market.position.volume) == (10010, 0.01, 0.02)


def test_all_or_nothing_is_nothing_when_only_a_part_is_there() -> None:
    market = open_market(filling_mode=3)
    market.mt5.fail_next("partial_fill")
    assert market.buy(0.1, type_filling=c.ORDER_FILLING_FOK).retcode == 10006
    market.mt5.fail_next("partial_fill", fraction=0.0)
    assert market.buy(0.1).retcode == 10006
    assert market.mt5.positions_get() == ()


def test_on_an_exchange_the_rest_is_filled_with_the_next_tick() -> None:
    market = open_market(trade_exemode=c.SYMBOL_TRADE_EXECUTION_EXCHANGE)
    market.mt5.fail_next("partial_fill")
    answer = market.buy(0.1, type_filling=c.ORDER_FILLING_RETURN)
    assert (answer.retcode, market.position.volume) == (10010, 0.05)
    (order,) = market.mt5.orders_get()
    assert (order.state, order.volume_current) == (c.ORDER_STATE_PARTIAL, 0.05)
    market.tick(1.10020, 1.10030)
    assert (market.position.volume, market.position.price_open) == (0.1, 1.1002)
    assert market.mt5.orders_get() == ()
    assert [row.order for row in market.deals] == [answer.order] * 2


def test_the_rest_of_a_close_never_opens_the_other_side() -> None:
    market = open_market(trade_exemode=c.SYMBOL_TRADE_EXECUTION_EXCHANGE)
    opened = market.buy(0.1)
    market.mt5.fail_next("partial_fill")
    rest = market.sell(0.1, position=opened.order, type_filling=c.ORDER_FILLING_RETURN)
    assert rest.retcode == 10010
    market.sell(0.05, position=opened.order)
    market.tick(1.10020, 1.10030)
    assert market.mt5.positions_get() == ()
    (order,) = market.mt5.history_orders_get(ticket=rest.order)
    assert order.state == c.ORDER_STATE_CANCELED


def test_a_tick_gap_hides_ticks_until_it_is_over(market: Market) -> None:
    mt5, first_s = market.mt5, market.time_msc // 1000
    market.buy(0.1, sl=1.09)
    mt5.fail_next("tick_gap", ticks=2)
    market.tick(1.095, 1.0951)
    market.tick(1.085, 1.0851)
    assert mt5.symbol_info_tick("EURUSD").bid == 1.1
    assert mt5.symbol_info("EURUSD").bid == 1.1
    assert len(mt5.copy_ticks_from("EURUSD", first_s, 10, -1)) == 1
    assert mt5.positions_get() == (), "the server has seen them"
    market.tick(1.086, 1.0861)
    assert mt5.symbol_info_tick("EURUSD").bid == 1.086
    ticks = mt5.copy_ticks_range("EURUSD", first_s, first_s + 10, c.COPY_TICKS_ALL)
    assert list(ticks["bid"]) == [1.1, 1.095, 1.085, 1.086]


def test_a_tick_gap_can_last_some_seconds_in_one_symbol(market: Market) -> None:
    market.mt5.fail_next("tick_gap", seconds=3, symbol="EURUSD")
    shown = []
    for step in range(4):
        market.tick(1.2 + step / 10, 1.21 + step / 10)
        shown.append(market.mt5.symbol_info_tick("EURUSD").bid)
    assert shown == [1.1, 1.1, 1.4, 1.5]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "flood"}, {"kind": "busy", "times": 0}, {"kind": "slow", "seconds": -1},
        {"kind": "partial_fill", "fraction": 2}, {"kind": "pipe_dies", "when": "never"},
    ],
)  # fmt: skip
def test_a_fault_that_makes_no_sense_is_refused(market: Market, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        market.mt5.fail_next(wrong.pop("kind"), **wrong)
