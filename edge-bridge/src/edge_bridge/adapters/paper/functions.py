"""The module's functions that read or calculate, each one call through the pipe.

`*given` stands for positional-only arguments whose number is checked as the module does: a wrong
one is error -2, not an exception.
"""

from edge_bridge.adapters.paper import calculations, records, views
from edge_bridge.adapters.paper.arguments import read_request, take_exactly
from edge_bridge.adapters.paper.broker import Broker
from edge_bridge.adapters.paper.market_data import MarketData
from edge_bridge.adapters.paper.rates import Records
from edge_bridge.adapters.paper.session import Session
from edge_bridge.adapters.paper.structs import Struct


class Functions(Session):
    """What the module shows of an account and its market."""

    server_trade_allowed: bool
    _broker: Broker
    _market: MarketData

    def account_info(self) -> Struct | None:
        """State of the account."""
        return self._call(
            "account_info",
            lambda: views.show_account(
                self._broker,
                trade_allowed=self.server_trade_allowed and self.account.trade_allowed,
                trade_expert=self.server_trade_allowed and self.account.trade_expert,
            ),
        )

    def symbols_total(self) -> int | None:
        """Number of symbols."""
        return self._call("symbols_total", lambda: len(self._broker.books))

    def symbols_get(self, *given: object, **filters: object) -> tuple[Struct, ...] | None:
        """Symbols, all or of a group=."""
        return self._call("symbols_get", lambda: self._market.list_symbols(_named(given, filters)))

    def symbol_info(self, *given: object) -> Struct | None:
        """(symbol): its rules and prices."""
        return self._call("symbol_info", lambda: self._market.show_symbol(*_one(given)))

    def symbol_info_tick(self, *given: object) -> Struct | None:
        """(symbol): last tick of a selected symbol."""
        return self._call("symbol_info_tick", lambda: self._market.show_tick(*_one(given)))

    def symbol_select(self, *given: object) -> bool:
        """(symbol, enable=True): list a symbol in Market Watch, or take it off."""
        pair = (*given, True) if len(given) == 1 else given
        return bool(self._call("symbol_select", lambda: self._market.select(*_two(pair))))

    def market_book_add(self, *given: object) -> bool:
        """(symbol): subscribe to its market book."""
        return bool(self._call("market_book_add", lambda: self._market.add_book(*_one(given))))

    def market_book_release(self, *given: object) -> bool:
        """(symbol): end a subscription to its market book."""
        return bool(
            self._call("market_book_release", lambda: self._market.release_book(*_one(given)))
        )

    def market_book_get(self, *given: object) -> tuple[Struct, ...] | None:
        """(symbol): the market book that was subscribed to."""
        return self._call("market_book_get", lambda: self._market.show_depth(*_one(given)))

    def copy_rates_from(self, *given: object) -> Records | None:
        """(symbol, timeframe, date, count): bars up to a date."""
        return self._call("copy_rates_from", lambda: self._market.rates_from(*_four(given)))

    def copy_rates_from_pos(self, *given: object) -> Records | None:
        """(symbol, timeframe, start, count): bars counted back from the forming one."""
        return self._call("copy_rates_from_pos", lambda: self._market.rates_from_pos(*_four(given)))

    def copy_rates_range(self, *given: object) -> Records | None:
        """(symbol, timeframe, from, to): bars between two dates."""
        return self._call("copy_rates_range", lambda: self._market.rates_range(*_four(given)))

    def copy_ticks_from(self, *given: object) -> Records | None:
        """(symbol, date, count, flags): ticks from a date on."""
        return self._call("copy_ticks_from", lambda: self._market.ticks_from(*_four(given)))

    def copy_ticks_range(self, *given: object) -> Records | None:
        """(symbol, from, to, flags): ticks between two dates."""
        return self._call("copy_ticks_range", lambda: self._market.ticks_range(*_four(given)))

    def positions_total(self) -> int | None:
        """Number of open positions."""
        return self._call("positions_total", lambda: len(self._broker.ledger.positions))

    def positions_get(self, *given: object, **filters: object) -> tuple[Struct, ...] | None:
        """Open positions, by ticket=, symbol= or group=."""
        return self._call(
            "positions_get",
            lambda: records.get_positions(self._broker, _named(given, filters)),
        )

    def orders_total(self) -> int | None:
        """Number of active orders."""
        return self._call("orders_total", lambda: len(self._broker.ledger.orders))

    def orders_get(self, *given: object, **filters: object) -> tuple[Struct, ...] | None:
        """Active orders, by ticket=, symbol= or group=."""
        return self._call(
            "orders_get",
            lambda: records.get_orders(self._broker, _named(given, filters)),
        )

    def history_orders_total(self, *bounds: object) -> int | None:
        """Number of past orders between two dates."""
        return self._call(
            "history_orders_total",
            lambda: len(records.get_past_orders(self._broker, _two(bounds), {})),
        )

    def history_orders_get(self, *bounds: object, **filters: object) -> tuple[Struct, ...] | None:
        """Past orders between two dates (group=), or by ticket= or position=."""
        return self._call(
            "history_orders_get",
            lambda: records.get_past_orders(self._broker, bounds, filters),
        )

    def history_deals_total(self, *bounds: object) -> int | None:
        """Number of deals between two dates."""
        return self._call(
            "history_deals_total",
            lambda: len(records.get_deals(self._broker, _two(bounds), {})),
        )

    def history_deals_get(self, *bounds: object, **filters: object) -> tuple[Struct, ...] | None:
        """Deals between two dates (group=), or by ticket= or position=."""
        return self._call(
            "history_deals_get",
            lambda: records.get_deals(self._broker, bounds, filters),
        )

    def order_calc_margin(self, *given: object) -> float | None:
        """(type, symbol, volume, price): margin of a trade alone, in the account currency."""
        return self._call(
            "order_calc_margin", lambda: calculations.calc_margin(self._broker, given)
        )

    def order_calc_profit(self, *given: object) -> float | None:
        """(type, symbol, volume, open, close): profit between two prices."""
        return self._call(
            "order_calc_profit", lambda: calculations.calc_profit(self._broker, given)
        )

    def order_check(self, *given: object, **fields: object) -> Struct | None:
        """What a request would do to the account; retcode 0 when it could be sent."""
        return self._call(
            "order_check",
            lambda: calculations.check_order(self._broker, read_request(given, fields)),
        )


def _named(given: tuple[object, ...], filters: dict[str, object]) -> dict[str, object]:
    take_exactly(given, 0)
    return filters


def _one(given: tuple[object, ...]) -> tuple[object]:
    take_exactly(given, 1)
    return (given[0],)


def _two(given: tuple[object, ...]) -> tuple[object, object]:
    take_exactly(given, 2)
    return given[0], given[1]


def _four(given: tuple[object, ...]) -> tuple[object, object, object, object]:
    take_exactly(given, 4)
    return given[0], given[1], given[2], given[3]
