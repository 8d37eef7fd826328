"""The MetaTrader5 module over a simulated broker: same functions, arguments, results and errors.

One object is one terminal process with one account. It differs from the real one in what it adds:
`feed` moves the market, `faults` breaks things on demand, a journal lets the broker outlive us.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.api import CONSTANTS
from edge_bridge.adapters.clock import BrokerClock
from edge_bridge.adapters.paper import arguments, calculations, records, structs, views
from edge_bridge.adapters.paper.arguments import ArgumentRefused, Request
from edge_bridge.adapters.paper.broker import Broker
from edge_bridge.adapters.paper.calculations import describe_retcode
from edge_bridge.adapters.paper.execution import Outcome, execute
from edge_bridge.adapters.paper.faults import FaultPlan
from edge_bridge.adapters.paper.journal import Journal
from edge_bridge.adapters.paper.market_data import MarketData
from edge_bridge.adapters.paper.rates import Records
from edge_bridge.adapters.paper.session import NO_CONNECTION, SUCCESS, Session
from edge_bridge.adapters.paper.settings import AccountSettings, SymbolSettings
from edge_bridge.adapters.paper.structs import Struct
from edge_bridge.adapters.paper.tape import Tape


class SimulatedTerminal(Session):
    """A MetaTrader 5 terminal with a hedging account, as the `MetaTrader5` module shows it."""

    def __init__(
        self,
        account: AccountSettings,
        symbols: Iterable[SymbolSettings],
        *,
        journal: Path | None = None,
        clock: BrokerClock | None = None,
        tape: Tape | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(account)
        self.clock = clock or BrokerClock()
        identity = (account.login, account.server, account.currency, account.balance)
        self._broker = Broker(
            account,
            symbols,
            self.clock,
            tape or Tape(),
            None if journal is None else Journal(journal, identity),
        )
        self._market = MarketData(self._broker)
        self._sleep = sleep
        self._request_id = 0
        self.faults = FaultPlan()
        self.server_trade_allowed = True
        """Whether the broker lets programs trade on this account."""
        self.feed = self._broker.feed
        """feed(seq, ts_ns, bid, ask, symbol): take one tick; prices in points, time in UTC."""

    @property
    def last_seq(self) -> int:
        """The newest tick that has had its effect, earlier processes included; -1 before any."""
        return self._broker.last_seq

    def open_market(self, symbol: str, *, is_open: bool = True) -> None:
        """Open or close the session of a symbol."""
        self._market.find_book(symbol).is_open = is_open

    def close_journal(self) -> None:
        """Let go of the journal, so that another terminal can be made over it."""
        self._broker.close()

    def account_info(self) -> Struct | None:
        """State of the account."""
        return self._call(
            lambda: views.show_account(
                self._broker,
                trade_allowed=self.server_trade_allowed,
                trade_expert=self.server_trade_allowed,
            )
        )

    def symbols_total(self) -> int | None:
        """Number of symbols."""
        return self._call(lambda: len(self._broker.books))

    def symbols_get(self, group: object = None) -> tuple[Struct, ...] | None:
        """Symbols, all or of a group."""
        return self._call(lambda: self._market.list_symbols(group))

    def symbol_info(self, symbol: object, /) -> Struct | None:
        """Rules and prices of a symbol."""
        return self._call(lambda: views.show_symbol(self._market.find_book(symbol), self._broker))

    def symbol_info_tick(self, symbol: object, /) -> Struct | None:
        """Last tick of a selected symbol."""
        return self._call(lambda: self._market.show_tick(symbol))

    def symbol_select(self, symbol: object, enable: object = True, /) -> bool:
        """List a symbol in Market Watch, or take it off."""
        return bool(self._call(lambda: self._market.select(symbol, enable)))

    def copy_rates_from(self, *given: object) -> Records | None:
        """(symbol, timeframe, date, count): bars up to a date."""
        return self._call(lambda: self._market.rates_from(*_four(given)))

    def copy_rates_from_pos(self, *given: object) -> Records | None:
        """(symbol, timeframe, start, count): bars counted back from the forming one."""
        return self._call(lambda: self._market.rates_from_pos(*_four(given)))

    def copy_rates_range(self, *given: object) -> Records | None:
        """(symbol, timeframe, from, to): bars between two dates."""
        return self._call(lambda: self._market.rates_range(*_four(given)))

    def copy_ticks_from(self, *given: object) -> Records | None:
        """(symbol, date, count, flags): ticks from a date on."""
        return self._call(lambda: self._market.ticks_from(*_four(given)))

    def copy_ticks_range(self, *given: object) -> Records | None:
        """(symbol, from, to, flags): ticks between two dates."""
        return self._call(lambda: self._market.ticks_range(*_four(given)))

    def positions_total(self) -> int | None:
        """Number of open positions."""
        return self._call(lambda: len(self._broker.ledger.positions))

    def positions_get(self, **filters: object) -> tuple[Struct, ...] | None:
        """Open positions, by ticket=, symbol= or group=."""
        return self._call(lambda: records.get_positions(self._broker, filters))

    def orders_total(self) -> int | None:
        """Number of active orders."""
        return self._call(lambda: len(self._broker.ledger.orders))

    def orders_get(self, **filters: object) -> tuple[Struct, ...] | None:
        """Active orders, by ticket=, symbol= or group=."""
        return self._call(lambda: records.get_orders(self._broker, filters))

    def history_orders_total(self, *bounds: object) -> int | None:
        """Number of past orders between two dates."""
        return self._call(lambda: len(records.get_past_orders(self._broker, bounds, {})))

    def history_orders_get(self, *bounds: object, **filters: object) -> tuple[Struct, ...] | None:
        """Past orders between two dates (group=), or by ticket= or position=."""
        return self._call(lambda: records.get_past_orders(self._broker, bounds, filters))

    def history_deals_total(self, *bounds: object) -> int | None:
        """Number of deals between two dates."""
        return self._call(lambda: len(records.get_deals(self._broker, bounds, {})))

    def history_deals_get(self, *bounds: object, **filters: object) -> tuple[Struct, ...] | None:
        """Deals between two dates (group=), or by ticket= or position=."""
        return self._call(lambda: records.get_deals(self._broker, bounds, filters))

    def order_calc_margin(self, *given: object) -> float | None:
        """(type, symbol, volume, price): margin of a trade alone, in the account currency."""
        return self._call(lambda: calculations.calc_margin(self._broker, given))

    def order_calc_profit(self, *given: object) -> float | None:
        """(type, symbol, volume, open, close): profit between two prices."""
        return self._call(lambda: calculations.calc_profit(self._broker, given))

    def order_check(
        self, request: Mapping[str, object] | None = None, /, **fields: object
    ) -> Struct | None:
        """What a market order would do to the account; retcode 0 when it could be sent."""
        return self._call(
            lambda: calculations.check_order(
                self._broker, arguments.parse_request(fields if request is None else request)
            )
        )

    def order_send(
        self, request: Mapping[str, object] | None = None, /, **fields: object
    ) -> Struct | None:
        """Send a trade request, as one dict or as keywords."""
        self._error = SUCCESS
        try:
            parsed = arguments.parse_request(fields if request is None else request)
        except ArgumentRefused as error:
            self._fail((c.E_INVALID_PARAMS, str(error)))
            return None
        if not self._connected:
            self._fail(NO_CONNECTION)
            return None
        fault = self.faults.take()
        if fault.delay_s:
            self._sleep(fault.delay_s)
        if fault.pipe_dies == "before":
            self._lose_pipe((c.E_INTERNAL_FAIL_SEND, "IPC send failed"))
            return None
        if fault.retcode:
            outcome = Outcome(fault.retcode)
        elif not self.terminal_trade_allowed:
            outcome = Outcome(c.CLIENT_DISABLES_AT)
        elif not self.server_trade_allowed:
            outcome = Outcome(c.SERVER_DISABLES_AT)
        else:
            outcome = execute(self._broker, parsed)
        if fault.pipe_dies == "after":
            self._lose_pipe((c.E_INTERNAL_FAIL_RECEIVE, "IPC recv failed"))
            return None
        return self._answer(parsed, outcome)

    def _answer(self, request: Request, outcome: Outcome) -> Struct:
        self._request_id += 1
        code, order, deal, volume, points = outcome
        book = self._broker.books.get(request.symbol)
        price = bid = ask = 0.0
        if book is not None and code in (c.DONE, c.REQUOTE):
            price, bid, ask = points / book.scale, book.bid / book.scale, book.ask / book.scale
        return structs.OrderSendResult(
            (
                code, deal, order, volume / 100, price, bid, ask, describe_retcode(code),
                self._request_id, 0, structs.TradeRequest(request),
            )
        )  # fmt: skip


def _four(given: tuple[object, ...]) -> tuple[object, object, object, object]:
    if len(given) != 4:
        raise ArgumentRefused("Invalid number of arguments")
    return given[0], given[1], given[2], given[3]


for _name, _value in CONSTANTS.items():
    setattr(SimulatedTerminal, _name, _value)
