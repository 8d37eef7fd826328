"""An account and its symbols described as the module shows them: its field names, its floats.

A specification is turned into the exact settings the broker works with, or refused: nothing is
rounded that would show up in money later.
"""

from dataclasses import dataclass
from decimal import Decimal

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper.settings import (
    ALL_EXPIRATIONS,
    ALL_ORDERS,
    AccountSettings,
    SymbolSettings,
)

_CALC_MODES = (
    c.SYMBOL_CALC_MODE_FOREX,
    c.SYMBOL_CALC_MODE_FOREX_NO_LEVERAGE,
    c.SYMBOL_CALC_MODE_CFD,
    c.SYMBOL_CALC_MODE_CFDLEVERAGE,
    c.SYMBOL_CALC_MODE_EXCH_STOCKS,
)
_SWAP_PARTS = 1_000_000


class SpecRefused(ValueError):
    """A field of a specification has a value the simulated broker cannot keep exactly."""


@dataclass(frozen=True, slots=True)
class AccountSpec:
    """An account; fields of AccountInfo, and `path` of the terminal's program."""

    login: int = 1001
    password: str = ""
    server: str = "Paper-Demo"
    currency: str = "USD"
    leverage: int = 100
    balance: float = 10_000.0
    margin_mode: int = c.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
    credit: float = 0.0
    margin_so_mode: int = c.ACCOUNT_STOPOUT_MODE_PERCENT
    margin_so_call: float = 100.0  # percent, or money where the mode says so
    margin_so_so: float = 50.0
    limit_orders: int = 200  # pending orders; 0 = no limit
    limit_positions: int = 0  # not a field of AccountInfo; 0 = no limit
    fifo_close: bool = False
    trade_allowed: bool = True
    trade_expert: bool = True
    trade_mode: int = 0
    name: str = "Paper account"
    company: str = "Paper broker"
    path: str = "C:\\Paper\\terminal64.exe"

    def to_settings(self) -> AccountSettings:
        """Give the broker's exact form. Raises SpecRefused."""
        money = self.margin_so_mode == c.ACCOUNT_STOPOUT_MODE_MONEY
        levels = [
            _count("margin_so", level, 100 if money else 1)
            for level in (self.margin_so_call, self.margin_so_so)
        ]
        require_spec(self.leverage > 0, "leverage must be above 0")
        require_spec(self.margin_mode in (0, 1, 2), "margin_mode is 0, 1 or 2")
        return AccountSettings(
            login=self.login, password=self.password, server=self.server, currency=self.currency,
            leverage=self.leverage, balance=_count("balance", self.balance, 100),
            margin_mode=self.margin_mode, credit=_count("credit", self.credit, 100),
            stopout_mode=self.margin_so_mode,
            stopout_call_percent=0 if money else levels[0],
            stopout_percent=0 if money else levels[1],
            stopout_call_money=levels[0] if money else 0,
            stopout_money=levels[1] if money else 0,
            orders_max=self.limit_orders, positions_max=self.limit_positions,
            fifo_close=self.fifo_close, trade_allowed=self.trade_allowed,
            trade_expert=self.trade_expert, trade_mode=self.trade_mode, name=self.name,
            company=self.company, path=self.path,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SymbolSpec:
    """A symbol; fields of SymbolInfo, and the broker's commission a lot and side."""

    name: str = "EURUSD"
    digits: int = 5
    trade_contract_size: float = 100_000.0
    volume_min: float = 0.01
    volume_max: float = 100.0
    volume_step: float = 0.01
    trade_stops_level: int = 10
    filling_mode: int = c.SYMBOL_FILLING_IOC
    trade_exemode: int = c.SYMBOL_TRADE_EXECUTION_MARKET
    currency_base: str = ""  # empty: the first and second three letters of the name
    currency_profit: str = ""
    currency_margin: str = ""  # empty: the base
    trade_freeze_level: int = 0
    trade_mode: int = c.SYMBOL_TRADE_MODE_FULL
    trade_calc_mode: int = c.SYMBOL_CALC_MODE_FOREX
    trade_tick_size: float = 0.0  # 0: one point
    volume_limit: float = 0.0
    order_mode: int = ALL_ORDERS
    expiration_mode: int = ALL_EXPIRATIONS
    margin_initial: float = 0.0
    margin_hedged: float | None = None  # None: the contract size
    swap_mode: int = c.SYMBOL_SWAP_MODE_POINTS
    swap_long: float = 0.0
    swap_short: float = 0.0
    swap_rollover3days: int = 3
    bid: float = 0.0  # of the session before the first tick
    ask: float = 0.0
    select: bool = True
    ticks_bookdepth: int = 10
    path: str = ""
    description: str = ""
    commission_per_lot: float = 0.0

    def to_settings(self) -> SymbolSettings:
        """Give the broker's exact form. Raises SpecRefused."""
        scale = 10**self.digits
        hedged = self.margin_hedged
        base = self.currency_base or self.name[:3]
        require_spec(self.trade_calc_mode in _CALC_MODES, "trade_calc_mode is not simulated")
        require_spec(0 <= self.swap_mode <= 6, "swap_mode is not simulated")
        require_spec(self.volume_step > 0, "volume_step must be above 0")
        require_spec(0 < self.volume_min <= self.volume_max, "volume_min is above volume_max")
        return SymbolSettings(
            name=self.name, digits=self.digits, currency_base=base,
            currency_profit=self.currency_profit or self.name[3:6],
            contract_size=_count("trade_contract_size", self.trade_contract_size, 1),
            tick_size=max(1, _count("trade_tick_size", self.trade_tick_size, scale)),
            volume_min=_count("volume_min", self.volume_min, 100),
            volume_max=_count("volume_max", self.volume_max, 100),
            volume_step=_count("volume_step", self.volume_step, 100),
            volume_limit=_count("volume_limit", self.volume_limit, 100),
            stops_level=self.trade_stops_level, freeze_level=self.trade_freeze_level,
            filling_mode=self.filling_mode, execution=self.trade_exemode,
            trade_mode=self.trade_mode, order_mode=self.order_mode,
            expiration_mode=self.expiration_mode, calc_mode=self.trade_calc_mode,
            currency_margin=self.currency_margin,
            margin_initial=_count("margin_initial", self.margin_initial, 1),
            margin_hedged=None if hedged is None else _count("margin_hedged", hedged, 1),
            commission_per_lot=_count("commission_per_lot", self.commission_per_lot, 100),
            swap_mode=self.swap_mode, swap_scale=_SWAP_PARTS,
            swap_long=_count("swap_long", self.swap_long, _SWAP_PARTS),
            swap_short=_count("swap_short", self.swap_short, _SWAP_PARTS),
            swap_rollover3days=self.swap_rollover3days,
            last_bid=_count("bid", self.bid, scale), last_ask=_count("ask", self.ask, scale),
            selected=self.select, depth=self.ticks_bookdepth, path=self.path,
            description=self.description,
        )  # fmt: skip


def require_spec(condition: bool, fact: str) -> None:
    """Refuse a specification with a fact unless a condition holds."""
    if not condition:
        raise SpecRefused(fact)


def _count(name: str, value: float, parts: int) -> int:
    """Read a float, as it is written, in whole parts of a unit."""
    exact = Decimal(repr(float(value))) * parts
    if not exact.is_finite() or exact != exact.to_integral_value():
        raise SpecRefused(f"{name}={value!r} is finer than 1/{parts}: give a coarser value")
    return int(exact)
