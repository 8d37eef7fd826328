"""The MetaTrader5 module over a simulated broker: same functions, arguments, results and errors.

One object is one terminal process with one account. It differs from the real one in what it adds:
`feed` moves the market, `fail_next` breaks things on demand, a journal lets the broker outlive us.
"""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import SupportsFloat, SupportsInt

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.api import CONSTANTS
from edge_bridge.adapters.clock import BrokerClock
from edge_bridge.adapters.paper import structs
from edge_bridge.adapters.paper.arguments import ArgumentRefused, Request, read_request
from edge_bridge.adapters.paper.broker import Broker
from edge_bridge.adapters.paper.calculations import describe_retcode
from edge_bridge.adapters.paper.execution import Outcome, execute
from edge_bridge.adapters.paper.faults import Fault, PipeDeath, make_fault, normalise_kind
from edge_bridge.adapters.paper.feeding import Column, feed_columns, feed_prices
from edge_bridge.adapters.paper.functions import Functions
from edge_bridge.adapters.paper.journal import Journal
from edge_bridge.adapters.paper.market_data import MarketData
from edge_bridge.adapters.paper.session import NO_CONNECTION, SUCCESS
from edge_bridge.adapters.paper.settings import AccountSettings, SymbolSettings
from edge_bridge.adapters.paper.spec import AccountSpec, SymbolSpec
from edge_bridge.adapters.paper.structs import Struct
from edge_bridge.adapters.paper.tape import Tape

_PRICED = (c.DONE, c.DONE_PARTIAL, c.PLACED, c.REQUOTE, c.PRICE_CHANGED)
"""Answers that carry prices."""


class SimulatedTerminal(Functions):
    """A MetaTrader 5 terminal with one account, as the `MetaTrader5` module shows it."""

    __version__ = "5.0.6231"
    """Of the wheel whose behaviour this is."""

    def __init__(
        self,
        account: AccountSpec | AccountSettings,
        symbols: Iterable[SymbolSpec | SymbolSettings],
        *,
        journal: Path | None = None,
        clock: BrokerClock | None = None,
        tape: Tape | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        settings = account.to_settings() if isinstance(account, AccountSpec) else account
        super().__init__(settings, sleep)
        self.clock = clock or BrokerClock()
        identity = (
            settings.login, settings.server, settings.currency, settings.balance,
            settings.margin_mode,
        )  # fmt: skip
        rules = [each.to_settings() if isinstance(each, SymbolSpec) else each for each in symbols]
        self._broker = Broker(
            settings,
            rules,
            self.clock,
            tape or Tape(),
            None if journal is None else Journal(journal, identity),
        )
        self._market = MarketData(self._broker)
        self._request_id = 0
        self.server_trade_allowed = True
        """Whether the broker lets programs trade on this account."""
        self.feed_tick = self._broker.feed
        """feed_tick(seq, ts_ns, bid, ask, symbol): take one tick; prices in points, time in UTC."""

    def feed(
        self, symbol: str, time_msc: SupportsInt, bid: SupportsFloat, ask: SupportsFloat
    ) -> bool:
        """Take one tick as `symbol_info_tick` will show it: broker's clock, float prices.

        False: it is older than the symbol's last one and was ignored. Raises SymbolUnknown, or
        TickRefused for prices or times that no terminal shows.
        """
        return feed_prices(self._broker, symbol, time_msc, bid, ask)

    def feed_chunk(
        self, symbol: str, first_seq: int, ts_ns: Column, bid: Column, ask: Column
    ) -> None:
        """Take consecutive ticks at once (int64 columns: UTC nanoseconds, points) with the same
        deals as one by one. Raises SymbolUnknown, or ValueError for unequal lengths."""
        feed_columns(self._broker, symbol, first_seq, (ts_ns, bid, ask))

    def fail_next(
        self,
        kind: str,
        *,
        times: int = 1,
        when: PipeDeath = "after",
        seconds: float | None = None,
        fraction: float = 0.5,
        volume: float | None = None,
        retcode: int = c.REJECT,
        ticks: int | None = None,
        symbol: str | None = None,
        call: str | None = None,
    ) -> None:
        """Break one of the next calls, `times` times.

        At the next `order_send`: pipe_dies (`when` before or after the server executed it),
        reject (`retcode`), or any retcode by its name: busy, requote, market_closed,
        price_changed, ...; placed (executed, answered 10008 without a deal), timeout (10012;
        `when`), partial_fill (a `fraction` or `volume` of the next deal: IOC cancels the rest,
        RETURN fills it with the next tick, FOK is rejected). At the next call of any function:
        api_disabled (-8), slow and hang (`seconds`, 1 and 60 by default). `call` names another
        function. tick_gap: the next `ticks` (or `times`) ticks, or those of `seconds`, of a
        `symbol` or of all are not received; `copy_ticks_range` has them afterwards.
        Raises ValueError for an unknown kind or value.
        """
        if times < 1:
            raise ValueError(f"times={times}: once or more")
        name = normalise_kind(kind)
        if name == "tick_gap":
            self._market.begin_gap(symbol, times if ticks is None else ticks, seconds)
            return
        if seconds is None:
            seconds = 60.0 if name == "hang" else 1.0
        fault = make_fault(
            name, when=when, seconds=seconds, fraction=fraction, volume=volume, retcode=retcode,
            call=call,
        )  # fmt: skip
        self.faults.add(fault, times)

    @property
    def broker(self) -> Broker:
        """The server behind the terminal, for who shares the process and its whole numbers."""
        return self._broker

    @property
    def last_seq(self) -> int:
        """The newest tick that has had its effect, earlier processes included; -1 before any."""
        return self._broker.last_seq

    @property
    def margin_called(self) -> bool:
        """Whether the account is at or below its margin call level; the module shows it only as
        `margin_level` against `margin_so_call`."""
        return self._broker.value.is_margin_called()

    def open_market(self, symbol: str, *, is_open: bool = True) -> None:
        """Open or close the session of a symbol."""
        self._market.find_book(symbol).is_open = is_open

    def close_journal(self) -> None:
        """Let go of the journal, so that another terminal can be made over it."""
        self._broker.close()

    def order_send(self, *given: object, **fields: object) -> Struct | None:
        """Send a trade request, as one dict or as keywords."""
        self._error = SUCCESS
        try:
            request = read_request(given, fields)
        except ArgumentRefused as error:
            self._fail((c.E_INVALID_PARAMS, str(error)))
            return None
        if not self._connected:
            self._fail(NO_CONNECTION)
            return None
        fault = self.faults.take("order_send", deal=request.action == c.TRADE_ACTION_DEAL)
        self._delay(fault)
        if not self._survives(fault, "before"):
            return None
        outcome = self._execute(request, fault)
        return self._answer(request, outcome) if self._survives(fault, "after") else None

    def _execute(self, request: Request, fault: Fault) -> Outcome:
        if fault.retcode and not fault.executes:
            return Outcome(fault.retcode)
        if not self.terminal_trade_allowed:
            return Outcome(c.CLIENT_DISABLES_AT)
        if not (self.server_trade_allowed and self.account.trade_expert):
            return Outcome(c.SERVER_DISABLES_AT)
        outcome = execute(self._broker, request, fault.liquidity)
        if outcome.retcode == c.DONE and fault.placed:
            return Outcome(c.PLACED, outcome.order)
        return Outcome(fault.retcode) if fault.retcode else outcome

    def _answer(self, request: Request, outcome: Outcome) -> Struct:
        self._request_id += 1
        code, order, deal, volume, points = outcome
        book = self._broker.books.get(request.symbol)
        price = bid = ask = 0.0
        if book is not None and code in _PRICED:
            price, bid, ask = points / book.scale, book.bid / book.scale, book.ask / book.scale
        return structs.OrderSendResult(
            (
                code, deal, order, volume / 100, price, bid, ask, describe_retcode(code),
                self._request_id, 0, structs.TradeRequest(request),
            )
        )  # fmt: skip


for _name, _value in CONSTANTS.items():
    setattr(SimulatedTerminal, _name, _value)
