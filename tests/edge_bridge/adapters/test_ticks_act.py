"""What ticks do to open positions and waiting orders."""

from dataclasses import replace
from typing import Any

import pytest

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper.simulated import SimulatedTerminal
from edge_bridge.adapters.paper.swap import count_nights
from edge_bridge.ports import SymbolUnknown
from tests.edge_bridge.adapters.terminals import (
    ACCOUNT,
    EURUSD,
    SECOND_NS,
    START_NS,
    USDJPY,
    closing,
    deal,
    list_deals,
    list_open,
    make_terminal,
    move_price,
    pending,
    send,
)

DAY_NS = 86_400 * SECOND_NS


def last_deal(terminal: SimulatedTerminal) -> Any:
    return (terminal.history_deals_get(1, 2**31 - 1) or ())[-1]


def test_a_buys_stop_is_hit_by_the_bid_and_a_gap_fills_at_the_ticks_price() -> None:
    terminal = make_terminal()
    terminal.order_send(deal(sl=1.09, tp=1.11))
    move_price(terminal, 109_001, 109_011)
    assert terminal.positions_total() == 1
    move_price(terminal, 108_500)
    closed = last_deal(terminal)
    assert (closed.reason, closed.price, closed.entry) == (c.REASON_SL, 1.085, c.DEAL_ENTRY_OUT)
    assert closed.comment == "[sl 1.09000]"
    assert closed.profit == -151.0
    assert terminal.positions_total() == 0


def test_a_sells_stop_and_target_are_hit_by_the_ask() -> None:
    terminal = make_terminal()
    terminal.order_send(deal(c.ORDER_TYPE_SELL, sl=1.101, tp=1.099))
    move_price(terminal, 100_000 - 1_110, 98_900)
    assert last_deal(terminal).reason == c.REASON_TP
    terminal.order_send(deal(c.ORDER_TYPE_SELL, sl=1.0))
    move_price(terminal, 99_980, 99_999)
    assert terminal.positions_total() == 1
    move_price(terminal, 99_980, 100_000)
    assert last_deal(terminal).reason == c.REASON_SL


def test_a_position_is_closed_once_when_many_ticks_are_past_its_stop() -> None:
    terminal = make_terminal()
    terminal.order_send(deal(sl=1.09))
    for bid in range(108_900, 108_000, -100):
        move_price(terminal, bid)
    assert len(list_deals(terminal)) == 3  # deposit, in, out


def test_an_old_or_repeated_tick_changes_nothing() -> None:
    terminal = make_terminal()
    terminal.order_send(deal(sl=1.09))
    move_price(terminal, 105_000, seq=0)
    assert terminal.positions_total() == 1
    tick: Any = terminal.symbol_info_tick("EURUSD")
    assert tick.bid == 1.1
    with pytest.raises(SymbolUnknown):
        terminal.feed_tick(1, START_NS, 1, 2, "NOPE")


@pytest.mark.parametrize(
    ("kind", "price", "bid", "filled_at"),
    [
        (c.ORDER_TYPE_BUY_LIMIT, 1.095, 109_480, 1.0949),
        (c.ORDER_TYPE_SELL_LIMIT, 1.105, 110_520, 1.1052),
        (c.ORDER_TYPE_BUY_STOP, 1.105, 110_500, 1.1051),
        (c.ORDER_TYPE_SELL_STOP, 1.095, 109_450, 1.0945),
    ],
)
def test_a_waiting_order_fills_at_the_price_of_the_tick_that_reaches_it(
    kind: int, price: float, bid: int, filled_at: float
) -> None:
    terminal = make_terminal()
    placed: Any = terminal.order_send(pending(kind, price, magic=4))
    assert placed.retcode == 10009
    move_price(terminal, 110_001)
    assert terminal.positions_total() == 0
    move_price(terminal, bid)
    (position,) = list_open(terminal)
    assert (position.price_open, position.magic) == (filled_at, 4)
    assert position.ticket == placed.order
    assert terminal.orders_total() == 0


@pytest.mark.parametrize(
    ("kind", "price"),
    [
        (c.ORDER_TYPE_BUY_LIMIT, 1.10001),
        (c.ORDER_TYPE_SELL_LIMIT, 1.10009),
        (c.ORDER_TYPE_BUY_STOP, 1.10019),
        (c.ORDER_TYPE_SELL_STOP, 1.09991),
        (c.ORDER_TYPE_BUY_LIMIT, 0.0),
    ],
)
def test_a_waiting_order_too_near_or_on_the_wrong_side_is_refused(kind: int, price: float) -> None:
    result: Any = make_terminal().order_send(pending(kind, price))
    assert result.retcode == 10015


def test_a_waiting_order_without_money_is_rejected_when_it_is_reached() -> None:
    terminal = make_terminal()
    placed: Any = terminal.order_send(pending(c.ORDER_TYPE_BUY_STOP, 1.105, volume=50.0))
    move_price(terminal, 110_600)
    assert terminal.positions_total() == 0
    history: Any = terminal.history_orders_get(ticket=placed.order)
    assert [row.state for row in history] == [c.ORDER_STATE_REJECTED]


def test_orders_expire_on_the_brokers_clock() -> None:
    terminal = make_terminal()
    now = START_NS // SECOND_NS + 3 * 3600
    past: Any = terminal.order_send(
        pending(c.ORDER_TYPE_BUY_LIMIT, 1.0, type_time=c.ORDER_TIME_SPECIFIED, expiration=now)
    )
    assert past.retcode == 10022
    soon: Any = terminal.order_send(
        pending(c.ORDER_TYPE_BUY_LIMIT, 1.0, type_time=c.ORDER_TIME_SPECIFIED, expiration=now + 60)
    )
    today: Any = terminal.order_send(
        pending(c.ORDER_TYPE_BUY_LIMIT, 1.0, type_time=c.ORDER_TIME_DAY)
    )
    move_price(terminal, 110_000, time_ns=START_NS + 59 * SECOND_NS)
    assert terminal.orders_total() == 2
    move_price(terminal, 110_000, time_ns=START_NS + 60 * SECOND_NS)
    active: Any = terminal.orders_get()
    assert [row.ticket for row in active] == [today.order]
    move_price(terminal, 110_000, time_ns=START_NS + 21 * 3600 * SECOND_NS)
    assert terminal.orders_total() == 0
    history: Any = terminal.history_orders_get(ticket=soon.order)
    assert [row.state for row in history] == [c.ORDER_STATE_EXPIRED]


def test_a_waiting_order_can_be_modified() -> None:
    terminal = make_terminal()
    placed: Any = terminal.order_send(pending(c.ORDER_TYPE_BUY_LIMIT, 1.09))
    change = {"action": c.TRADE_ACTION_MODIFY, "order": placed.order}
    same: Any = send(terminal, change | {"price": 1.09})
    assert same.retcode == 10025
    moved: Any = send(terminal, change | {"price": 1.095, "sl": 1.08})
    assert moved.retcode == 10009
    active: Any = terminal.orders_get()
    (order,) = active
    assert (order.price_open, order.sl) == (1.095, 1.08)


def test_stops_can_be_moved_and_keep_their_distance() -> None:
    terminal = make_terminal()
    sent: Any = terminal.order_send(deal(sl=1.09))
    change = {"action": c.TRADE_ACTION_SLTP, "position": sent.order, "symbol": "EURUSD"}
    assert send(terminal, change | {"sl": 1.09}).retcode == 10025
    assert send(terminal, change | {"sl": 1.09995}).retcode == 10016
    assert send(terminal, change | {"sl": 1.095}).retcode == 10009
    assert send(terminal, change | {"position": 1}).retcode == 10036
    move_price(terminal, 109_500)
    assert last_deal(terminal).reason == c.REASON_SL


def test_two_opposite_positions_close_by_each_other_without_spread() -> None:
    terminal = make_terminal()
    buy: Any = terminal.order_send(deal(volume=0.3))
    sell: Any = terminal.order_send(deal(c.ORDER_TYPE_SELL, volume=0.1))
    result: Any = terminal.order_send(
        action=c.TRADE_ACTION_CLOSE_BY, position=buy.order, position_by=sell.order
    )
    assert result.retcode == 10009
    out: Any = (terminal.history_deals_get(1, 2**31 - 1) or ())[-2:]
    assert [row.entry for row in out] == [c.DEAL_ENTRY_OUT_BY] * 2
    assert sum(row.profit for row in out) == -1.0
    (rest,) = list_open(terminal)
    assert (rest.ticket, rest.volume) == (buy.order, 0.2)


def test_the_worst_position_is_stopped_out_when_equity_falls_below_half_the_margin() -> None:
    terminal = make_terminal()
    large: Any = terminal.order_send(deal(volume=5.0))
    small: Any = terminal.order_send(deal(volume=1.0))
    # margin 6600.60; half of it is left of 10000 after a fall of 1116 points
    move_price(terminal, 110_010 - 1_116)
    assert terminal.positions_total() == 2
    move_price(terminal, 110_010 - 1_117)
    assert [row.ticket for row in list_open(terminal)] == [small.order]
    closed = last_deal(terminal)
    assert (closed.reason, closed.position_id) == (c.REASON_SO, large.order)
    assert closed.comment.startswith("[so 50.0%/")


def test_losses_in_two_symbols_together_are_stopped_out_at_the_tick_that_makes_them() -> None:
    terminal = make_terminal(symbols=(EURUSD, replace(EURUSD, name="GBPUSD", currency_base="GBP")))
    move_price(terminal, 110_000, symbol="GBPUSD")
    for symbol in ("EURUSD", "GBPUSD"):
        send(terminal, deal(volume=3.0) | {"symbol": symbol})
    for fall in range(10, 1_200, 10):
        for symbol in ("EURUSD", "GBPUSD"):
            move_price(terminal, 110_000 - fall, symbol=symbol)
            account: Any = terminal.account_info()
            assert account.margin_level >= 50
    assert terminal.positions_total() == 1
    assert last_deal(terminal).reason == c.REASON_SO


def test_hedged_lots_bind_margin_once() -> None:
    terminal = make_terminal(symbols=(replace(EURUSD, margin_hedged=0),))
    terminal.order_send(deal(volume=1.0))
    terminal.order_send(deal(c.ORDER_TYPE_SELL, volume=1.0))
    info: Any = terminal.account_info()
    assert info.margin == 0.0
    full = make_terminal()
    full.order_send(deal(volume=1.0))
    full.order_send(deal(c.ORDER_TYPE_SELL, volume=3.0))
    info = full.account_info()
    assert info.margin == pytest.approx(2 * 1100.0 + 1100.025, abs=0.01)


def test_swap_is_charged_each_night_threefold_on_wednesday_and_paid_with_the_close() -> None:
    terminal = make_terminal(swap_long=-7, swap_short=2)  # from Thursday on
    terminal.order_send(deal(volume=1.0))
    terminal.order_send(deal(c.ORDER_TYPE_SELL, volume=1.0))
    move_price(terminal, 110_000, time_ns=START_NS + 20 * 3600 * SECOND_NS)
    assert [row.swap for row in list_open(terminal)] == [0.0, 0.0]
    move_price(terminal, 110_000, time_ns=START_NS + DAY_NS)
    assert [row.swap for row in list_open(terminal)] == [-7.0, 2.0]
    move_price(terminal, 110_000, time_ns=START_NS + 7 * DAY_NS)
    long, _ = list_open(terminal)
    assert long.swap == -49.0
    terminal.order_send(closing(long, 0.5))
    assert last_deal(terminal).swap == -24.5
    terminal.order_send(closing(long, 0.5))
    assert last_deal(terminal).swap == -24.5


def test_no_night_is_charged_from_before_the_position_was_opened() -> None:
    terminal = make_terminal(symbols=(EURUSD, USDJPY), swap_long=-7)
    move_price(terminal, 102_000, symbol="USDJPY", time_ns=START_NS + DAY_NS)
    send(terminal, deal(volume=1.0))  # the last EURUSD tick is of the day before
    move_price(terminal, 110_000, time_ns=START_NS + DAY_NS + SECOND_NS)
    assert [row.swap for row in list_open(terminal)] == [0.0]
    move_price(terminal, 110_000, time_ns=START_NS + DAY_NS + 20 * 3600 * SECOND_NS)
    move_price(terminal, 110_000, time_ns=START_NS + DAY_NS + 22 * 3600 * SECOND_NS)
    assert [row.swap for row in list_open(terminal)] == [-7.0]


def test_a_week_has_seven_nights_wherever_it_begins() -> None:
    thursday = 0  # 1970-01-01
    assert [count_nights(day, day + 1, 3) for day in range(thursday, 7)] == [1, 1, 0, 0, 1, 1, 3]
    assert {count_nights(day, day + 7, 3) for day in range(7)} == {7}
    assert count_nights(5, 5, 3) == count_nights(6, 5, 3) == 0


def test_commission_is_on_deals_both_ways() -> None:
    terminal = make_terminal(commission_per_lot=350)
    sent: Any = terminal.order_send(deal())
    (position,) = list_open(terminal)
    terminal.order_send(closing(position))
    deals: Any = terminal.history_deals_get(position=sent.order)
    assert [row.commission for row in deals] == [-0.35, -0.35]
    info: Any = terminal.account_info()
    assert info.balance == 10_000 - 1 - 0.70


def test_profit_in_another_currency_is_converted_at_the_closing_price() -> None:
    terminal = make_terminal(symbols=(EURUSD, USDJPY))
    move_price(terminal, 100_000, symbol="USDJPY")
    terminal.order_send(deal() | {"symbol": "USDJPY"})
    (position,) = list_open(terminal)
    info: Any = terminal.account_info()
    assert info.margin == 100.0
    move_price(terminal, 102_000, symbol="USDJPY")
    terminal.order_send(closing(position) | {"symbol": "USDJPY"})
    assert last_deal(terminal).profit == round(1_990 * 10 * 100 / 102_000 * 10, 2)


def test_a_currency_without_any_rate_cannot_be_traded() -> None:
    cross = replace(EURUSD, name="EURCHF", currency_profit="CHF")
    terminal = make_terminal(symbols=(EURUSD, cross))
    move_price(terminal, 120_000, symbol="EURCHF")
    result: Any = terminal.order_send(deal() | {"symbol": "EURCHF"})
    assert result.retcode == 10021
    assert terminal.order_calc_profit(0, "EURCHF", 0.1, 1.2, 1.3) is None
    assert terminal.last_error()[0] == -1


def test_a_closed_market_trades_nothing_until_it_opens_again() -> None:
    terminal = make_terminal()
    terminal.order_send(deal(sl=1.09))
    terminal.open_market("EURUSD", is_open=False)
    move_price(terminal, 108_000)
    refused: Any = terminal.order_send(deal())
    assert (refused.retcode, terminal.positions_total()) == (10018, 1)
    terminal.open_market("EURUSD")
    move_price(terminal, 107_900)
    assert terminal.positions_total() == 0


@pytest.mark.parametrize(
    ("rules", "side", "retcode"),
    [
        ({"trade_mode": c.SYMBOL_TRADE_MODE_DISABLED}, 0, 10017),
        ({"trade_mode": c.SYMBOL_TRADE_MODE_CLOSEONLY}, 0, 10044),
        ({"trade_mode": c.SYMBOL_TRADE_MODE_LONGONLY}, 1, 10042),
        ({"trade_mode": c.SYMBOL_TRADE_MODE_LONGONLY}, 0, 10009),
        ({"trade_mode": c.SYMBOL_TRADE_MODE_SHORTONLY}, 0, 10043),
        ({"volume_limit": 9}, 0, 10034),
        ({"filling_mode": c.SYMBOL_FILLING_FOK}, 0, 10030),
        ({"execution": c.SYMBOL_TRADE_EXECUTION_INSTANT}, 0, 10030),
    ],
)
def test_a_symbols_own_rules_are_enforced(rules: dict[str, Any], side: int, retcode: int) -> None:
    result: Any = make_terminal(**rules).order_send(deal(side))
    assert result.retcode == retcode


def test_instant_execution_quotes_again_when_the_price_is_gone() -> None:
    terminal = make_terminal(execution=c.SYMBOL_TRADE_EXECUTION_INSTANT)
    order = deal(type_filling=c.ORDER_FILLING_FOK, price=1.1, deviation=5)
    requote: Any = terminal.order_send(order)
    assert (requote.retcode, requote.ask) == (10004, 1.1001)
    assert send(terminal, order | {"deviation": 10}).retcode == 10009
    assert send(terminal, order | {"price": 0.0}).retcode == 10015


def test_no_trade_before_the_first_tick() -> None:
    terminal = make_terminal(quoted=False, last_bid=110_000, last_ask=110_010)
    result: Any = terminal.order_send(deal())
    assert result.retcode == 10021


def test_numbers_of_orders_and_positions_are_limited() -> None:
    terminal = make_terminal(account=replace(ACCOUNT, orders_max=1, positions_max=1))
    for expected in (10009, 10040):
        assert send(terminal, deal()).retcode == expected
    for expected in (10009, 10033):
        order = pending(c.ORDER_TYPE_BUY_LIMIT, 1.0)
        assert send(terminal, order).retcode == expected


def test_a_frozen_position_cannot_be_touched() -> None:
    terminal = make_terminal(freeze_level=20)
    sent: Any = terminal.order_send(deal(sl=1.0998))
    (position,) = list_open(terminal)
    assert send(terminal, closing(position)).retcode == 10029
    move: Any = terminal.order_send(
        action=c.TRADE_ACTION_SLTP, position=sent.order, symbol="EURUSD", sl=1.09
    )
    assert move.retcode == 10029


def test_trading_can_be_switched_off_in_the_terminal_and_by_the_server() -> None:
    terminal = make_terminal()
    terminal.terminal_trade_allowed = False
    assert send(terminal, deal()).retcode == 10027
    terminal.terminal_trade_allowed = True
    terminal.server_trade_allowed = False
    assert send(terminal, deal()).retcode == 10026


def test_faults_come_in_the_order_they_were_asked_for() -> None:
    slept: list[float] = []
    terminal = SimulatedTerminal(ACCOUNT, [EURUSD], sleep=slept.append)
    terminal.initialize()
    move_price(terminal, 110_000)
    terminal.faults.reject_next(1, 10024)
    terminal.faults.requote_next()
    terminal.faults.delay_next(0.25)
    sent: list[Any] = [terminal.order_send(deal()) for _ in range(3)]
    assert [row.retcode for row in sent] == [10024, 10004, 10009]
    assert slept == [0.25]
    terminal.faults.reject_every(3)
    again: list[Any] = [terminal.order_send(deal()) for _ in range(6)]
    assert [row.retcode for row in again] == [10009, 10009, 10006] * 2
