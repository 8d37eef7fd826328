"""The Terminal port over any module that looks like MetaTrader5, real or simulated.

What it must never do is send an order twice. A send whose answer is lost is Unknown and stays so:
nothing here retries, and nothing raises after an order has left.
"""

from edge_bridge.adapters import constants as c
from edge_bridge.adapters import mapping
from edge_bridge.adapters.api import RETCODE_NAMES
from edge_bridge.adapters.mapping import Spec
from edge_bridge.adapters.outcomes import EXECUTED, NOT_SENT, UNDECIDED, is_refusal, refuse
from edge_bridge.adapters.reader import ModuleReader
from edge_bridge.ports import (
    Action,
    Answered,
    CancelRequest,
    CloseRequest,
    OrderRequest,
    Position,
    Rejected,
    SendHandle,
    SendResult,
    StopsRequest,
    SymbolUnknown,
    TerminalUnavailable,
    Unknown,
)


class ModuleTerminal(ModuleReader):
    """The Terminal port; blocking, one account, one thread."""

    def send(self, request: OrderRequest) -> SendResult:
        """Send a market order, at most once."""
        try:
            spec = self._require_tradable(request.symbol)
            price = self._find_price(spec, buy=request.side == "buy")
        except (SymbolUnknown, TerminalUnavailable) as error:
            return _refuse(error)
        return self._send(mapping.write_order(request, spec, price), spec, 0)

    def begin(self, action: Action) -> SendHandle:
        """Send a request and keep its answer: this terminal blocks."""
        match action:
            case OrderRequest():
                return Answered(self.send(action))
            case CloseRequest():
                return Answered(self._close(action))
            case StopsRequest(position, stop_loss, take_profit):
                return Answered(self.move_stops(position, stop_loss, take_profit))
            case CancelRequest(ticket, symbol):
                return Answered(self.cancel_order(ticket, symbol))

    def close_position(
        self,
        position: Position,
        *,
        volume: int | None = None,
        deviation: int = 0,
        magic: int | None = None,
        comment: str = "",
    ) -> SendResult:
        """Close a position or a part of it, at most once."""
        return self._close(CloseRequest(position, volume, deviation, magic, comment))

    def _close(self, close: CloseRequest) -> SendResult:
        position = close.position
        order = OrderRequest(
            client_id="",
            symbol=position.symbol,
            side="sell" if position.side == "buy" else "buy",
            volume=position.volume if close.volume is None else close.volume,
            magic=position.magic if close.magic is None else close.magic,
            deviation=close.deviation,
            comment=close.comment,
        )
        try:
            spec = self._spec(order.symbol)
            price = self._find_price(spec, buy=order.side == "buy")
        except (SymbolUnknown, TerminalUnavailable) as error:
            return _refuse(error)
        fields = mapping.write_order(order, spec, price)
        return self._send(fields | {"position": position.ticket}, spec, position.identifier)

    def move_stops(self, position: Position, stop_loss: int, take_profit: int) -> SendResult:
        """Set stop loss and take profit of a position; nothing to change is an answer too."""
        try:
            spec = self._spec(position.symbol)
        except (SymbolUnknown, TerminalUnavailable) as error:
            return _refuse(error)
        fields: dict[str, object] = {
            "action": c.TRADE_ACTION_SLTP,
            "symbol": position.symbol,
            "position": position.ticket,
            "sl": stop_loss / spec.scale,
            "tp": take_profit / spec.scale,
        }
        return self._send(fields, spec, position.identifier)

    def cancel_order(self, ticket: int, symbol: str) -> SendResult:
        """Remove a pending order."""
        try:
            spec = self._spec(symbol)
        except (SymbolUnknown, TerminalUnavailable) as error:
            return _refuse(error)
        return self._send({"action": c.TRADE_ACTION_REMOVE, "order": ticket}, spec, 0)

    def _find_price(self, spec: Spec, *, buy: bool) -> float:
        """The price to ask for, where the execution mode looks at it."""
        if not spec.needs_price:
            return 0.0
        row = self._module.symbol_info_tick(spec.symbol)
        if row is None:
            raise self._unavailable(f"no tick of {spec.symbol}")
        return row.ask if buy else row.bid

    def _send(self, fields: dict[str, object], spec: Spec, position: int) -> SendResult:
        row = self._module.order_send(fields)
        if row is None:
            code, message = self._module.last_error()
            return refuse(code, message) if code in NOT_SENT else Unknown(code, message)
        if row.retcode in EXECUTED:
            return mapping.read_answer(row, spec.scale, position or self._find_opened(row.order))
        reason = RETCODE_NAMES.get(row.retcode, row.comment)
        if row.retcode in UNDECIDED or not is_refusal(row.retcode):
            return Unknown(row.retcode, reason)
        return refuse(row.retcode, reason)

    def _find_opened(self, order: int) -> int:
        """A position's identifier: the opening order's ticket, on hedging accounts. On netting
        ones an older position may have grown, so it is left to the deals (0)."""
        return order if self._hedging else 0


def _refuse(error: SymbolUnknown | TerminalUnavailable) -> Rejected:
    """Refuse a request that has not left yet."""
    code = c.INVALID if isinstance(error, SymbolUnknown) else c.CONNECTION
    return refuse(code, str(error))
