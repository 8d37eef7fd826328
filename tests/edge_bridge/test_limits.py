"""Settings reach the account they are meant for, narrow only, and outlive the process."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.ids import uuid7
from contracts.trading_engine import (
    NewsCalendarPublished,
    OrderDenied,
    OrderFilled,
    PositionClosed,
    TradingLimitsChanged,
)
from contracts.trading_limits import LossLimit, NewsWindow, Sizing, TradingLimits
from edge_bridge.engine.directory import Account
from edge_bridge.engine.limits import LimitBook, LossRule, RiskLimits, narrow_limits
from edge_bridge.engine.pace import SENT_KEPT, SendPace
from edge_bridge.times import instant
from tests.edge_bridge.cloud import entitle, link_account
from tests.edge_bridge.desk_kit import ASK, START_NS, Edge
from tests.edge_bridge.risk_kit import HOUR, MINUTE, NOW, S, make_limits

ACCOUNT = link_account(1).account_id
FREE = {"cooldown_s": 0, "drawdown_max_bp": 10_000}


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    edge = Edge(tmp_path, limits=RiskLimits(cooldown_ns=0))
    edge.tick()
    yield edge
    edge.close()


def settle_on(version: int = 1, account_id: Any = None, **own: Any) -> TradingLimitsChanged:
    return TradingLimitsChanged(account_id=account_id, version=version, limits=TradingLimits(**own))


def reasons(edge: Edge) -> list[str]:
    return [event.reason for event in edge.said(OrderDenied)]


def test_settings_only_narrow_what_platform_and_link_allow() -> None:
    linked = link_account(1, max_open_positions=3, risk_per_trade_bp=40)
    wide = TradingLimits(
        collar_bp=1_000, quote_age_max_ms=600_000, orders_per_minute_max=600, cooldown_s=0,
        positions_max=500, margin_level_min_bp=0, drawdown_max_bp=10_000,
        sizing=Sizing(risk_bp=500, kelly_cap_bp=500), leverage_max_bp=10**9,
    )  # fmt: skip
    found = narrow_limits(RiskLimits(), wide, linked)
    assert (found.collar_bp, found.quote_age_max_ns, found.orders_per_minute_max) == (
        20,
        MINUTE,
        10,
    )
    assert (found.cooldown_ns, found.positions_max, found.margin_level_min_bp) == (
        MINUTE,
        3,
        20_000,
    )
    assert (found.drawdown_max_bp, found.leverage_max_bp) == (2_000, 1_000_000)
    assert (found.size.risk_bp, found.size.kelly_cap_bp, found.size.cap_bp) == (40, 40, 40)
    narrow = narrow_limits(RiskLimits(), TradingLimits(collar_bp=5, cooldown_s=600), linked)
    assert (narrow.collar_bp, narrow.cooldown_ns) == (5, 600 * S)


def test_the_links_daily_loss_stands_beside_the_owners_own() -> None:
    own = LossLimit(period="day", basis="equity", max_bp=2_000, close_positions=True)
    found = make_limits(losses=(own,))
    linked = LossRule("day", "equity", 1_000, close=False)
    assert found.losses == (linked, LossRule("day", "equity", 2_000, close=True))


def test_without_settings_the_platforms_or_its_defaults_hold() -> None:
    linked = link_account(1, risk_per_trade_bp=120)
    plain = narrow_limits(RiskLimits(cooldown_ns=0, collar_bp=90), None, linked)
    assert (plain.cooldown_ns, plain.collar_bp, plain.size.risk_bp) == (0, 90, 120)
    assert plain.rollover_before_ns == 300 * S
    quiet = RiskLimits(cooldown_ns=0, defaults=TradingLimits(rollover_before_s=0, cooldown_s=0))
    assert narrow_limits(quiet, None, linked).rollover_before_ns == 0
    assert narrow_limits(quiet, TradingLimits(), linked).rollover_before_ns == 300 * S


def test_an_account_has_its_own_settings_else_its_tenants_and_never_a_strangers() -> None:
    tenant, stranger = uuid7(), uuid7()
    account = Account(account_id=ACCOUNT, tenant_id=tenant, version=1, active=True,
                      linked=link_account(1))  # fmt: skip
    book = LimitBook(RiskLimits())

    def volume() -> int | None:
        limits = book.find(account)
        assert limits is not None
        return limits.volume_max

    assert volume() is None
    assert book.take(stranger, settle_on(9, volume_max=1)) is not None
    assert book.take(stranger, settle_on(9, ACCOUNT, volume_max=2)) is not None
    assert book.take(None, settle_on(9, volume_max=3)) is None
    assert volume() is None
    records = [book.take(tenant, settle_on(2, volume_max=40))]
    assert volume() == 40
    records.append(book.take(tenant, settle_on(1, ACCOUNT, volume_max=50)))
    assert volume() == 50
    assert book.take(tenant, settle_on(1, ACCOUNT, volume_max=60)) is None
    assert volume() == 50
    assert book.find(account) is book.find(account)
    again = LimitBook(RiskLimits())
    again.load({record[1]: record[2] for record in records if record})
    found = again.find(account)
    assert found is not None and found.volume_max == 50


def test_limits_are_worked_out_anew_when_the_link_changes() -> None:
    tenant, book = uuid7(), LimitBook(RiskLimits())
    account = Account(account_id=ACCOUNT, tenant_id=tenant, version=1, active=True,
                      linked=link_account(1))  # fmt: skip
    first = book.find(account)
    changed = account.model_copy(update={"linked": link_account(1, max_open_positions=1)})
    second = book.find(changed)
    assert first is not None and second is not None
    assert (first.positions_max, second.positions_max) == (5, 1)
    assert book.find(account.model_copy(update={"linked": None})) is None


def test_settings_hold_from_the_message_on_and_after_a_restart(edge: Edge) -> None:
    tenant = edge.add_tenant()
    edge.give(settle_on(symbols=("XAUUSD",)), tenant)
    edge.give(edge.signal())
    edge.reopen()
    edge.give(edge.signal())
    edge.give(settle_on(2, symbols=None), tenant)
    edge.give(edge.signal())
    assert reasons(edge) == ["symbol_not_allowed"] * 2
    assert len(edge.said(OrderFilled)) == 1


def test_an_account_on_signals_only_gets_its_prediction_and_no_order(edge: Edge) -> None:
    tenant = edge.add_tenant()
    edge.give(settle_on(account_id=ACCOUNT, execution="signal_only"), tenant)
    edge.give(edge.signal())
    assert reasons(edge) == ["signal_only"]


def test_a_loss_limit_that_closes_flattens_the_account_and_stays_through_a_restart(
    edge: Edge,
) -> None:
    tenant = edge.add_tenant()
    losing = LossLimit(period="week", basis="equity", max_bp=30, close_positions=True)
    edge.give(settle_on(losses=(losing,)), tenant)
    edge.give(edge.signal())
    edge.tick(ASK - 130)
    assert [event.reason for event in edge.said(PositionClosed)] == ["loss_limit"]
    edge.tick(after_s=24 * 3_600)
    edge.reopen()
    edge.give(edge.signal())
    assert reasons(edge) == ["weekly_loss_limit"]
    edge.tick(after_s=5 * 24 * 3_600)
    edge.give(edge.signal())
    assert len(edge.said(OrderFilled)) == 2


def test_orders_of_a_local_day_are_counted_through_a_restart(edge: Edge) -> None:
    tenant = edge.add_tenant()
    edge.give(settle_on(orders_per_day_max=2), tenant)
    edge.give(edge.signal())
    edge.reopen()
    edge.give(edge.signal())
    edge.give(edge.signal())
    assert reasons(edge) == ["daily_order_limit"]
    edge.tick(after_s=9 * 3_600)  # midnight in Jakarta has passed, in London it has not
    edge.give(edge.signal())
    assert len(edge.said(OrderFilled)) == 3


def test_entries_rest_around_news_and_after_a_restart_too(edge: Edge) -> None:
    edge.add_tenant()
    window = NewsWindow(currency="USD", at=instant(START_NS + 600 * S), title="Payrolls")
    edge.give(NewsCalendarPublished(version=1, windows=(window,)))
    edge.give(edge.signal())
    edge.tick(after_s=300)
    edge.reopen()
    edge.give(edge.signal())
    edge.tick(after_s=600)
    edge.give(edge.signal())
    assert reasons(edge) == ["news_blackout"]
    assert len(edge.said(OrderFilled)) == 2


def test_nothing_is_opened_before_the_weekend_and_while_the_market_is_closed(edge: Edge) -> None:
    edge.add_tenant()
    for hours in (58.5, 2, 1, 48):  # Friday 18:30, 20:30, 21:30; Sunday 21:30, summer time
        edge.tick(after_s=hours * 3_600)
        edge.give(edge.signal())
    assert reasons(edge) == ["weekend_blackout", "market_closed"]
    assert len(edge.said(OrderFilled)) == 2


def test_a_rollover_is_left_out(edge: Edge) -> None:
    edge.add_tenant()
    edge.tick(after_s=13 * 3_600 - 300)
    edge.give(edge.signal())
    edge.tick(after_s=600)
    edge.give(edge.signal())
    assert reasons(edge) == ["rollover_blackout"]


def test_a_delayed_tier_trades_what_it_may_see(edge: Edge) -> None:
    edge.add_tenant(plan=entitle(prediction_delay_s=60))
    edge.give(edge.signal())
    edge.tick(after_s=61)
    assert reasons(edge) == []
    assert len(edge.said(OrderFilled)) == 1


def test_losses_in_a_row_rest_the_account(edge: Edge) -> None:
    tenant = edge.add_tenant()
    edge.give(settle_on(losses_in_row_max=2, losses_cooldown_s=600, **FREE), tenant)
    for _ in range(2):
        edge.give(edge.signal())
        edge.tick(ASK - 200)
        edge.tick(after_s=120)
    edge.give(edge.signal())
    edge.reopen()
    edge.give(edge.signal())
    edge.tick(after_s=600)
    edge.give(edge.signal())
    assert reasons(edge) == ["losses_in_row"] * 2
    assert len(edge.said(OrderFilled)) == 3


def test_a_volatility_target_waits_until_the_volatility_is_known(edge: Edge) -> None:
    tenant = edge.add_tenant()
    edge.give(settle_on(sizing=Sizing(method="volatility_target")), tenant)
    edge.give(edge.signal())
    for minute in range(40):
        edge.tick(137_000 + 7 * (minute % 3), after_s=60)
    edge.give(edge.signal())
    assert reasons(edge) == ["quote_missing"]
    (filled,) = edge.said(OrderFilled)
    assert 0 < filled.volume <= 25


@pytest.mark.parametrize("latch", ["kill", "reconcile", "news", "limits"])
def test_no_latch_or_limit_holds_an_exit_back(edge: Edge, latch: str) -> None:
    tenant = edge.add_tenant()
    edge.give(edge.signal(horizon_s=60))
    if latch == "kill":
        edge.engine.kill(ACCOUNT)
    elif latch == "reconcile":
        next(iter(edge.engine.state.desks.values())).reconciled = False
    elif latch == "news":
        window = NewsWindow(
            currency="EUR", at=instant(edge.now_ns) + timedelta(seconds=60), title=""
        )
        edge.give(NewsCalendarPublished(version=1, windows=(window,)))
    else:
        edge.give(settle_on(execution="signal_only", symbols=(), pending_orders_max=0), tenant)
    edge.tick(after_s=61)
    assert [event.reason for event in edge.said(PositionClosed)] == ["horizon"]


def test_orders_are_counted_by_minute_and_day_and_too_many_are_not_known() -> None:
    pace, day = SendPace(), NOW - HOUR
    pace.extend([NOW - 2 * HOUR, NOW - 59 * S, NOW - 60 * S])
    assert (pace.count_minute(NOW), pace.count_day(day)) == (1, 2)
    pace.append(NOW)
    assert (pace.count_minute(NOW), pace.count_day(day)) == (2, 3)
    assert pace.count_day(day + 24 * HOUR) == 0
    full = SendPace()
    full.extend(range(NOW, NOW + SENT_KEPT))
    assert full.count_day(day) is None
    assert full.count_day(NOW + 1) == SENT_KEPT - 1
