"""Random histories on hedging and netting accounts, with parts filled and stop limits: the books
add up after every step, and the journal gives the same ledger again."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper.simulated import SimulatedTerminal
from tests.edge_bridge.adapters.terminals import list_deals, list_open, pending
from tests.edge_bridge.adapters.test_properties import (
    SMALL,
    SYMBOLS,
    Run,
    _look_at_every_tick,
    distances,
    names,
    steps,
    volumes,
)

EXCHANGE = tuple(replace(each, execution=c.SYMBOL_TRADE_EXECUTION_EXCHANGE) for each in SYMBOLS)
histories = st.lists(
    st.one_of(
        steps,
        st.tuples(st.just("stop_limit"), names, st.sampled_from([6, 7]), volumes, distances),
        st.tuples(st.just("part"), st.sampled_from([0.2, 0.5, 0.9])),
        st.tuples(st.just("rest"), names, st.sampled_from([0, 1]), volumes),
    ),
    min_size=5,
    max_size=50,
)
modes = st.sampled_from([0, 2])


class History(Run):
    """Steps that only some accounts see."""

    def play_stop_limit(
        self, terminal: Any, name: str, kind: int, volume: float, distance: int
    ) -> None:
        way = 1 if kind == c.ORDER_TYPE_BUY_STOP_LIMIT else -1
        stop = self.mid[name] + way * (20 + distance)
        fields = {"volume": volume, "symbol": name}
        limit = self.price(name, stop - way * 15)
        terminal.order_send(pending(kind, self.price(name, stop), stoplimit=limit, **fields))

    def play_part(self, terminal: Any, fraction: float) -> None:
        terminal.fail_next("partial_fill", fraction=fraction)

    def play_rest(self, terminal: Any, name: str, side: int, volume: float) -> None:
        terminal.order_send(
            action=c.TRADE_ACTION_DEAL, symbol=name, type=side, volume=volume,
            type_filling=c.ORDER_FILLING_RETURN,
        )  # fmt: skip


def open_terminal(mode: int, journal: Path | None = None) -> SimulatedTerminal:
    return SimulatedTerminal(replace(SMALL, margin_mode=mode), EXCHANGE, journal=journal)


def check_money(terminal: Any) -> None:
    """Balance is the sum of the deals, equity what is open on top, margin never negative."""
    account, deals = terminal.account_info(), terminal.history_deals_get(1, 2**31 - 1)
    cents = sum(
        round(100 * money)
        for row in deals
        for money in (row.profit, row.commission, row.swap, row.fee)
    )
    assert round(100 * account.balance) == cents
    floating = sum(row.profit + row.swap for row in list_open(terminal))
    assert abs(account.equity - account.balance - floating) < 1e-6
    assert account.margin >= 0
    assert abs(account.margin_free - (account.equity - account.margin)) < 1e-6
    assert (account.margin > 0) == bool(list_open(terminal))


def check_volumes(terminal: Any) -> None:
    """What is open is the signed sum of the deals of its identifier; an order does not more than
    it was asked for."""
    signed: dict[int, int] = {}
    filled: dict[int, int] = {}
    for row in terminal.history_deals_get(1, 2**31 - 1):
        if row.symbol:
            lots = round(100 * row.volume)
            signed[row.position_id] = signed.get(row.position_id, 0) + lots * (1 - 2 * row.type)
            filled[row.order] = filled.get(row.order, 0) + lots
    held = {
        row.identifier: round(100 * row.volume) * (1 - 2 * row.type) for row in list_open(terminal)
    }
    assert {key: value for key, value in signed.items() if value} == held
    for row in (*terminal.history_orders_get(1, 2**31 - 1), *terminal.orders_get()):
        done = round(100 * (row.volume_initial - row.volume_current))
        assert filled.get(row.ticket, 0) == done <= round(100 * row.volume_initial)


@given(histories, modes)
@settings(max_examples=120, deadline=None)
def test_the_books_add_up_after_every_step(history: list[tuple[Any, ...]], mode: int) -> None:
    run = History(open_terminal(mode))
    for step in history:
        run.play(step)
        check_money(run.terminals[0])
        check_volumes(run.terminals[0])
    if not mode:
        symbols = [row.symbol for row in list_open(run.terminals[0])]
        assert len(symbols) == len(set(symbols)), "one position a symbol"


@given(histories, modes, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_a_restored_journal_is_the_same_ledger(
    history: list[tuple[Any, ...]], mode: int, chance: Any
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        run = History(open_terminal(mode, path))
        for step in history:
            run.play(step)
        before, after = run.terminals[0], open_terminal(mode, path)
        after.initialize()
        for tick in run.ticks[chance.randint(0, min(len(run.ticks), after.last_seq + 1)) :]:
            after.feed_tick(*tick)
        books = [vars(each._broker.ledger) for each in (before, after)]
        assert books[0] == books[1]
        assert after.account_info() == before.account_info()
        before.close_journal()
        after.close_journal()


@given(histories, modes)
@settings(max_examples=120, deadline=None)
def test_bounds_never_miss_what_looking_at_every_tick_finds(
    history: list[tuple[Any, ...]], mode: int
) -> None:
    bounded, watchful = open_terminal(mode), open_terminal(mode)
    _look_at_every_tick(watchful)
    run = History(bounded, watchful)
    for step in history:
        run.play(step)
        assert list_deals(bounded) == list_deals(watchful)
    assert bounded.account_info() == watchful.account_info()


falls = st.lists(st.integers(-900, 900), min_size=10, max_size=60)
sides = st.lists(st.tuples(st.sampled_from([0, 1]), volumes), min_size=1, max_size=4)


@given(falls, sides, names)
@settings(max_examples=150, deadline=None)
def test_a_stop_out_comes_at_the_tick_that_makes_it_in_any_kind_of_pair(
    moves: list[int], opened: list[tuple[int, float]], name: str
) -> None:
    bounded, watchful = open_terminal(2), open_terminal(2)
    _look_at_every_tick(watchful)
    run = History(bounded, watchful)
    for side, volume in opened:
        for terminal in run.terminals:
            terminal.order_send(
                action=c.TRADE_ACTION_DEAL, symbol=name, type=side, volume=volume,
                type_filling=c.ORDER_FILLING_IOC,
            )  # fmt: skip
    for move in moves:
        run.tick(name, move, 1)
        assert list_deals(bounded) == list_deals(watchful)
