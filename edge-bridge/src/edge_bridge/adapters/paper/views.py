"""The broker's rows as the module's result structs: floats, broker's clock, ordered fields."""

from typing import Any

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper import structs
from edge_bridge.adapters.paper.book import Book
from edge_bridge.adapters.paper.broker import Broker
from edge_bridge.adapters.paper.gaps import Quote
from edge_bridge.adapters.paper.rows import MILLIONTHS, DealRow, OrderRow, PositionRow
from edge_bridge.adapters.paper.structs import Struct
from edge_bridge.adapters.paper.valuation import NoConversionRate

DEALS_KEPT = 1_024


def show_tick(book: Book, quote: Quote, broker: Broker) -> Struct:
    """The last tick; zeros before any."""
    ms = broker.clock.to_broker_ms(quote.ts_ns) if quote.quoted else 0
    flags = c.TICK_FLAG_BID | c.TICK_FLAG_ASK if quote.quoted else 0
    return structs.Tick(
        (ms // 1000, quote.bid / book.scale, quote.ask / book.scale, 0.0, 0, ms, flags, 0.0)
    )


def show_position(row: PositionRow, broker: Broker) -> Struct:
    """An open position, valued now."""
    book = broker.books[row.symbol]
    scale = book.scale
    current = book.bid if row.type == c.ORDER_TYPE_BUY else book.ask
    return structs.TradePosition(
        (
            row.ticket, row.time_msc // 1000, row.time_msc, row.time_update_msc // 1000,
            row.time_update_msc, row.type, row.magic, row.identifier, row.reason, row.volume / 100,
            row.fine_price / (MILLIONTHS * scale), row.sl / scale, row.tp / scale, current / scale,
            row.swap / 100, broker.value.measure_floating(row) / 100, row.symbol, row.comment, "",
        )
    )  # fmt: skip


def show_order(row: OrderRow, broker: Broker) -> Struct:
    """An active or past order."""
    book = broker.books[row.symbol]
    scale = book.scale
    current = book.ask if row.type & 1 == c.ORDER_TYPE_BUY else book.bid
    return structs.TradeOrder(
        (
            row.ticket, row.time_setup_msc // 1000, row.time_setup_msc, row.time_done_msc // 1000,
            row.time_done_msc, row.time_expiration, row.type, row.type_time, row.type_filling,
            row.state, row.magic, row.position_id, row.position_by_id, row.reason,
            row.volume_initial / 100, row.volume_current / 100, row.price_open / scale,
            row.sl / scale, row.tp / scale, current / scale, row.price_stoplimit / scale,
            row.symbol, row.comment, "",
        )
    )  # fmt: skip


def show_deal(row: DealRow, broker: Broker) -> Struct:
    """A deal; balance operations have no symbol. Kept, because a deal is final and the newest are
    read at every close."""
    known = broker.shown_deals.get(row.ticket)
    if known is None:
        if len(broker.shown_deals) >= DEALS_KEPT:
            broker.shown_deals.clear()
        known = broker.shown_deals[row.ticket] = _describe_deal(row, broker)
    return known


def _describe_deal(row: DealRow, broker: Broker) -> Struct:
    scale = broker.books[row.symbol].scale if row.symbol else 1
    return structs.TradeDeal(
        (
            row.ticket, row.order, row.time_msc // 1000, row.time_msc, row.type, row.entry,
            row.magic, row.position_id, row.reason, row.volume / 100, row.price / scale,
            row.commission / 100, row.swap / 100, row.profit / 100, row.fee / 100, row.symbol,
            row.comment, "",
        )
    )  # fmt: skip


def show_account(broker: Broker, *, trade_allowed: bool, trade_expert: bool) -> Struct:
    """The account, valued now."""
    account, value = broker.account, broker.value
    floating, margin = value.sum_floating(), value.measure_margin()
    equity = broker.ledger.balance + account.credit + floating
    money = account.stopout_mode == c.ACCOUNT_STOPOUT_MODE_MONEY
    levels = account.stopout_call_percent, account.stopout_percent
    if money:
        levels = account.stopout_call_money, account.stopout_money
    return structs.AccountInfo(
        (
            account.login, account.trade_mode, account.leverage, account.orders_max,
            account.stopout_mode, trade_allowed, trade_expert, account.margin_mode, 2,
            account.fifo_close, broker.ledger.balance / 100, account.credit / 100, floating / 100,
            equity / 100, margin / 100, (equity - margin) / 100,
            100 * equity / margin if margin else 0.0,
            levels[0] / 100 if money else float(levels[0]),
            levels[1] / 100 if money else float(levels[1]), 0.0, 0.0, 0.0, 0.0, 0.0,
            account.name, account.server, account.currency, account.company,
        )
    )  # fmt: skip


def show_symbol(book: Book, quote: Quote, broker: Broker) -> Struct:
    """A symbol with its rules and last prices."""
    state = book.settings, book.selected
    if book.described is None or book.described[0] != state:
        book.described = state, _describe_rules(book)
    return structs.SymbolInfo.of(book.described[1] | _describe_prices(book, quote, broker))


def _describe_rules(book: Book) -> dict[str, Any]:
    rules = book.settings
    hedged = rules.contract_size if rules.margin_hedged is None else rules.margin_hedged
    return {
        "name": rules.name,
        "path": rules.path or f"Paper\\{rules.name}",
        "description": rules.description or rules.name,
        "digits": rules.digits,
        "point": 1 / book.scale,
        "select": book.selected,
        "visible": book.selected,
        "spread_float": True,
        "trade_mode": rules.trade_mode,
        "trade_stops_level": rules.stops_level,
        "trade_freeze_level": rules.freeze_level,
        "trade_exemode": rules.execution,
        "filling_mode": rules.filling_mode,
        "order_mode": rules.order_mode,
        "expiration_mode": rules.expiration_mode,
        "trade_tick_size": rules.tick_size / book.scale,
        "trade_contract_size": float(rules.contract_size),
        "margin_hedged": float(hedged),
        "volume_min": rules.volume_min / 100,
        "volume_max": rules.volume_max / 100,
        "volume_step": rules.volume_step / 100,
        "volume_limit": rules.volume_limit / 100,
        "ticks_bookdepth": rules.depth,
        "trade_calc_mode": rules.calc_mode,
        "margin_initial": float(rules.margin_initial),
        "swap_mode": rules.swap_mode,
        "swap_long": rules.swap_long / rules.swap_scale,
        "swap_short": rules.swap_short / rules.swap_scale,
        "swap_rollover3days": rules.swap_rollover3days,
        "currency_base": rules.currency_base,
        "currency_profit": rules.currency_profit,
        "currency_margin": rules.currency_margin or rules.currency_base,
    }


def _describe_prices(book: Book, quote: Quote, broker: Broker) -> dict[str, Any]:
    tick_value = _find_tick_value(book, broker)
    return {
        "time": broker.clock.to_broker_ms(quote.ts_ns) // 1000 if quote.quoted else 0,
        "bid": quote.bid / book.scale,
        "ask": quote.ask / book.scale,
        "spread": quote.ask - quote.bid,
        "trade_tick_value": tick_value,
        "trade_tick_value_profit": tick_value,
        "trade_tick_value_loss": tick_value,
    }


def _find_tick_value(book: Book, broker: Broker) -> float:
    if not book.has_price:
        return 0.0
    try:
        rate, per = broker.value.find_profit_rate(book, book.bid)
    except NoConversionRate:
        return 0.0
    rules = book.settings
    return rules.tick_size * rules.contract_size * rate / (book.scale * per)
