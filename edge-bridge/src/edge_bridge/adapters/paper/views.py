"""The broker's rows as the module's result structs: floats, broker's clock, ordered fields."""

from typing import Any

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper import structs
from edge_bridge.adapters.paper.book import Book
from edge_bridge.adapters.paper.broker import Broker
from edge_bridge.adapters.paper.rows import DealRow, OrderRow, PositionRow
from edge_bridge.adapters.paper.structs import Struct
from edge_bridge.adapters.paper.valuation import NoConversionRate

_ORDER_FLAGS = 1 + 2 + 4 + 16 + 32 + 64  # market, limit, stop, SL, TP, close by; no stop limit
_EXPIRATION_FLAGS = 15  # good till cancelled, day, time, day of a date


def show_tick(book: Book, broker: Broker) -> Struct:
    """The last tick; zeros before any."""
    ms = broker.clock.to_broker_ms(book.ts_ns) if book.has_quotes else 0
    flags = c.TICK_FLAG_BID | c.TICK_FLAG_ASK if book.has_quotes else 0
    return structs.Tick(
        (ms // 1000, book.bid / book.scale, book.ask / book.scale, 0.0, 0, ms, flags, 0.0)
    )


def show_position(row: PositionRow, broker: Broker) -> Struct:
    """An open position, valued now."""
    book = broker.books[row.symbol]
    scale = book.scale
    current = book.bid if row.type == c.ORDER_TYPE_BUY else book.ask
    return structs.TradePosition(
        (
            row.ticket, row.time_msc // 1000, row.time_msc, row.time_update_msc // 1000,
            row.time_update_msc, row.type, row.magic, row.ticket, row.reason, row.volume / 100,
            row.price_open / scale, row.sl / scale, row.tp / scale, current / scale,
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
            row.sl / scale, row.tp / scale, current / scale, 0.0, row.symbol, row.comment, "",
        )
    )  # fmt: skip


def show_deal(row: DealRow, broker: Broker) -> Struct:
    """A deal; balance operations have no symbol."""
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
    equity = broker.ledger.balance + floating
    return structs.AccountInfo.of(
        {
            "login": account.login,
            "leverage": account.leverage,
            "limit_orders": account.orders_max,
            "trade_allowed": trade_allowed,
            "trade_expert": trade_expert,
            "margin_mode": c.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
            "currency_digits": 2,
            "balance": broker.ledger.balance / 100,
            "profit": floating / 100,
            "equity": equity / 100,
            "margin": margin / 100,
            "margin_free": (equity - margin) / 100,
            "margin_level": 100 * equity / margin if margin else 0.0,
            "margin_so_call": float(account.stopout_call_percent),
            "margin_so_so": float(account.stopout_percent),
            "name": "Paper account",
            "server": account.server,
            "currency": account.currency,
            "company": "Paper broker",
        }
    )


def show_symbol(book: Book, broker: Broker) -> Struct:
    """A symbol with its rules and last prices."""
    return structs.SymbolInfo.of(_describe_rules(book) | _describe_prices(book, broker))


def _describe_rules(book: Book) -> dict[str, Any]:
    rules = book.settings
    hedged = rules.contract_size if rules.margin_hedged is None else rules.margin_hedged
    return {
        "name": rules.name,
        "path": f"Paper\\{rules.name}",
        "description": rules.name,
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
        "order_mode": _ORDER_FLAGS,
        "expiration_mode": _EXPIRATION_FLAGS,
        "trade_tick_size": rules.tick_size / book.scale,
        "trade_contract_size": float(rules.contract_size),
        "margin_hedged": float(hedged),
        "volume_min": rules.volume_min / 100,
        "volume_max": rules.volume_max / 100,
        "volume_step": rules.volume_step / 100,
        "volume_limit": rules.volume_limit / 100,
        "swap_mode": c.SYMBOL_SWAP_MODE_POINTS,
        "swap_long": float(rules.swap_long),
        "swap_short": float(rules.swap_short),
        "swap_rollover3days": rules.swap_rollover3days,
        "currency_base": rules.currency_base,
        "currency_profit": rules.currency_profit,
        "currency_margin": rules.currency_base,
    }


def _describe_prices(book: Book, broker: Broker) -> dict[str, Any]:
    tick_value = _find_tick_value(book, broker)
    return {
        "time": broker.clock.to_broker_ms(book.ts_ns) // 1000 if book.has_quotes else 0,
        "bid": book.bid / book.scale,
        "ask": book.ask / book.scale,
        "spread": book.ask - book.bid,
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
