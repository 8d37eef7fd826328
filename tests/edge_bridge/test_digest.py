"""Whatever happened, another engine over the same journal knows the same, to the bit."""

import shutil
import tempfile
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.ids import uuid7
from contracts.subscription_service import QuotaExhausted
from contracts.trading_engine import (
    AccountUnlinked,
    EngageKillSwitch,
    NewsCalendarPublished,
    ReleaseKillSwitch,
    TradingLimitsChanged,
)
from contracts.trading_limits import ExitPlan, NewsWindow, TradingLimits
from edge_bridge.engine.engine import Engine
from edge_bridge.engine.risk import RiskLimits
from edge_bridge.link.journal import Journal
from edge_bridge.ports import OrderRequest
from edge_bridge.reconcile import Reconciler
from tests.edge_bridge.cloud import entitle, link_account
from tests.edge_bridge.desk_kit import BID, Edge, copy_state

LIMITS = RiskLimits(cooldown_ns=0, orders_per_minute_max=1_000, drawdown_max_bp=150)
VERSIONS = st.integers(1, 6)
NUMBERS = st.integers(0, 2)
ACTIONS = st.one_of(
    st.tuples(st.just("tick"), st.integers(-400, 400), st.sampled_from((0.5, 20.0, 70.0))),
    st.tuples(st.just("signal"), st.sampled_from(("buy", "sell")), st.sampled_from((60, 600))),
    st.tuples(st.just("again")),
    st.tuples(st.just("restart")),
    st.tuples(st.just("lose"), NUMBERS, st.sampled_from(("before", "after"))),
    st.tuples(st.just("refuse"), NUMBERS),
    st.tuples(st.just("hand"), NUMBERS, st.sampled_from(("open", "part", "stops", "close"))),
    st.tuples(st.just("limits"), NUMBERS, VERSIONS, st.booleans()),
    st.tuples(st.just("engage"), NUMBERS, VERSIONS, st.booleans()),
    st.tuples(st.just("release"), NUMBERS, VERSIONS),
    st.tuples(st.just("news"), VERSIONS),
    st.tuples(st.just("plan"), NUMBERS, VERSIONS),
    st.tuples(st.just("unlink"), NUMBERS, VERSIONS),
    st.tuples(st.just("exhausted"), NUMBERS, st.integers(1, 3)),
    st.tuples(st.just("hours"), st.sampled_from((1, 5, 14, 80))),
)
PLAN = ExitPlan(trailing_distance=60, break_even_at=40, partial_close_at=80, time_exit_s=300)


class History:
    """Three tenants: unlimited, five predictions a day, delayed by a minute."""

    def __init__(self, folder: Path) -> None:
        self.edge = edge = Edge(folder, limits=LIMITS)
        edge.tick()
        self.tenants: list[UUID] = [
            edge.add_tenant(1),
            edge.add_tenant(2, plan=entitle(predictions_per_day=5)),
            edge.add_tenant(3, plan=entitle(prediction_delay_s=60)),
        ]
        self.signals: list[Any] = []

    def act(self, action: tuple[Any, ...]) -> None:
        edge = self.edge
        match action:
            case ("tick", move, after_s):
                edge.tick(BID + move, after_s=after_s)
            case ("signal", direction, horizon_s):
                self.signals.append(edge.signal(direction=direction, horizon_s=horizon_s))
                edge.give(self.signals[-1])
            case ("again",) if self.signals:
                edge.give(self.signals[-1].model_copy(update={"signal_id": uuid7()}))
            case ("restart",):
                edge.reopen()
            case ("lose", number, when) if number < len(edge.floor.terminals):
                edge.simulated(number).faults.kill_pipe_next(when)
            case ("refuse", number) if number < len(edge.floor.terminals):
                edge.simulated(number).faults.reject_next()
            case ("hand", number, what):
                self.trade_by_hand(number, what)
            case ("hours", hours):
                edge.clock.advance(hours=hours)
            case (kind, int(), *_) if kind not in ("lose", "refuse"):
                self.tell(action)

    def tell(self, action: tuple[Any, ...]) -> None:
        edge, now = self.edge, self.edge.clock.now()
        if action[0] == "news":
            window = NewsWindow(currency="USD", at=now, title=f"number {action[1]}")
            edge.give(NewsCalendarPublished(version=action[1], windows=(window,)))
            return
        kind, number, version, *rest = action
        account_id = link_account(number + 1).account_id
        limits = TradingLimits(exits=PLAN if rest == [True] else ExitPlan())
        message: Any = {
            "limits": lambda: TradingLimitsChanged(
                account_id=account_id if version % 2 else None, version=version, limits=limits
            ),
            "engage": lambda: EngageKillSwitch(
                command_id=uuid7(), version=version, flatten=rest[0]
            ),
            "release": lambda: ReleaseKillSwitch(
                command_id=uuid7(), version=version, expires_at=now + timedelta(seconds=60)
            ),
            "plan": lambda: entitle(version=version, predictions_per_day=version + 3),
            "unlink": lambda: AccountUnlinked(account_id=account_id, version=version),
            "exhausted": lambda: QuotaExhausted(
                meter="prediction",
                day=now.date(),
                limit=5,
                resets_at=now + timedelta(hours=version),
            ),
        }[kind]()
        edge.give(message, self.tenants[number])

    def trade_by_hand(self, number: int, what: str) -> None:
        desks = list(self.edge.engine.state.desks.values())
        if number >= len(desks) or not desks[number].connect():
            return
        terminal = desks[number].terminal
        positions = terminal.positions()
        if what == "open":
            terminal.send(OrderRequest("hand", "EURUSD", "buy", 5))
        elif positions and what == "part":
            terminal.close_position(positions[0], volume=max(1, positions[0].volume // 3))
        elif positions and what == "stops":
            terminal.move_stops(positions[0], BID - 900, 0)
        elif positions:
            terminal.close_position(positions[0])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(actions=st.lists(ACTIONS, max_size=30))
def test_after_any_history_a_new_engine_over_the_journal_has_the_same_digest(
    actions: list[tuple[Any, ...]],
) -> None:
    with tempfile.TemporaryDirectory() as text:
        history = History(Path(text))
        for number, action in enumerate(actions):
            history.act(action)
            if number % 4 == 3:
                assert history.edge.engine.digest() == history.edge.reload().digest()
        assert history.edge.engine.digest() == history.edge.reload().digest()
        history.edge.close()


class Killed(BaseException):
    """The process ends here."""


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    actions=st.lists(ACTIONS, min_size=3, max_size=16),
    write=st.integers(1, 60),
    after=st.booleans(),
)
def test_killed_at_any_write_the_journal_reads_the_same_every_time(
    actions: list[tuple[Any, ...]], write: int, after: bool
) -> None:
    """And a life that goes on from there still agrees with its journal."""
    with tempfile.TemporaryDirectory() as text:
        history = History(Path(text))
        edge, left = history.edge, write
        really_write = Journal.write

        def write_or_die(journal: Journal, **step: Any) -> None:
            nonlocal left
            left -= 1
            if left == 0 and not after:
                raise Killed
            really_write(journal, **step)
            if left == 0:
                raise Killed

        Journal.write = write_or_die  # type: ignore[method-assign]
        try:
            for action in actions:
                history.act(action)
        except Killed:
            pass
        finally:
            Journal.write = really_write  # type: ignore[method-assign]
        assert read_digest(edge) == read_digest(edge)
        edge.reopen()
        edge.tick()
        assert edge.engine.digest() == edge.reload().digest()
        edge.close()


def read_digest(edge: Edge) -> str:
    """The digest of a new engine over a copy that was opened once before."""
    folder = copy_state(edge.folder)
    Journal(folder / "edge.db").close()
    journal = Journal(folder / "edge.db")
    engine = Engine(journal, edge.clock, lambda _: None, Reconciler(), LIMITS)
    engine.start(edge.now_ns)
    digest = engine.digest()
    journal.close()
    shutil.rmtree(folder)
    return digest


def test_the_digest_sees_every_kind_of_change(tmp_path: Path) -> None:
    history = History(tmp_path)
    edge, seen = history.edge, [history.edge.engine.digest()]
    for action in (
        ("signal", "buy", 600), ("tick", 50, 1.0), ("limits", 0, 1, True), ("news", 1),
        ("plan", 0, 2), ("exhausted", 0, 1), ("engage", 0, 1, False), ("release", 0, 2),
        ("hand", 1, "open"), ("tick", 0, 1.0), ("unlink", 1, 2),
    ):  # fmt: skip
        history.act(action)
        seen.append(edge.engine.digest())
    unchanged = [a for a, b in pairwise(seen) if a == b]
    assert len(unchanged) == 1  # trading by hand is not known before the next look
    edge.close()
