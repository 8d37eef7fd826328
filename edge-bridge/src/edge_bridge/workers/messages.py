"""What the frames say, as plain lists: the port's values as rows, in the order of their fields.

Passwords are not among the messages: a worker gets its own with its key, over a pipe that nobody
else holds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from operator import attrgetter
from typing import Any, Literal, NamedTuple, TypeVar

from edge_bridge.values import (
    AccountState,
    Action,
    Bar,
    CancelRequest,
    CloseRequest,
    Deal,
    Done,
    Instrument,
    OrderRequest,
    PendingOrder,
    Position,
    Quote,
    Rejected,
    SendResult,
    StopsRequest,
    Unknown,
)
from edge_bridge.workers.wire import WireBroken

_T = TypeVar("_T")
SYMBOLS_MAX = 256
"""Watched by one worker."""
Row = list[Any]
Asked = Literal["deals", "bars", "ticks"]


class FeedMark(NamedTuple):
    """Where a feed of a symbol ended: the time of its last tick, and the prices of that time."""

    symbol: str
    time_ns: int
    seen: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Opening:
    """Which terminal a worker opens, and how often it looks. Holds no secret.

    `path` is the terminal's program, or for paper the file of the broker's books. `symbols` are the
    broker's names and digits; those of `feed` are read tick by tick.
    """

    account_id: str
    mode: Literal["paper", "live"]
    login: int
    server: str
    path: str
    symbols: tuple[tuple[str, int], ...]
    feed: tuple[str, ...] = ()
    feed_from: tuple[FeedMark, ...] = ()
    currency: str = "USD"
    balance: int = 0
    leverage: int = 100
    broker_zone: str = "America/New_York"
    broker_ahead_hours: int = 7
    connect_timeout_ms: int = 60_000
    state_ms: int = 200
    """Between two readings of account, positions, orders and quotes."""
    sign_ms: int = 1_000
    """Between two signs of life when nothing changed."""
    rules_ms: int = 60_000
    """Between two readings of a symbol's rules."""
    feed_ms: int = 20


@dataclass(slots=True)
class State:
    """What changed at a terminal since the last state; None is unchanged."""

    at_ns: int
    """The machine's monotonic clock when it was read."""
    market: int = 0
    """The newest market frame that has had its effect."""
    account: AccountState | None = None
    positions: list[Position] | None = None
    orders: list[PendingOrder] | None = None
    quotes: list[Quote] = field(default_factory=list)
    rules: dict[str, Instrument | None] = field(default_factory=dict)
    """None: the broker does not list the symbol."""


def _make_codec(kind: type[_T]) -> tuple[Callable[[_T], Row], Callable[[Row], _T]]:
    names = [each.name for each in fields(kind)]  # type: ignore[arg-type]  # dataclasses all
    get = attrgetter(*names)

    def write(value: _T) -> Row:
        return list(get(value))

    def read(row: Row) -> _T:
        return kind(*row)

    return write, read


write_account, read_account = _make_codec(AccountState)
write_position, read_position = _make_codec(Position)
write_pending, read_pending = _make_codec(PendingOrder)
write_quote, read_quote = _make_codec(Quote)
write_deal, read_deal = _make_codec(Deal)
write_bar, read_bar = _make_codec(Bar)
_write_opening, _read_opening = _make_codec(Opening)
_write_order, _read_order = _make_codec(OrderRequest)
_write_cancel, _read_cancel = _make_codec(CancelRequest)
_DECIMALS = [
    place for place, each in enumerate(fields(Instrument)) if each.type in (Decimal, "Decimal")
]
_write_rules, _read_rules = _make_codec(Instrument)


def write_instrument(value: Instrument) -> Row:
    """Write a symbol's rules; decimals as texts."""
    row = _write_rules(value)
    for place in _DECIMALS:
        row[place] = str(row[place])
    return row


def read_instrument(row: Row) -> Instrument:
    """Read a symbol's rules."""
    row = list(row)
    for place in _DECIMALS:
        row[place] = Decimal(row[place])
    return _read_rules(row)


def write_opening(opening: Opening) -> Row:
    """Write which terminal to open."""
    marks = [list(mark) for mark in opening.feed_from]
    return _write_opening(replace(opening, feed_from=marks))  # type: ignore[arg-type]  # as rows


def read_opening(row: Row) -> Opening:
    """Read which terminal to open."""

    def read(row: Row) -> Opening:
        opening = _read_opening(row)
        marks = ((name, ns, tuple((b, a) for b, a in seen)) for name, ns, seen in opening.feed_from)
        return replace(
            opening,
            symbols=tuple((name, digits) for name, digits in opening.symbols),
            feed=tuple(opening.feed),
            feed_from=tuple(FeedMark(*mark) for mark in marks),
        )

    return guard(read, row)


def write_action(action: Action, deadline_ns: int) -> Row:
    """Write a request; after the deadline (monotonic) it must not be executed any more."""
    match action:
        case OrderRequest():
            return [deadline_ns, "order", _write_order(action)]
        case CloseRequest(position, volume, deviation, magic, comment):
            row = [write_position(position), volume, deviation, magic, comment]
            return [deadline_ns, "close", row]
        case StopsRequest(position, stop_loss, take_profit):
            return [deadline_ns, "stops", [write_position(position), stop_loss, take_profit]]
        case CancelRequest():
            return [deadline_ns, "cancel", _write_cancel(action)]


_ACTIONS: Mapping[str, Callable[[Row], Action]] = {
    "order": _read_order,
    "close": lambda row: CloseRequest(read_position(row[0]), *row[1:]),
    "stops": lambda row: StopsRequest(read_position(row[0]), *row[1:]),
    "cancel": _read_cancel,
}


def read_action(content: Row) -> tuple[int, Action]:
    """Read a request and its deadline."""

    def read(row: Row) -> tuple[int, Action]:
        deadline_ns, kind, fields_ = row
        return int(deadline_ns), _ACTIONS[kind](fields_)

    return guard(read, content)


_RESULTS: Mapping[str, type[Done] | type[Rejected] | type[Unknown]] = {
    "done": Done,
    "rejected": Rejected,
    "unknown": Unknown,
}
_write_done, _ = _make_codec(Done)


def write_result(result: SendResult) -> Row:
    """Write the answer to a request."""
    match result:
        case Done():
            return ["done", *_write_done(result)]
        case Rejected(code, reason, kind):
            return ["rejected", code, reason, kind]
        case Unknown(code, reason):
            return ["unknown", code, reason]


def read_result(content: Row) -> SendResult:
    """Read the answer to a request."""
    return guard(lambda row: _RESULTS[row[0]](*row[1:]), content)


def write_state(state: State) -> dict[str, Any]:
    """Write what changed."""
    content: dict[str, Any] = {"at": state.at_ns, "m": state.market}
    if state.account is not None:
        content["a"] = write_account(state.account)
    if state.positions is not None:
        content["p"] = [write_position(each) for each in state.positions]
    if state.orders is not None:
        content["o"] = [write_pending(each) for each in state.orders]
    if state.quotes:
        content["q"] = [write_quote(each) for each in state.quotes]
    if state.rules:
        content["r"] = {
            name: None if rules is None else write_instrument(rules)
            for name, rules in state.rules.items()
        }
    return content


def read_state(content: dict[str, Any]) -> State:
    """Read what changed."""

    def read(content: dict[str, Any]) -> State:
        return State(
            at_ns=int(content["at"]),
            market=int(content["m"]),
            account=read_account(content["a"]) if "a" in content else None,
            positions=_read_all(read_position, content.get("p")),
            orders=_read_all(read_pending, content.get("o")),
            quotes=[read_quote(row) for row in content.get("q", ())],
            rules={
                name: None if row is None else read_instrument(row)
                for name, row in content.get("r", {}).items()
            },
        )

    return guard(read, content)


def _read_all(read: Callable[[Row], _T], rows: Sequence[Row] | None) -> list[_T] | None:
    return None if rows is None else [read(row) for row in rows]


def guard(read: Callable[[Any], _T], content: Any) -> _T:
    """Read content that came over the wire. Raises WireBroken when it has another shape."""
    try:
        return read(content)
    except (ArithmeticError, AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise WireBroken(f"content of another shape: {type(error).__name__}") from error
