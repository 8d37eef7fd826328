"""What the checks look at: the scene, one a signal for all accounts, and the picture of an account.

Every piece has a default that denies. Not frozen, because one picture is drawn for every account
while a signal waits; nothing changes one after it was drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass

from contracts.ai_orchestration import SignalIssued
from contracts.trading_engine import AccountLinked
from edge_bridge.engine.calendar import Periods
from edge_bridge.engine.guard import Guard
from edge_bridge.engine.holdings import Holdings
from edge_bridge.engine.sizing import Contractual
from edge_bridge.ports import AccountState, Quote, quick


def _know_no_rollovers(clock: tuple[str, int]) -> tuple[int, int] | None:  # noqa: ARG001
    return None


def _know_no_news(base: str, quoted: str) -> tuple[int, int] | None:  # noqa: ARG001
    return None


def _know_no_correlation(symbol: str) -> int | None:  # noqa: ARG001
    return None


@dataclass(slots=True)
class Scene:
    """A signal and the market it meets; the same for every account. None means not known."""

    now_ns: int
    signal: SignalIssued
    as_of_ns: int
    expires_ns: int
    factor_ppm: int = 0
    """The signal's size factor."""
    win_ppm: int = 0
    """Probability of the signal's direction."""
    reference: Quote | None = None
    """The market data's own last quote."""
    volatility_ppm: int | None = None
    """Yearly, of the reference's M1 closes."""
    week_minute: int | None = None
    """Minute of the UTC week."""
    market_open: bool | None = None
    week_ends_ns: int | None = None
    """When the market closes for the weekend."""
    find_rollovers: Callable[[tuple[str, int]], tuple[int, int] | None] = _know_no_rollovers
    """The last and the next midnight of a broker's clock."""
    find_news: Callable[[str, str], tuple[int, int] | None] = _know_no_news
    """The last and the next event of two currencies."""
    correlate: Callable[[str], int | None] = _know_no_correlation
    """How the signal's symbol moves with another, in basis points; None counts as 10,000."""


@dataclass(slots=True)
class Picture:
    """What is known of an account when a signal comes. None means not known."""

    scene: Scene
    account: AccountLinked | None = None
    state: AccountState | None = None
    state_ns: int = 0
    """When the account was read last."""
    killed: bool = True
    within_plan: bool = False
    due_ns: int = 0
    """When the tenant may see the signal: its age counts from then."""
    contract: Contractual | None = None
    """Of the signal's symbol."""
    quote: Quote | None = None
    """The account's own last quote."""
    orders_in_minute: int | None = None
    orders_today: int | None = None
    holdings: Holdings | None = None
    guard: Guard | None = None
    periods: Periods | None = None
    """The tenant's local day, week and month now."""
    settled: bool = False
    """No order of unknown outcome and no position that is not ours."""


@quick
@dataclass(frozen=True, slots=True)
class Ticket:
    """An order that may leave."""

    volume: int
    price: int
    stop_loss: int
    take_profit: int
