"""Rules of the trade server beyond the ten cases: fillings, prices, levels, swaps, margins."""

from typing import Any

import pytest

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper import AccountSpec, SpecRefused, SymbolSpec
from tests.edge_bridge.adapters.paper_market import DAY_MS, USDJPY, Market, open_market

FOK, IOC, RETURN, BOC = 0, 1, 2, 3
REQUEST, INSTANT, MARKET, EXCHANGE = 0, 1, 2, 3


@pytest.mark.parametrize(
    ("execution", "flags", "allowed"),
    [
        (REQUEST, 3, {FOK}),
        (INSTANT, 3, {FOK}),
        (INSTANT, 2, {FOK}),
        (MARKET, 1, {FOK}),
        (MARKET, 2, {IOC}),
        (MARKET, 3, {FOK, IOC}),
        (MARKET, 0, set()),
        (EXCHANGE, 0, {FOK, IOC, RETURN}),
    ],
)
def test_the_execution_decides_which_fillings_a_deal_may_have(
    execution: int, flags: int, allowed: set[int]
) -> None:
    market = open_market(trade_exemode=execution, filling_mode=flags)
    for filling in (FOK, IOC, RETURN, BOC, 9):
        expected = 10009 if filling in allowed else 10030
        assert market.buy(price=1.1001, type_filling=filling).retcode == expected, filling


@pytest.mark.parametrize("execution", [REQUEST, INSTANT, MARKET, EXCHANGE])
def test_a_waiting_order_may_always_keep_its_rest(execution: int) -> None:
    market = open_market(trade_exemode=execution)
    assert market.wait(c.ORDER_TYPE_BUY_LIMIT, 1.09).retcode == 10009
    booked = market.wait(c.ORDER_TYPE_BUY_LIMIT, 1.09, type_filling=BOC)
    assert booked.retcode == (10009 if execution == EXCHANGE else 10030)


@pytest.mark.parametrize("execution", [REQUEST, INSTANT])
def test_where_prices_are_quoted_the_price_asked_for_must_be_near(execution: int) -> None:
    market = open_market(trade_exemode=execution)
    assert market.buy(type_filling=FOK).retcode == 10015
    assert market.buy(type_filling=FOK, price=1.09990, deviation=19).retcode == 10004
    assert market.buy(type_filling=FOK, price=1.09990, deviation=20).retcode == 10009
    assert market.sell(type_filling=FOK, price=1.10002, deviation=1).retcode == 10004


def test_where_the_market_decides_price_and_deviation_are_nothing() -> None:
    market = open_market()
    assert market.buy(price=5.0, deviation=0).price == 1.1001


def test_a_buy_stop_limit_becomes_a_limit_order_at_its_stop_and_then_fills() -> None:
    market = open_market()
    placed = market.wait(c.ORDER_TYPE_BUY_STOP_LIMIT, 1.105, stoplimit=1.103, sl=1.1, magic=8)
    (order,) = market.mt5.orders_get()
    assert (order.type, order.price_open, order.price_stoplimit) == (6, 1.105, 1.103)
    market.tick(1.1029, 1.103)
    assert market.mt5.positions_get() == (), "below the stop, the limit means nothing"
    market.tick(1.1049, 1.1050)
    (order,) = market.mt5.orders_get()
    assert (order.ticket, order.type, order.price_open) == (placed.order, 2, 1.103)
    market.tick(1.10285, 1.10295)
    position = market.position
    assert (position.ticket, position.price_open, position.sl) == (placed.order, 1.10295, 1.1)
    assert position.magic == 8


def test_a_sell_stop_limit_is_the_mirror_of_it() -> None:
    market = open_market()
    market.wait(c.ORDER_TYPE_SELL_STOP_LIMIT, 1.095, stoplimit=1.097)
    market.tick(1.095, 1.0951)
    (order,) = market.mt5.orders_get()
    assert (order.type, order.price_open) == (c.ORDER_TYPE_SELL_LIMIT, 1.097)
    market.tick(1.0971, 1.0972)
    assert (market.position.type, market.position.price_open) == (1, 1.0971)


@pytest.mark.parametrize(
    ("kind", "price", "stoplimit"),
    [
        (c.ORDER_TYPE_BUY_STOP_LIMIT, 1.1001, 1.099),
        (c.ORDER_TYPE_BUY_STOP_LIMIT, 1.105, 1.106),
        (c.ORDER_TYPE_BUY_STOP_LIMIT, 1.105, 1.10495),
        (c.ORDER_TYPE_BUY_STOP_LIMIT, 1.105, 0.0),
        (c.ORDER_TYPE_SELL_STOP_LIMIT, 1.1, 1.11),
        (c.ORDER_TYPE_SELL_STOP_LIMIT, 1.095, 1.094),
    ],
)
def test_a_stop_limit_on_the_wrong_side_is_refused(
    kind: int, price: float, stoplimit: float
) -> None:
    assert open_market().wait(kind, price, stoplimit=stoplimit).retcode == 10015


def test_an_order_near_the_market_is_frozen() -> None:
    market = open_market(trade_freeze_level=50)
    placed = market.wait(c.ORDER_TYPE_BUY_LIMIT, 1.099)
    change = {"action": c.TRADE_ACTION_MODIFY, "order": placed.order}
    remove = {"action": c.TRADE_ACTION_REMOVE, "order": placed.order}
    market.tick(1.0994, 1.0995)
    assert market.send(**change, price=1.098).retcode == 10029
    assert market.send(**remove).retcode == 10029
    market.tick(1.09942, 1.09952)
    assert market.send(**change, price=1.098).retcode == 10009
    assert market.send(**remove).retcode == 10009


def test_a_symbol_may_forbid_types_of_orders_and_of_expiration() -> None:
    market = open_market(order_mode=1 + 2, expiration_mode=1 + 4)
    assert market.wait(c.ORDER_TYPE_BUY_STOP, 1.105).retcode == 10035
    limit: dict[str, Any] = {"kind": c.ORDER_TYPE_BUY_LIMIT, "price": 1.09}
    assert market.wait(**limit, type_time=c.ORDER_TIME_DAY).retcode == 10022
    later = market.time_msc // 1000 + 60
    good = market.wait(**limit, type_time=c.ORDER_TIME_SPECIFIED, expiration=later)
    assert good.retcode == 10009
    assert market.wait(**limit, type_time=-5).retcode == 10022


def test_an_order_for_a_day_ends_with_it() -> None:
    market = open_market()
    day = market.time_msc // DAY_MS
    ends = {
        market.wait(c.ORDER_TYPE_BUY_LIMIT, 1.09, type_time=c.ORDER_TIME_DAY).order: day + 1,
        market.wait(
            c.ORDER_TYPE_BUY_LIMIT, 1.09, type_time=c.ORDER_TIME_SPECIFIED_DAY,
            expiration=(day + 1) * 86_400 + 5,
        ).order: day + 2,
    }  # fmt: skip
    for order in market.mt5.orders_get():
        assert order.time_expiration == ends[order.ticket] * 86_400
    market.tick(1.1, 1.1001, ms=DAY_MS)
    assert [row.ticket for row in market.mt5.orders_get()] == [list(ends)[1]]
    assert market.mt5.history_orders_get(ticket=next(iter(ends)))[0].state == 6


def test_positions_close_first_in_first_out_where_the_account_says_so() -> None:
    market = open_market(account={"fifo_close": True})
    first, second = market.buy(0.1), market.buy(0.2)
    assert market.mt5.account_info().fifo_close is True
    assert market.sell(0.2, position=second.order).retcode == 10045
    assert market.sell(0.1, position=first.order).retcode == 10009
    assert market.sell(0.2, position=second.order).retcode == 10009


def test_an_account_that_may_not_trade_is_refused() -> None:
    assert open_market(account={"trade_allowed": False}).buy().retcode == 10017
    assert open_market(account={"trade_expert": False}).buy().retcode == 10026


def test_a_position_is_closed_by_its_own_symbol_only() -> None:
    market = open_market(USDJPY)
    market.tick(100.0, 100.01, "USDJPY")
    opened = market.buy()
    assert market.sell(position=opened.order, symbol="USDJPY").retcode == 10013
    stops = {"action": c.TRADE_ACTION_SLTP, "position": opened.order, "symbol": "USDJPY"}
    assert market.send(**stops, sl=1.09).retcode == 10013


def test_close_by_writes_two_deals_of_one_order_and_leaves_the_rest() -> None:
    market = open_market(commission_per_lot=3.0)
    buy, sell = market.buy(0.3), market.sell(0.1)
    same = {"action": c.TRADE_ACTION_CLOSE_BY, "position": buy.order}
    assert market.send(**same, position_by=buy.order).retcode == 10013
    assert market.send(**same, position_by=1).retcode == 10036
    done = market.send(**same, position_by=sell.order)
    assert done.retcode == 10009
    first, second = market.deals[-2:]
    assert (first.entry, second.entry) == (c.DEAL_ENTRY_OUT_BY,) * 2
    assert (first.position_id, second.position_id) == (buy.order, sell.order)
    assert (first.order, second.order, first.volume) == (done.order, done.order, 0.1)
    assert (first.commission, market.position.volume) == (-0.3, 0.2)
    (order,) = market.mt5.history_orders_get(ticket=done.order)
    assert (order.type, order.position_id, order.position_by_id) == (8, buy.order, sell.order)


NIGHTS = [
    (c.SYMBOL_SWAP_MODE_DISABLED, -7.5, 0.0),
    (c.SYMBOL_SWAP_MODE_POINTS, -7.5, -7.5),
    (c.SYMBOL_SWAP_MODE_CURRENCY_SYMBOL, -7.5, -8.25),
    (c.SYMBOL_SWAP_MODE_CURRENCY_MARGIN, -7.5, -8.25),
    (c.SYMBOL_SWAP_MODE_CURRENCY_DEPOSIT, -7.5, -7.5),
    (c.SYMBOL_SWAP_MODE_INTEREST_CURRENT, -3.6, -11.0),
    (c.SYMBOL_SWAP_MODE_INTEREST_OPEN, -3.6, -11.0),
]


@pytest.mark.parametrize(("mode", "rate", "night"), NIGHTS)
def test_a_night_costs_what_the_swap_mode_says_and_three_on_one_day(
    mode: int, rate: float, night: float
) -> None:
    market = open_market(swap_mode=mode, swap_long=rate)  # from a Tuesday on
    market.buy(1.0)
    market.tick(1.10000, 1.10010, ms=DAY_MS)
    assert market.position.swap == night
    market.tick(1.10000, 1.10010, ms=DAY_MS)
    assert market.position.swap == pytest.approx(4 * night, abs=0.03)
    market.sell(0.5, position=market.position.ticket)
    assert market.deals[-1].swap == pytest.approx(2 * night, abs=0.03)


def test_commission_is_on_deals_and_credit_is_equity_but_no_balance() -> None:
    market = open_market(account={"credit": 500.0}, commission_per_lot=3.5)
    market.buy(1.0)
    account = market.mt5.account_info()
    assert (account.balance, account.credit, account.equity) == (9_996.5, 500.0, 10_486.5)
    assert market.deals[-1].commission == -3.5
    assert market.position.profit == -10.0


def test_a_level_in_money_stops_out_too() -> None:
    levels = {"margin_so_mode": 1, "margin_so_call": 9_990.0, "margin_so_so": 9_900.0}
    market = open_market(account=levels)
    market.buy(1.0)
    market.tick(1.09910, 1.09920)
    assert market.position.profit == -100.0
    market.tick(1.09909, 1.09919)
    assert market.mt5.positions_get() == ()
    account = market.mt5.account_info()
    assert (account.margin_so_mode, account.margin_so_so) == (1, 9_900.0)


def test_a_margin_call_comes_before_the_stop_out() -> None:
    market = open_market()
    market.buy(5.0)
    assert market.mt5.margin_called is False
    market.tick(1.09110, 1.09120)
    account = market.mt5.account_info()
    assert market.mt5.margin_called is True
    assert account.margin_so_so < account.margin_level < account.margin_so_call
    assert market.position.volume == 5.0


@pytest.mark.parametrize(
    ("rules", "margin"),
    [
        ({}, 1_100.1),
        ({"margin_initial": 50_000.0}, 550.05),
        ({"currency_margin": "USD"}, 1_000.0),
        ({"trade_calc_mode": c.SYMBOL_CALC_MODE_FOREX_NO_LEVERAGE}, 110_010.0),
        ({"trade_calc_mode": c.SYMBOL_CALC_MODE_CFDLEVERAGE}, 1_100.1),
        ({"trade_calc_mode": c.SYMBOL_CALC_MODE_CFD}, 110_010.0),
    ],
)
def test_margin_follows_the_symbols_way_to_calculate(rules: dict[str, Any], margin: float) -> None:
    market = open_market(**rules)
    assert market.mt5.order_calc_margin(0, "EURUSD", 1.0, 1.1001) == margin


def test_a_cross_is_valued_through_the_symbol_of_its_currencies_whatever_its_name() -> None:
    market = open_market(
        SymbolSpec(name="EURJPY.m", digits=3),
        SymbolSpec(name="USDJPY.m", digits=3),
    )
    assert market.buy(1.0, symbol="EURJPY.m").retcode == 10021
    market.tick(110.00, 110.01, "EURJPY.m")
    assert market.buy(1.0, symbol="EURJPY.m").retcode == 10021, "yen have no price yet"
    assert market.mt5.positions_get() == ()
    market.tick(100.00, 100.00, "USDJPY.m")
    market.buy(1.0, symbol="EURJPY.m")
    market.tick(111.01, 111.02, "EURJPY.m")
    assert market.position.profit == 1_000.0
    market.tick(125.00, 125.00, "USDJPY.m")
    assert market.position.profit == 800.0


def test_a_cross_is_stopped_out_by_a_tick_of_the_other_symbol() -> None:
    market = Market(SymbolSpec(name="USDCHF"), SymbolSpec(name="EURCHF"))
    for symbol in ("EURUSD", "USDCHF", "EURCHF"):
        market.tick(1.0, 1.0, symbol)
    assert market.buy(9.0, symbol="EURCHF").retcode == 10009
    market.tick(0.996, 0.996, "EURCHF")
    assert len(market.mt5.positions_get()) == 1
    market.tick(0.6, 0.6, "USDCHF")
    assert market.mt5.positions_get() == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"volume_step": 0.001}, {"volume_step": 0.0}, {"volume_min": 5.0, "volume_max": 1.0},
        {"trade_contract_size": 0.5}, {"trade_calc_mode": 1}, {"swap_mode": 8},
        {"commission_per_lot": 0.001}, {"volume_max": float("inf")},
    ],
)  # fmt: skip
def test_a_symbol_that_cannot_be_kept_exactly_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SpecRefused):
        SymbolSpec(**wrong).to_settings()


@pytest.mark.parametrize(
    "wrong", [{"balance": 0.001}, {"leverage": 0}, {"margin_mode": 3}, {"margin_so_so": 33.3}]
)
def test_an_account_that_cannot_be_kept_exactly_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SpecRefused):
        AccountSpec(**wrong).to_settings()
