"""The cases every MetaTrader5 module passes, from outside; and its whole face, name by name."""

from typing import Any

import numpy as np
import pytest

from edge_bridge.adapters import api
from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper import AccountSpec, SimulatedTerminal, SymbolSpec
from edge_bridge.adapters.paper.terminal import open_terminal
from edge_bridge.ports import OrderRequest, Unknown
from tests.edge_bridge.adapters.paper_market import (
    ACCOUNT,
    EURUSD,
    OPEN_MSC,
    Market,
    open_market,
)


@pytest.fixture
def market() -> Market:
    return open_market()


def test_case_1_nothing_is_known_before_initialize() -> None:
    mt5 = SimulatedTerminal(account=AccountSpec(**ACCOUNT), symbols=[SymbolSpec(**EURUSD)])
    assert mt5.account_info() is None
    assert mt5.last_error()[0] == -10004


def test_case_2_shutdown_twice(market: Market) -> None:
    assert market.mt5.shutdown() is True
    assert market.mt5.shutdown() is True
    assert market.mt5.version() == (0, 0, "")


def test_case_3_a_login_in_letters_is_refused(market: Market) -> None:
    for call in (market.mt5.login, lambda login: market.mt5.initialize(login=login)):
        assert call("1") is False
        assert market.mt5.last_error()[0] == -2


def test_case_4_an_unknown_symbol_is_an_error(market: Market) -> None:
    assert market.mt5.symbol_info("NOPE") is None
    assert market.mt5.last_error()[0] in (-1, -4)


def test_case_5_a_volume_is_a_float(market: Market) -> None:
    request = {"action": 1, "symbol": "EURUSD", "type": 0, "type_filling": 1}
    assert market.mt5.order_send(request | {"volume": 1}) is None
    assert market.mt5.last_error()[0] == -2
    assert market.mt5.order_send(request | {"volume": 1.0}).retcode == 10009


def test_case_6_a_buy_is_one_position_and_one_deal_in(market: Market) -> None:
    result = market.buy(magic=7)
    assert result.retcode == 10009
    (position,) = market.mt5.positions_get(ticket=result.order)
    assert position.magic == 7
    assert [row.entry for row in market.mt5.history_deals_get(position=result.order)] == [0]


def test_case_7_filling_volume_and_money_are_checked(market: Market) -> None:
    assert market.buy(type_filling=c.ORDER_FILLING_FOK).retcode == 10030
    assert [market.buy(volume).retcode for volume in (0.005, 0.015, 1000.0)] == [10014] * 3
    assert market.buy(100.0).retcode == 10019
    assert market.mt5.positions_get() == ()


def test_case_8_a_limit_order_is_placed_and_removed(market: Market) -> None:
    placed = market.wait(c.ORDER_TYPE_BUY_LIMIT, 1.09)
    assert placed.retcode == 10009
    assert [row.state for row in market.mt5.orders_get()] == [1]
    assert market.mt5.positions_get() == ()
    assert market.send(action=c.TRADE_ACTION_REMOVE, order=placed.order).retcode == 10009
    assert market.mt5.orders_get() == ()
    assert [row.state for row in market.mt5.history_orders_get(ticket=placed.order)] == [2]


def test_case_9_margin_and_profit(market: Market) -> None:
    assert market.mt5.order_calc_margin(0, "EURUSD", 0.1, 1.1001) == pytest.approx(110.01)
    assert market.mt5.order_calc_profit(0, "EURUSD", 0.1, 1.10, 1.101) == pytest.approx(10.0)


@pytest.mark.parametrize(("when", "found"), [("before", 0), ("after", 1)])
def test_case_10_a_pipe_that_dies_leaves_the_order_unknown_and_it_is_never_sent_again(
    market: Market, when: Any, found: int
) -> None:
    port = open_terminal(market.mt5)
    port.connect()
    market.mt5.fail_next("pipe_dies", when=when)
    answer = port.send(OrderRequest("c-1", "EURUSD", "buy", 10, magic=5))
    assert isinstance(answer, Unknown)
    assert answer.code == (-10001 if when == "before" else -10002)
    assert market.mt5.account_info() is None
    assert market.mt5.last_error()[0] == -10004
    port.connect()
    assert len([each for each in port.deals_since(0) if each.magic == 5]) == found


CALLS: dict[str, tuple[Any, ...]] = {
    "symbol_info": ("EURUSD",),
    "symbol_info_tick": ("EURUSD",),
    "symbol_select": ("EURUSD", True),
    "market_book_add": ("EURUSD",),
    "market_book_get": ("EURUSD",),
    "market_book_release": ("EURUSD",),
    "copy_rates_from": ("EURUSD", 1, 1_500_000_000, 5),
    "copy_rates_from_pos": ("EURUSD", 1, 0, 5),
    "copy_rates_range": ("EURUSD", 1, 1, 1_500_000_000),
    "copy_ticks_from": ("EURUSD", 1, 5, -1),
    "copy_ticks_range": ("EURUSD", 1, 1_500_000_000, -1),
    "order_calc_margin": (0, "EURUSD", 0.1, 1.1),
    "order_calc_profit": (0, "EURUSD", 0.1, 1.1, 1.2),
    "history_orders_total": (1, 1_500_000_000),
    "history_deals_total": (1, 1_500_000_000),
    "history_orders_get": (1, 1_500_000_000),
    "history_deals_get": (1, 1_500_000_000),
    "login": (1001, "pw", "Paper-Demo"),
}


def test_every_function_is_there_and_answers(market: Market) -> None:
    assert len(api.FUNCTIONS) == 32
    assert market.mt5.market_book_add("EURUSD")
    for name in api.FUNCTIONS:
        answer = getattr(market.mt5, name)(*CALLS.get(name, ()))
        assert answer is not None, name
        assert market.mt5.last_error() == (1, "Success"), name
        if name == "shutdown":
            assert market.mt5.initialize()


@pytest.mark.parametrize("name", [n for n, kind in api.FUNCTIONS.items() if "no-args" in kind])
def test_a_function_without_arguments_takes_none(market: Market, name: str) -> None:
    with pytest.raises(TypeError):
        getattr(market.mt5, name)(1)
    with pytest.raises(TypeError):
        getattr(market.mt5, name)(x=1)


@pytest.mark.parametrize("name", [n for n, kind in api.FUNCTIONS.items() if "only" in kind])
def test_a_positional_function_takes_no_keyword_and_counts_its_arguments(
    market: Market, name: str
) -> None:
    with pytest.raises(TypeError):
        getattr(market.mt5, name)(symbol="EURUSD")
    for given in ((), (*CALLS[name], 1, 1)):
        assert not getattr(market.mt5, name)(*given)
        assert market.mt5.last_error()[0] == -2, name


@pytest.mark.parametrize("name", ["positions_get", "orders_get", "symbols_get"])
def test_a_filter_is_a_keyword(market: Market, name: str) -> None:
    for given, filters in ((("EURUSD",), {}), ((), {"nothing": 1})):
        assert getattr(market.mt5, name)(*given, **filters) is None
        assert market.mt5.last_error()[0] == -2
    assert getattr(market.mt5, name)(group="GBP*") == ()
    assert market.mt5.last_error() == (1, "Success")


def test_every_constant_has_its_value(market: Market) -> None:
    assert len(api.CONSTANTS) == 223
    for name, value in api.CONSTANTS.items():
        assert getattr(market.mt5, name) == value


def test_every_struct_has_its_fields_in_order_and_of_their_types(market: Market) -> None:
    mt5 = market.mt5
    market.buy(0.1, sl=1.09)
    market.wait(c.ORDER_TYPE_BUY_LIMIT, 1.09)
    mt5.market_book_add("EURUSD")
    rows = [
        mt5.symbol_info_tick("EURUSD"), mt5.account_info(), mt5.symbol_info("EURUSD"),
        mt5.terminal_info(), mt5.orders_get()[0], mt5.positions_get()[0],
        mt5.history_deals_get(1, 2**31 - 1)[-1], mt5.market_book_get("EURUSD")[0],
        market.buy(), mt5.order_check(action=1), market.buy().request,
    ]  # fmt: skip
    assert {type(row).__name__ for row in rows} == set(api.STRUCTS)
    kinds: dict[str, Any] = {"int": int, "float": float, "bool": bool, "str": str}
    for row in rows:
        fields = api.STRUCTS[type(row).__name__]
        assert list(row._asdict()) == list(fields)
        assert not hasattr(row, "_fields")
        for (name, kind), value in zip(fields.items(), row, strict=True):
            assert kind == "obj" or type(value) is kinds[kind], name
            assert getattr(row, name) == value


def test_tables_have_their_packed_layout(market: Market) -> None:
    ticks = market.mt5.copy_ticks_from("EURUSD", 1, 10, c.COPY_TICKS_ALL)
    rates = market.mt5.copy_rates_from_pos("EURUSD", c.TIMEFRAME_M1, 0, 10)
    assert ticks.dtype == np.dtype(api.TICKS_DTYPE)
    assert rates.dtype == np.dtype(api.RATES_DTYPE)
    assert ticks.itemsize == rates.itemsize == 60


def test_the_specification_shows_up_as_the_modules_fields(market: Market) -> None:
    symbol, account = market.mt5.symbol_info("EURUSD"), market.mt5.account_info()
    for name, value in EURUSD.items():
        assert getattr(symbol, name) == value, name
    for name, value in ACCOUNT.items():
        assert name == "password" or getattr(account, name) == value, name
    assert (symbol.point, symbol.spread, symbol.trade_tick_value) == (0.00001, 10, 1.0)
    assert (account.equity, account.margin_free, account.margin_level) == (10_000.0, 10_000.0, 0.0)


def test_who_initializes_must_be_who_the_account_is(market: Market) -> None:
    mt5 = market.mt5
    assert mt5.initialize() is True
    for wrong in ({"password": "no"}, {"server": "Other"}, {"login": 1}):
        given = {"login": 1001, "password": "pw", "server": "Paper-Demo"} | wrong
        assert mt5.initialize(**given) is False
        assert mt5.last_error()[0] == -6
        assert mt5.account_info() is None
    assert mt5.initialize(login=1001) is True, "the terminal has saved the password"
    for bad in ({"timeout": 1.5}, {"password": 1}, {"unheard": 1}, {"path": 5}):
        assert mt5.initialize(**bad) is False
        assert mt5.last_error()[0] == -2
    assert mt5.initialize("C:\\nowhere\\terminal64.exe") is False
    assert mt5.last_error()[0] == -10003
    folder = AccountSpec(**ACCOUNT).path
    assert mt5.initialize(folder, login=1001, password="pw", server="Paper-Demo", timeout=5) is True


def test_a_request_of_numbers_that_are_none_is_refused_not_crashed_on(market: Market) -> None:
    for field, code in (("volume", 10014), ("sl", 10016), ("tp", 10016)):
        for value in (float("nan"), float("inf"), -float("inf"), 1e300):
            assert market.buy(**{"volume": 0.1} | {field: value}).retcode == code
    assert market.wait(c.ORDER_TYPE_BUY_LIMIT, float("nan")).retcode == 10015
    assert market.mt5.order_send({"magic": 2**64}) is None
    assert market.mt5.order_send({"comment": "\ud800"}) is None
    assert market.mt5.order_calc_profit(0, "EURUSD", 0.1, float("nan"), 1.1) is None
    assert market.mt5.history_deals_get(float("nan"), 5) is None
    assert market.mt5.last_error()[0] == -2


def test_the_market_book_has_a_price_a_side_while_it_is_subscribed_to(market: Market) -> None:
    mt5 = market.mt5
    assert mt5.market_book_get("EURUSD") is None
    assert mt5.last_error()[0] == -1
    assert mt5.market_book_add("EURUSD") is True
    seller, buyer = mt5.market_book_get("EURUSD")
    assert (seller.type, seller.price) == (c.BOOK_TYPE_SELL, 1.1001)
    assert (buyer.type, buyer.price, buyer.volume_dbl) == (c.BOOK_TYPE_BUY, 1.1, 100.0)
    assert mt5.market_book_release("EURUSD") is True
    assert mt5.market_book_release("EURUSD") is False


def test_history_is_by_date_by_ticket_or_by_position(market: Market) -> None:
    first, second = market.buy(), market.sell()
    mt5, now = market.mt5, market.time_msc // 1000
    assert market.time_msc == OPEN_MSC + 1_000
    assert len(mt5.history_deals_get(now, now)) == 2
    assert mt5.history_deals_total(now, now) == 2
    assert mt5.history_deals_get(now, now, group="GBP*") == ()
    assert [row.ticket for row in mt5.history_deals_get(ticket=first.deal)] == [first.deal]
    assert [row.ticket for row in mt5.history_deals_get(position=second.order)] == [second.deal]
    assert [row.ticket for row in mt5.history_orders_get(position=second.order)] == [second.order]
    assert mt5.history_deals_get(now) is None
    assert mt5.last_error()[0] == -2
