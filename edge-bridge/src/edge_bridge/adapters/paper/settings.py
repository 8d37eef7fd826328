"""What a simulated broker grants: the account and the symbols, as plain exact values."""

from dataclasses import dataclass

from edge_bridge.adapters import constants as c

ALL_ORDERS = 127  # market, limit, stop, stop limit, stop loss, take profit, close by
ALL_EXPIRATIONS = 15  # until cancelled, day, a time, the day of a date


@dataclass(frozen=True, slots=True)
class SymbolSettings:
    """Trading rules of a symbol. Prices in points, volumes in hundredths of a lot, money in cents
    of the account currency, `contract_size` in whole units of the base."""

    name: str
    digits: int
    currency_base: str
    currency_profit: str
    contract_size: int
    tick_size: int = 1
    volume_min: int = 1
    volume_max: int = 10_000
    volume_step: int = 1
    volume_limit: int = 0  # open and pending volume in one direction; 0 = no limit
    stops_level: int = 10
    freeze_level: int = 0
    filling_mode: int = c.SYMBOL_FILLING_IOC
    execution: int = c.SYMBOL_TRADE_EXECUTION_MARKET
    trade_mode: int = c.SYMBOL_TRADE_MODE_FULL
    order_mode: int = ALL_ORDERS
    expiration_mode: int = ALL_EXPIRATIONS
    calc_mode: int = c.SYMBOL_CALC_MODE_FOREX
    currency_margin: str = ""  # empty = the base
    margin_initial: int = 0  # units of the margin currency a lot instead of the contract size
    margin_rate_percent: int = 100
    margin_hedged: int | None = None  # contract size charged for covered lots; None = the same
    commission_per_lot: int = 0  # cents a lot and side
    swap_mode: int = c.SYMBOL_SWAP_MODE_POINTS
    swap_long: int = 0  # a lot and night, in `swap_scale` parts; negative = paid by the client
    swap_short: int = 0
    swap_scale: int = 1
    swap_rollover3days: int = 3  # Wednesday
    last_bid: int = 0  # price of the session before the first tick; 0 = never priced
    last_ask: int = 0
    selected: bool = True  # listed in Market Watch
    depth: int = 10  # of the market book; 0 = the broker shows none
    path: str = ""  # in the list of symbols; empty = Paper\\name
    description: str = ""


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """An account. Money in cents of `currency`."""

    login: int = 5_000_001
    password: str = ""
    server: str = "Paper"
    currency: str = "USD"
    balance: int = 1_000_000
    leverage: int = 100
    stopout_call_percent: int = 100
    stopout_percent: int = 50
    orders_max: int = 200  # pending orders; 0 = no limit
    positions_max: int = 200  # 0 = no limit
    opened_ns: int = 946_684_800_000_000_000  # time of the first deposit
    path: str = "C:\\Paper\\terminal64.exe"
    margin_mode: int = c.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
    stopout_mode: int = c.ACCOUNT_STOPOUT_MODE_PERCENT
    stopout_call_money: int = 0  # the two levels where the mode is money
    stopout_money: int = 0
    credit: int = 0
    fifo_close: bool = False  # an older position of a symbol must be closed first
    trade_allowed: bool = True
    trade_expert: bool = True
    trade_mode: int = 0  # demo
    name: str = "Paper account"
    company: str = "Paper broker"

    @property
    def hedging(self) -> bool:
        """Whether a symbol may have many positions."""
        return self.margin_mode == c.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING


def make_forex_symbol(name: str, digits: int, contract_size: int = 100_000) -> SymbolSettings:
    """Describe a currency pair (or metal) such as EURUSD with the usual rules of a retail broker.

    Other rules: `dataclasses.replace` the result.
    """
    return SymbolSettings(name, digits, name[:3], name[3:6], contract_size)
