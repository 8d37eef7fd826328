"""What every MetaTrader5 module must do, real or simulated: calls, errors, orders, retcodes."""

import pickle
from typing import Any

import numpy as np
import pytest

from edge_bridge.adapters import api
from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper import structs
from edge_bridge.adapters.paper.simulated import SimulatedTerminal
from tests.edge_bridge.adapters.terminals import (
    ACCOUNT,
    EURUSD,
    START_NS,
    closing,
    deal,
    make_terminal,
    move_price,
    pending,
)


@pytest.fixture
def module() -> SimulatedTerminal:
    return make_terminal()


def test_nothing_answers_before_initialize() -> None:
    module = SimulatedTerminal(ACCOUNT, [EURUSD])
    assert module.account_info() is None
    assert module.last_error()[0] == -10004
    assert module.positions_get() is None
    assert module.symbol_select("EURUSD", True) is False


def test_shutdown_can_be_repeated_and_leaves_no_version(module: SimulatedTerminal) -> None:
    assert module.version()[0] == 500
    assert module.shutdown() is True
    assert module.shutdown() is True
    assert module.version() == (0, 0, "")
    assert module.last_error() == (1, "Success")


def test_a_login_that_is_no_int_is_refused(module: SimulatedTerminal) -> None:
    assert module.login("1") is False
    assert module.last_error()[0] == -2


def test_a_failed_initialize_closes_the_pipe_but_a_failed_login_does_not(
    module: SimulatedTerminal,
) -> None:
    assert module.login(1, "x", "y") is False
    assert module.last_error()[0] == -6
    assert module.account_info() is not None
    assert module.initialize(ACCOUNT.path, login=1, password="x", server="y") is False
    assert module.account_info() is None
    assert module.initialize("C:\\Other\\terminal64.exe") is False
    assert module.last_error()[0] == -10003
    assert module.initialize() is True


def test_an_unknown_symbol_is_an_error(module: SimulatedTerminal) -> None:
    assert module.symbol_info("NOPE") is None
    assert module.last_error()[0] in (-1, -4)
    assert module.symbol_info("X" * 30) is None
    assert module.last_error()[0] == -2
    assert module.symbol_info("EURUSD") is not None
    assert module.last_error() == (1, "Success")


def test_an_unselected_symbol_has_no_ticks(module: SimulatedTerminal) -> None:
    assert module.symbol_select("EURUSD", False) is True
    assert module.symbol_info_tick("EURUSD") is None
    assert module.symbol_select("EURUSD", True) is True
    tick: Any = module.symbol_info_tick("EURUSD")
    assert (tick.bid, tick.ask, tick.time) == (1.1, 1.1001, START_NS // 10**9 + 3 * 3600)


@pytest.mark.parametrize(
    ("field", "value", "accepted"),
    [
        ("volume", 1, False),
        ("volume", 1.0, True),
        ("volume", np.float64(1.0), True),
        ("volume", np.float32(1.0), False),
        ("sl", 1, False),
        ("magic", np.int64(1), False),
        ("magic", 1.0, False),
        ("comment", "x" * 30, False),
        ("comment", "x" * 29, True),
        ("comment", "\N{ROCKET}" * 15, False),
        ("comment", "\N{ROCKET}" * 14, True),
        ("not_a_field", object(), True),
    ],
)
def test_argument_types_are_strict(
    module: SimulatedTerminal, field: str, value: object, accepted: bool
) -> None:
    result: Any = module.order_send(deal() | {field: value})
    if accepted:
        assert result.retcode == 10009
    else:
        assert result is None
        assert module.last_error()[0] == -2
        assert module.positions_get() == ()


def test_a_buy_opens_a_position_under_the_orders_ticket(module: SimulatedTerminal) -> None:
    result: Any = module.order_send(deal(magic=77, comment="hello"))
    assert (result.retcode, result.volume, result.price) == (10009, 0.1, 1.1001)
    assert result.request.magic == 77
    rows: Any = module.positions_get(ticket=result.order)
    assert len(rows) == 1
    position = rows[0]
    assert (position.ticket, position.identifier) == (result.order, result.order)
    assert (position.magic, position.comment, position.price_open) == (77, "hello", 1.1001)
    assert (position.price_current, position.profit) == (1.1, -1.0)
    deals: Any = module.history_deals_get(position=position.identifier)
    assert [(row.entry, row.ticket) for row in deals] == [(c.DEAL_ENTRY_IN, result.deal)]
    assert module.history_deals_get(ticket=result.deal) == deals
    orders: Any = module.history_orders_get(ticket=result.order)
    assert [row.state for row in orders] == [c.ORDER_STATE_FILLED]


def test_each_deal_without_position_opens_another_one(module: SimulatedTerminal) -> None:
    module.order_send(deal())
    module.order_send(deal(c.ORDER_TYPE_SELL))
    assert module.positions_total() == 2


def test_order_send_takes_keywords_and_sends_zeros_for_a_request_keyword(
    module: SimulatedTerminal,
) -> None:
    result: Any = module.order_send(**deal())
    assert result.retcode == 10009
    silent: Any = module.order_send(request=deal())
    assert silent.retcode == 10013
    assert silent.request.volume == 0.0
    assert module.positions_total() == 1


@pytest.mark.parametrize(
    ("fields", "retcode"),
    [
        ({"type_filling": c.ORDER_FILLING_FOK}, 10030),
        ({"type_filling": c.ORDER_FILLING_RETURN}, 10030),
        ({"volume": 0.005}, 10014),
        ({"volume": 0.015}, 10014),
        ({"volume": 0.0}, 10014),
        ({"volume": -0.1}, 10014),
        ({"volume": 1000.0}, 10014),
        ({"volume": 100.0}, 10019),
        ({"sl": 1.09991}, 10016),
        ({"sl": 1.0999}, 10009),
        ({"tp": 1.10009}, 10016),
        ({"tp": 1.1001}, 10009),
        ({"sl": 1.2}, 10016),
        ({"sl": 1.095005}, 10016),
        ({"type": c.ORDER_TYPE_SELL, "sl": 1.10019}, 10016),
        ({"type": c.ORDER_TYPE_SELL, "sl": 1.1002}, 10009),
        ({"type": c.ORDER_TYPE_SELL, "tp": 1.10001}, 10016),
        ({"type": c.ORDER_TYPE_SELL, "tp": 1.1}, 10009),
        ({"position": 1}, 10036),
        ({"symbol": "NOPE"}, 10013),
        ({"action": 99}, 10013),
    ],
)
def test_the_server_refuses_with_its_retcode(
    module: SimulatedTerminal, fields: dict[str, Any], retcode: int
) -> None:
    result: Any = module.order_send(deal() | fields)
    assert result.retcode == retcode
    assert module.positions_total() == (1 if retcode == 10009 else 0)
    assert module.history_deals_total(1, 2**31 - 1) == (2 if retcode == 10009 else 1)


def test_a_removed_limit_order_is_history(module: SimulatedTerminal) -> None:
    result: Any = module.order_send(pending(c.ORDER_TYPE_BUY_LIMIT, 1.09))
    assert (result.retcode, result.deal) == (10009, 0)
    orders: Any = module.orders_get()
    assert [row.state for row in orders] == [c.ORDER_STATE_PLACED]
    assert module.positions_get() == ()
    removed: Any = module.order_send(action=c.TRADE_ACTION_REMOVE, order=result.order)
    assert removed.retcode == 10009
    assert module.orders_get() == ()
    history: Any = module.history_orders_get(ticket=result.order)
    assert [row.state for row in history] == [c.ORDER_STATE_CANCELED]
    again: Any = module.order_send(action=c.TRADE_ACTION_REMOVE, order=result.order)
    assert again.retcode == 10035


def test_margin_and_profit_are_calculated_as_the_server_does(module: SimulatedTerminal) -> None:
    assert module.order_calc_margin(c.ORDER_TYPE_BUY, "EURUSD", 0.1, 1.1001) == 110.01
    assert module.order_calc_profit(c.ORDER_TYPE_BUY, "EURUSD", 0.1, 1.10, 1.101) == 10.0
    assert module.order_calc_profit(c.ORDER_TYPE_SELL, "EURUSD", 0.1, 1.10, 1.101) == -10.0
    assert module.order_calc_margin(c.ORDER_TYPE_BUY, "EURUSD", 1, 1.1) is None
    assert module.last_error()[0] == -2
    assert module.order_calc_margin(c.ORDER_TYPE_BUY, "NOPE", 1.0, 1.1) is None


@pytest.mark.parametrize(
    ("when", "code", "positions"), [("before", -10001, 0), ("after", -10002, 1)]
)
def test_a_pipe_that_dies_during_a_send_answers_nothing(
    module: SimulatedTerminal, when: Any, code: int, positions: int
) -> None:
    module.faults.kill_pipe_next(when)
    assert module.order_send(deal(magic=5)) is None
    assert module.last_error()[0] == code
    assert module.positions_get() is None
    assert module.last_error()[0] == -10004
    assert module.initialize()
    assert module.positions_total() == positions


def test_order_check_tells_the_account_after_the_order(module: SimulatedTerminal) -> None:
    result: Any = module.order_check(deal())
    assert (result.retcode, result.margin, result.margin_free) == (0, 110.01, 9889.99)
    refused: Any = module.order_check(deal(volume=0.005))
    assert refused.retcode == 10014
    assert module.positions_get() == ()


def test_filters_follow_their_precedence(module: SimulatedTerminal) -> None:
    first: Any = module.order_send(deal())
    module.order_send(deal())
    chosen: Any = module.positions_get(ticket=first.order, symbol="NOPE")
    assert [row.ticket for row in chosen] == [first.order]
    assert module.positions_get(symbol="GBPUSD") == ()
    for group, count in (("EUR*", 2), ("*,!EURUSD", 0), ("!EURUSD", 0), ("eur*", 0), ("*USD", 2)):
        found = module.positions_get(group=group)
        assert found is not None
        assert len(found) == count, group
    assert module.positions_get(ticket=np.int64(1)) is None


def test_history_by_date_takes_seconds_and_leaves_a_zero_date_undefined(
    module: SimulatedTerminal,
) -> None:
    module.order_send(deal())
    now = START_NS // 10**9 + 3 * 3600
    assert module.history_deals_total(now, now) == 1
    assert module.history_deals_total(now + 1, now + 2) == 0
    assert module.history_deals_get(0, now) == ()
    assert module.history_deals_get(1, 2**31) is None
    assert module.history_deals_get() is None


def test_results_are_structs_without_fields_or_pickle(module: SimulatedTerminal) -> None:
    info: Any = module.account_info()
    assert list(info._asdict()) == list(api.STRUCTS["AccountInfo"])
    assert not hasattr(info, "_fields")
    with pytest.raises(TypeError):
        pickle.dumps(info)


def test_structs_and_constants_are_those_of_the_module(module: SimulatedTerminal) -> None:
    module.order_send(deal())
    kinds = {"int": int, "float": float, "bool": bool, "str": str}
    rows: list[Any] = [
        module.account_info(),
        module.terminal_info(),
        module.symbol_info("EURUSD"),
        module.symbol_info_tick("EURUSD"),
        *(module.positions_get() or ()),
        *(module.history_deals_get(1, 2**31 - 1) or ()),
        *(module.history_orders_get(1, 2**31 - 1) or ()),
        module.order_send(deal()),
        module.order_check(deal()),
    ]
    for row in rows:
        for (field, kind), value in zip(api.STRUCTS[type(row).__name__].items(), row, strict=True):
            assert kind == "obj" or type(value) is kinds[kind], f"{type(row).__name__}.{field}"
    assert module.TRADE_RETCODE_DONE == 10009  # type: ignore[attr-defined]
    assert len(api.CONSTANTS) == 223


def test_the_adapters_constants_have_the_modules_values() -> None:
    prefixes = ("", "TRADE_RETCODE_", "RES_", "DEAL_", "ORDER_")
    extra = {"SYMBOL_FILLING_FOK", "SYMBOL_FILLING_IOC"}  # not in the module
    for name, value in vars(c).items():
        if name.isupper() and name not in extra:
            known = [api.CONSTANTS[p + name] for p in prefixes if p + name in api.CONSTANTS]
            assert known[:1] == [value], name


def test_a_struct_has_exactly_its_fields() -> None:
    assert structs.Tick.names == tuple(api.STRUCTS["Tick"])


def test_a_close_is_a_deal_the_other_way_on_the_position(module: SimulatedTerminal) -> None:
    module.order_send(deal(magic=9))
    position: Any = (module.positions_get() or ())[0]
    wrong_side: Any = module.order_send(closing(position) | {"type": position.type})
    assert wrong_side.retcode == 10013
    too_much: Any = module.order_send(closing(position, 0.2))
    assert too_much.retcode == 10038
    move_price(module, 110_100)
    part: Any = module.order_send(closing(position, 0.04))
    assert part.retcode == 10009
    rest: Any = (module.positions_get() or ())[0]
    assert (rest.volume, rest.ticket) == (0.06, position.ticket)
    module.order_send(closing(rest))
    gone: Any = module.order_send(closing(rest))
    assert gone.retcode == 10036
    deals: Any = module.history_deals_get(position=position.identifier)
    assert [(row.entry, row.volume, row.profit) for row in deals] == [
        (c.DEAL_ENTRY_IN, 0.1, 0.0),
        (c.DEAL_ENTRY_OUT, 0.04, 3.6),
        (c.DEAL_ENTRY_OUT, 0.06, 5.4),
    ]
