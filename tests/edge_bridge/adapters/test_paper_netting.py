"""Netting accounts: one position a symbol, that grows, shrinks, and turns round in one deal."""

from typing import Any

import pytest

from edge_bridge.adapters import constants as c
from tests.edge_bridge.adapters.paper_market import USDJPY, Market, open_market

NETTING: dict[str, Any] = {"margin_mode": c.ACCOUNT_MARGIN_MODE_RETAIL_NETTING}


@pytest.fixture(params=[c.ACCOUNT_MARGIN_MODE_RETAIL_NETTING, c.ACCOUNT_MARGIN_MODE_EXCHANGE])
def market(request: pytest.FixtureRequest) -> Market:
    return open_market(account={"margin_mode": request.param})


def test_a_second_deal_adds_at_the_average_price(market: Market) -> None:
    first = market.buy(0.1, magic=3, sl=1.09)
    market.tick(1.10020, 1.10030)
    second = market.buy(0.2, magic=4, tp=1.2)
    position = market.position
    assert (position.volume, position.ticket, position.identifier) == (
        0.3, first.order, first.order,
    )  # fmt: skip
    assert position.price_open == pytest.approx((1.1001 + 2 * 1.1003) / 3, abs=1e-11)
    assert (position.sl, position.tp) == (0.0, 1.2), "the last order's stops count"
    assert [(row.entry, row.position_id) for row in market.deals] == [(0, first.order)] * 2
    assert second.order != first.order
    assert position.profit == pytest.approx(
        (1.1002 - position.price_open) * 30_000, abs=0.006
    )  # fmt: skip


def test_the_other_side_reduces_and_keeps_price_and_stops(market: Market) -> None:
    opened = market.buy(0.3, sl=1.09)
    market.tick(1.10100, 1.10110)
    market.sell(0.1, sl=1.2)
    position = market.position
    assert (position.volume, position.price_open, position.sl) == (0.2, 1.1001, 1.09)
    assert (position.ticket, position.type) == (opened.order, 0)
    out = market.deals[-1]
    assert (out.entry, out.volume, out.profit) == (c.DEAL_ENTRY_OUT, 0.1, 9.0)
    market.sell(0.2)
    assert market.mt5.positions_get() == ()
    assert market.mt5.account_info().balance == 10_027.0


def test_a_reversal_is_one_deal_that_keeps_the_identifier_and_takes_the_new_ticket(
    market: Market,
) -> None:
    opened = market.buy(0.1, magic=1, sl=1.09)
    market.tick(1.10100, 1.10110)
    turned = market.sell(0.3, magic=2, tp=1.05)
    position = market.position
    assert (position.identifier, position.ticket) == (opened.order, turned.order)
    assert (position.type, position.volume, position.price_open) == (1, 0.2, 1.101)
    assert (position.sl, position.tp, position.magic) == (0.0, 1.05, 2)
    deal = market.deals[-1]
    assert (deal.entry, deal.volume, deal.profit) == (c.DEAL_ENTRY_INOUT, 0.3, 9.0)
    assert deal.position_id == opened.order
    assert market.mt5.positions_get(ticket=opened.order) == ()
    assert market.mt5.positions_get(ticket=turned.order) == (position,)
    assert len(market.mt5.history_deals_get(position=opened.order)) == 2


def test_a_turned_position_is_closed_by_its_new_ticket(market: Market) -> None:
    opened = market.buy(0.1)
    turned = market.sell(0.3)
    assert market.buy(0.2, position=opened.order).retcode == 10036
    assert market.buy(0.3, position=turned.order).retcode == 10038
    assert market.buy(0.2, position=turned.order).retcode == 10009
    assert market.mt5.positions_get() == ()


def test_a_waiting_order_turns_the_position_too(market: Market) -> None:
    opened = market.buy(0.1)
    placed = market.wait(c.ORDER_TYPE_SELL_LIMIT, 1.105, 0.25, sl=1.11)
    market.tick(1.10500, 1.10510)
    position = market.position
    assert (position.ticket, position.identifier) == (placed.order, opened.order)
    assert (position.type, position.volume, position.sl) == (1, 0.15, 1.11)
    assert market.deals[-1].entry == c.DEAL_ENTRY_INOUT
    market.tick(1.11000, 1.11010)
    assert market.mt5.positions_get() == ()
    assert market.deals[-1].reason == c.REASON_SL


def test_stops_are_moved_by_symbol_or_by_ticket(market: Market) -> None:
    opened = market.buy(0.1)
    move = {"action": c.TRADE_ACTION_SLTP, "symbol": "EURUSD"}
    assert market.send(**move, sl=1.09).retcode == 10009
    assert market.send(**move, sl=1.09).retcode == 10025
    assert market.send(**move, position=opened.order, sl=1.08).retcode == 10009
    assert market.position.sl == 1.08
    assert market.send(action=c.TRADE_ACTION_SLTP, symbol="NOPE", sl=1.0).retcode == 10036


def test_closing_by_another_position_is_for_hedging_accounts(market: Market) -> None:
    opened = market.buy(0.1)
    refused = market.send(
        action=c.TRADE_ACTION_CLOSE_BY, position=opened.order, position_by=opened.order
    )
    assert refused.retcode == 10013


def test_margin_is_that_of_what_is_left() -> None:
    market = open_market(account=NETTING)
    market.buy(8.0)
    account = market.mt5.account_info()
    assert account.margin == pytest.approx(8_800.8)
    assert market.buy(2.0).retcode == 10019
    assert market.sell(18.0).retcode == 10019, "ten sold need more than there is"
    assert market.mt5.order_check(
        action=1, symbol="EURUSD", type=1, volume=12.0, type_filling=1
    ).margin == pytest.approx(4_400.0)
    assert market.sell(12.0).retcode == 10009, "four sold need less"
    assert market.mt5.account_info().margin == pytest.approx(4_400.0)
    assert market.mt5.positions_total() == 1


def test_one_position_a_symbol_counts_against_the_limit_once() -> None:
    market = open_market(USDJPY, account=NETTING | {"limit_positions": 1})
    market.tick(100.0, 100.01, "USDJPY")
    market.buy(0.1)
    assert market.buy(0.1).retcode == 10009
    assert market.buy(0.1, symbol="USDJPY").retcode == 10040


def test_a_volume_limit_counts_the_net_volume() -> None:
    market = open_market(account=NETTING, volume_limit=0.5)
    assert market.buy(0.5).retcode == 10009
    assert market.buy(0.01).retcode == 10034
    assert market.sell(1.0).retcode == 10009
    assert market.sell(0.01).retcode == 10034


@pytest.mark.parametrize(
    ("mode", "codes"),
    [
        (c.SYMBOL_TRADE_MODE_LONGONLY, {"sell first": 10042, "reduce": 10009, "turn": 10042}),
        (c.SYMBOL_TRADE_MODE_CLOSEONLY, {"sell first": 10044}),
    ],
)
def test_a_symbol_may_be_reduced_where_it_may_not_be_opened(
    mode: int, codes: dict[str, int]
) -> None:
    market = open_market(account=NETTING, trade_mode=mode)
    assert market.sell(0.1).retcode == codes["sell first"]
    if "turn" in codes:
        market.buy(0.2)
        assert market.sell(0.1).retcode == codes["reduce"]
        assert market.sell(0.2).retcode == codes["turn"]
    else:
        assert market.buy(0.1).retcode == 10044


def test_swap_goes_with_the_part_that_is_closed() -> None:
    market = open_market(account=NETTING, swap_long=-7.5)
    market.buy(1.0)
    market.tick(1.10000, 1.10010, ms=86_400_000)
    assert market.position.swap == -7.5
    market.sell(0.2)
    assert (market.deals[-1].swap, market.position.swap) == (-1.5, -6.0)
    market.sell(1.0)
    assert (market.deals[-1].swap, market.position.swap) == (-6.0, 0.0)


def test_a_netting_account_is_stopped_out() -> None:
    market = open_market(account=NETTING)
    market.buy(9.0)
    market.tick(1.09449, 1.09459)
    assert market.position.volume == 9.0
    market.tick(1.09448, 1.09458)
    assert market.mt5.positions_get() == ()
    assert market.deals[-1].reason == c.REASON_SO
