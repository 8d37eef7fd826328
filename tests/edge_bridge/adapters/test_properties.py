"""Whatever happens, the books add up, nothing closes twice and no trigger is missed."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper.money import ONE, divide, symbol_margin
from edge_bridge.adapters.paper.simulated import SimulatedTerminal
from tests.edge_bridge.adapters.terminals import (
    ACCOUNT,
    EURUSD,
    START_NS,
    USDJPY,
    closing,
    deal,
    list_deals,
    list_open,
    pending,
)

SYMBOLS = (
    replace(EURUSD, commission_per_lot=350, swap_long=-7, swap_short=3),
    replace(USDJPY, commission_per_lot=200, swap_long=4, swap_short=-9),
)
SMALL = replace(ACCOUNT, balance=200_000)
MID = {"EURUSD": 110_000, "USDJPY": 102_000}

distances = st.integers(10, 300)
names = st.sampled_from(["EURUSD", "USDJPY"])
volumes = st.sampled_from([0.01, 0.1, 0.37, 1.0])
pauses_s = st.sampled_from([1, 60, 3600, 90_000])
steps = st.one_of(
    st.tuples(st.just("tick"), names, st.integers(-400, 400), pauses_s),
    st.tuples(st.just("open"), names, st.sampled_from([0, 1]), volumes, distances, distances),
    st.tuples(st.just("pending"), names, st.integers(2, 5), volumes, distances),
    st.tuples(st.just("close"), st.integers(0, 5), st.sampled_from([1, 2])),
    st.tuples(st.just("stops"), st.integers(0, 5), distances, distances),
)
runs = st.lists(steps, min_size=5, max_size=60)
Tick = tuple[int, int, int, int, str]


class Run:
    """Play steps on one or more terminals and remember the ticks."""

    def __init__(self, *terminals: SimulatedTerminal) -> None:
        self.terminals = terminals
        self.ticks: list[Tick] = []
        self.now_ns = START_NS
        self.mid = dict(MID)
        for terminal in terminals:
            terminal.initialize()
        for name in MID:
            self.tick(name, 0, 0)

    def tick(self, name: str, move: int, seconds: int) -> None:
        self.now_ns += seconds * 1_000_000_000
        self.mid[name] = max(50_000, self.mid[name] + move)
        bid = self.mid[name]
        self.ticks.append((len(self.ticks), self.now_ns, bid, bid + 7, name))
        for terminal in self.terminals:
            terminal.feed_tick(*self.ticks[-1])

    def play(self, step: tuple[Any, ...]) -> None:
        kind, *rest = step
        if kind == "tick":
            self.tick(*rest)
            return
        for terminal in self.terminals:
            getattr(self, "play_" + kind)(terminal, *rest)

    def price(self, name: str, points: int) -> float:
        scale = 100_000 if name == "EURUSD" else 1_000
        return points / scale

    def play_open(self, terminal: Any, *order: Any) -> None:
        name, side, volume, stop, target = order
        way, base = (1, self.mid[name]) if side == 0 else (-1, self.mid[name] + 7)
        terminal.order_send(
            deal(
                side, volume, sl=self.price(name, base - way * stop),
                tp=self.price(name, base + way * target),
            ) | {"symbol": name}
        )  # fmt: skip

    def play_pending(
        self, terminal: Any, name: str, kind: int, volume: float, distance: int
    ) -> None:
        below = kind in (c.ORDER_TYPE_BUY_LIMIT, c.ORDER_TYPE_SELL_STOP)
        points = self.mid[name] + (-20 - distance if below else 20 + distance)
        order = pending(kind, self.price(name, points), volume=volume, symbol=name)
        terminal.order_send(order)

    def play_close(self, terminal: Any, place: int, part: int) -> None:
        held = list_open(terminal)
        if place < len(held):
            position = held[place]
            volume = max(0.01, round(position.volume / part, 2))
            terminal.order_send(closing(position, volume) | {"symbol": position.symbol})

    def play_stops(self, terminal: Any, place: int, stop: int, target: int) -> None:
        held = list_open(terminal)
        if place < len(held):
            position = held[place]
            name = position.symbol
            buy = position.type == 0
            way, base = (1, self.mid[name]) if buy else (-1, self.mid[name] + 7)
            terminal.order_send(
                action=c.TRADE_ACTION_SLTP, position=position.ticket, symbol=name,
                sl=self.price(name, base - way * stop), tp=self.price(name, base + way * target),
            )  # fmt: skip


def check_books(terminal: SimulatedTerminal) -> None:
    """Balance and positions follow from the deals."""
    deals: Any = terminal.history_deals_get(1, 2**31 - 1)
    account: Any = terminal.account_info()
    cents = sum(
        round(100 * row.profit) + round(100 * row.commission) + round(100 * row.swap)
        for row in deals
    )
    assert round(100 * account.balance) == cents
    floating = sum(row.profit + row.swap for row in list_open(terminal))
    assert abs(account.equity - account.balance - floating) < 1e-6
    open_volume = {row.ticket: round(100 * row.volume) for row in list_open(terminal)}
    volume: dict[int, int] = {}
    for row in deals:
        if row.type == c.DEAL_TYPE_BALANCE:
            continue
        change = round(100 * row.volume)
        if row.entry == c.DEAL_ENTRY_IN:
            assert row.position_id not in volume, "a position is opened once"
            volume[row.position_id] = change
        else:
            volume[row.position_id] -= change
            assert volume[row.position_id] >= 0, "a position is closed at most once"
    assert {ticket: left for ticket, left in volume.items() if left} == open_volume


@given(runs)
@settings(max_examples=120, deadline=None)
def test_balance_and_positions_follow_from_the_deals(steps: list[tuple[Any, ...]]) -> None:
    terminal = SimulatedTerminal(SMALL, SYMBOLS)
    run = Run(terminal)
    for step in steps:
        run.play(step)
        check_books(terminal)


@given(runs, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_a_restart_and_a_second_feed_trigger_nothing_again(
    steps: list[tuple[Any, ...]], chance: Any
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        run = Run(SimulatedTerminal(SMALL, SYMBOLS, journal=path))
        for step in steps:
            run.play(step)
        before = run.terminals[0]
        after = SimulatedTerminal(SMALL, SYMBOLS, journal=path)
        after.initialize()
        for tick in run.ticks[chance.randint(0, min(len(run.ticks), after.last_seq + 1)) :]:
            after.feed_tick(*tick)
        assert list_deals(after) == list_deals(before)
        assert after.account_info() == before.account_info()
        assert after.positions_get() == before.positions_get()
        assert after.orders_get() == before.orders_get()
        before.close_journal()
        after.close_journal()


@given(runs)
@settings(max_examples=120, deadline=None)
def test_bounds_never_miss_what_looking_at_every_tick_finds(steps: list[tuple[Any, ...]]) -> None:
    bounded = SimulatedTerminal(SMALL, SYMBOLS)
    watchful = SimulatedTerminal(SMALL, SYMBOLS)
    _look_at_every_tick(watchful)
    run = Run(bounded, watchful)
    for step in steps:
        run.play(step)
        assert list_deals(bounded) == list_deals(watchful)
    assert bounded.account_info() == watchful.account_info()


def _look_at_every_tick(terminal: SimulatedTerminal) -> None:
    broker: Any = terminal._broker
    arm = broker.arm

    def arm_for_every_tick() -> None:
        arm()
        for book in broker.books.values():
            book.wake_always()

    broker.arm = arm_for_every_tick


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_rounding_is_to_the_nearest_and_symmetric(numerator: int, denominator: int) -> None:
    result = divide(numerator, denominator)
    assert 2 * abs(result * denominator - numerator) <= denominator
    assert divide(-numerator, denominator) == -result


weights = st.integers(90_000, 130_000)


@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.integers(1, 500), weights)))
def test_margin_never_falls_when_a_position_is_added_on_the_larger_side(
    legs: list[tuple[int, int, int]],
) -> None:
    volume = [sum(leg[1] for leg in legs if leg[0] == side) for side in (0, 1)]
    larger = 0 if volume[0] >= volume[1] else 1
    arguments = (10_000_000, 10_000_000, 100 * 100 * 100_000, ONE)
    least = symbol_margin(legs, *arguments)
    assert least >= 0
    if not min(volume):
        assert symbol_margin([*legs, (larger, 100, 110_000)], *arguments) >= least
