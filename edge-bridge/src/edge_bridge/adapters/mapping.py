"""Between the module's structs (floats, broker's clock) and the port's values (exact, UTC).

Pure functions, shared by the real and the simulated terminal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.clock import BrokerClock
from edge_bridge.adapters.module import (
    AccountRow,
    DealStruct,
    OrderStruct,
    PositionStruct,
    SendRow,
    SymbolRow,
    TerminalRow,
    TickRow,
)
from edge_bridge.ports import (
    LOT,
    AccountState,
    CloseReason,
    Deal,
    DealEntry,
    Done,
    Instrument,
    OrderRequest,
    PendingOrder,
    Position,
    Quote,
    Side,
    Timeframe,
)

TEXT_UNITS_MAX = 29
"""UTF-16 units a comment or symbol may have in a trade request."""
_VOLUME_ERROR_MAX = 1e-6

TIMEFRAMES: Mapping[Timeframe, int] = {
    "M1": c.TIMEFRAME_M1,
    "M5": c.TIMEFRAME_M5,
    "M15": c.TIMEFRAME_M15,
    "M30": c.TIMEFRAME_M30,
    "H1": c.TIMEFRAME_H1,
    "H4": c.TIMEFRAME_H4,
    "D1": c.TIMEFRAME_D1,
}
ENTRIES: Mapping[int, DealEntry] = {
    c.DEAL_ENTRY_IN: "in",
    c.DEAL_ENTRY_OUT: "out",
    c.DEAL_ENTRY_INOUT: "inout",
    c.DEAL_ENTRY_OUT_BY: "out_by",
}
REASONS: Mapping[int, CloseReason] = {
    0: "client",
    1: "client",  # mobile
    2: "client",  # web
    c.REASON_EXPERT: "expert",
    c.REASON_SL: "sl",
    c.REASON_TP: "tp",
    c.REASON_SO: "so",
}


@dataclass(frozen=True, slots=True)
class Spec:
    """What sending an order in a symbol needs to know."""

    symbol: str
    digits: int
    scale: int
    filling: int
    needs_price: bool  # Instant and Request execution quote a price
    tradable: bool


def read_spec(row: SymbolRow) -> Spec:
    """Read how to trade a symbol, and whether the port's units can: hundredths of a lot, and a
    name that fits a request."""
    quoted = row.trade_exemode in (
        c.SYMBOL_TRADE_EXECUTION_REQUEST,
        c.SYMBOL_TRADE_EXECUTION_INSTANT,
    )
    return Spec(
        symbol=row.name,
        digits=row.digits,
        scale=10**row.digits,
        filling=_choose_filling(row, quoted),
        needs_price=quoted,
        tradable=count_units(row.name) <= TEXT_UNITS_MAX
        and all(_is_whole(volume) for volume in (row.volume_min, row.volume_step)),
    )


def _is_whole(volume: float) -> bool:
    hundredths = round(volume * LOT)
    return hundredths > 0 and abs(volume * LOT - hundredths) < _VOLUME_ERROR_MAX


def _choose_filling(row: SymbolRow, quoted: bool) -> int:
    """Prefer a partial fill over none: what was sized may always be smaller."""
    if quoted:
        return c.ORDER_FILLING_FOK
    if row.filling_mode & c.SYMBOL_FILLING_IOC:
        return c.ORDER_FILLING_IOC
    if row.filling_mode & c.SYMBOL_FILLING_FOK:
        return c.ORDER_FILLING_FOK
    return c.ORDER_FILLING_RETURN


def read_instrument(row: SymbolRow, margin_per_lot: float) -> Instrument:
    """Read a symbol's trading rules."""
    scale = 10**row.digits
    return Instrument(
        symbol=row.name,
        digits=row.digits,
        contract_size=to_decimal(row.trade_contract_size),
        tick_size=max(1, round(row.trade_tick_size * scale)),
        tick_value=to_decimal(row.trade_tick_value),
        margin_per_lot=to_decimal(margin_per_lot),
        volume_min=to_hundredths(row.volume_min),
        volume_max=to_hundredths(row.volume_max),
        volume_step=to_hundredths(row.volume_step),
        stops_level=row.trade_stops_level,
        currency_base=row.currency_base,
        currency_profit=row.currency_profit,
        currency_margin=row.currency_margin,
        trade_allowed=row.trade_mode == c.SYMBOL_TRADE_MODE_FULL,
        freeze_level=row.trade_freeze_level,
    )


def read_account(row: AccountRow, terminal: TerminalRow) -> AccountState:
    """Read the account; trading needs the broker's consent and the terminal's."""
    minor = 10**row.currency_digits
    return AccountState(
        login=row.login,
        server=row.server,
        currency=row.currency,
        currency_digits=row.currency_digits,
        balance=round(row.balance * minor),
        equity=round(row.equity * minor),
        margin=round(row.margin * minor),
        margin_free=round(row.margin_free * minor),
        leverage=row.leverage,
        trade_allowed=row.trade_allowed and row.trade_expert and terminal.trade_allowed,
        hedging=row.margin_mode == c.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
        demo=row.trade_mode == c.ACCOUNT_TRADE_MODE_DEMO,
    )


def read_quote(symbol: str, row: TickRow, scale: int, clock: BrokerClock) -> Quote:
    """Read a tick."""
    return Quote(
        symbol, round(row.bid * scale), round(row.ask * scale), clock.to_utc_ns(row.time_msc)
    )


def write_order(request: OrderRequest, spec: Spec, price: float) -> dict[str, object]:
    """Write a market order as a trade request; every type is the one the module insists on."""
    return {
        "action": c.TRADE_ACTION_DEAL,
        "symbol": spec.symbol,
        "volume": request.volume / LOT,
        "type": c.ORDER_TYPE_BUY if request.side == "buy" else c.ORDER_TYPE_SELL,
        "price": price,
        "sl": request.stop_loss / spec.scale,
        "tp": request.take_profit / spec.scale,
        "deviation": request.deviation,
        "magic": request.magic,
        "comment": cut_text(request.comment),
        "type_filling": spec.filling,
        "type_time": c.ORDER_TIME_GTC,
    }


def read_answer(row: SendRow, scale: int, position: int) -> Done:
    """Read an executed request's answer."""
    return Done(
        order=row.order,
        deal=row.deal,
        position=position,
        volume=to_hundredths(row.volume),
        price=round(row.price * scale),
        bid=round(row.bid * scale),
        ask=round(row.ask * scale),
        code=row.retcode,
    )


def read_position(row: PositionStruct, scale: int, minor: int, clock: BrokerClock) -> Position:
    """Read an open position."""
    return Position(
        ticket=row.ticket,
        identifier=row.identifier,
        symbol=row.symbol,
        side=_read_side(row.type),
        volume=to_hundredths(row.volume),
        price_open=round(row.price_open * scale),
        stop_loss=round(row.sl * scale),
        take_profit=round(row.tp * scale),
        time_ns=clock.to_utc_ns(row.time_msc),
        magic=row.magic,
        comment=row.comment,
        profit=round(row.profit * minor),
        swap=round(row.swap * minor),
    )


def read_deal(row: DealStruct, scale: int, minor: int, clock: BrokerClock) -> Deal:
    """Read a buy or sell; a fee counts as commission."""
    return Deal(
        ticket=row.ticket,
        order=row.order,
        position=row.position_id,
        symbol=row.symbol,
        side=_read_side(row.type),
        entry=ENTRIES[row.entry],
        reason=REASONS.get(row.reason, "other"),
        volume=to_hundredths(row.volume),
        price=round(row.price * scale),
        time_ns=clock.to_utc_ns(row.time_msc),
        magic=row.magic,
        comment=row.comment,
        profit=round(row.profit * minor),
        commission=round(row.commission * minor) + round(row.fee * minor),
        swap=round(row.swap * minor),
    )


_PENDING: Mapping[int, Literal["limit", "stop", "stop_limit"]] = {
    c.ORDER_TYPE_BUY_LIMIT: "limit",
    c.ORDER_TYPE_SELL_LIMIT: "limit",
    c.ORDER_TYPE_BUY_STOP: "stop",
    c.ORDER_TYPE_SELL_STOP: "stop",
    c.ORDER_TYPE_BUY_STOP_LIMIT: "stop_limit",
    c.ORDER_TYPE_SELL_STOP_LIMIT: "stop_limit",
}


def read_pending(row: OrderStruct, scale: int, clock: BrokerClock) -> PendingOrder:
    """Read an order that waits for its price; types alternate buy, sell."""
    return PendingOrder(
        ticket=row.ticket,
        symbol=row.symbol,
        side="buy" if row.type % 2 == 0 else "sell",
        kind=_PENDING.get(row.type, "limit"),
        volume=to_hundredths(row.volume_current),
        price=round(row.price_open * scale),
        time_ns=clock.to_utc_ns(row.time_setup_msc),
        magic=row.magic,
        comment=row.comment,
    )


def _read_side(kind: int) -> Side:
    return "buy" if kind == c.ORDER_TYPE_BUY else "sell"


def to_hundredths(volume: float) -> int:
    """Lots as hundredths; a position too small for them still counts as one, not as none."""
    found = round(volume * LOT)
    return found if found > 0 else int(volume > 0)


@lru_cache(maxsize=4_096)
def to_decimal(value: float) -> Decimal:
    """The shortest decimal that reads back as the same float."""
    return Decimal(repr(float(value)))


def count_units(text: str) -> int:
    """Length of a text in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def cut_text(text: str) -> str:
    """Cut a comment to what the terminal takes, never inside a character."""
    while count_units(text) > TEXT_UNITS_MAX:
        text = text[:TEXT_UNITS_MAX] if len(text) > TEXT_UNITS_MAX else text[:-1]
    return text
