"""Signals become orders: who gets them, how often, and that each is answered for exactly once."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from contracts.envelope import Envelope
from contracts.subscription_service import QuotaExhausted
from contracts.trading_engine import (
    AccountConfirmed,
    AccountUnlinked,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    PredictionDelivered,
)
from tests.edge_bridge.cloud import entitle, link_account
from tests.edge_bridge.desk_kit import ASK, BID, Edge

OUTCOMES = OrderFilled | OrderRejected | OrderDenied


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    edge = Edge(tmp_path)
    edge.tick()
    yield edge
    edge.close()


def reasons(edge: Edge) -> list[str]:
    return [event.reason for event in edge.said(OrderDenied)]


def test_a_signal_is_delivered_and_filled_with_stop_and_target(edge: Edge) -> None:
    tenant = edge.add_tenant()
    signal = edge.signal()
    cause = edge.give(signal)
    prediction, filled = edge.envelopes()
    assert isinstance(prediction.data, PredictionDelivered)
    assert prediction.data.visible_at == signal.as_of
    assert isinstance(filled.data, OrderFilled)
    assert (filled.data.price, filled.data.volume) == (ASK, 25)
    assert (filled.data.stop_loss, filled.data.take_profit) == (ASK - 200, ASK + 300)
    assert filled.data.order_path_us > 0
    for envelope in (prediction, filled):
        assert envelope.meta.tenant_id == tenant
        assert envelope.meta.causation_id == cause.meta.event_id
        assert envelope.meta.correlation_id == cause.meta.correlation_id
    assert edge.journal.read_inbox() == []


def test_a_redelivered_signal_changes_nothing(edge: Edge) -> None:
    edge.add_tenant()
    signal = edge.signal()
    envelope = edge.give(signal)
    before = edge.said()
    edge.give_envelope(envelope)  # the same message
    edge.give(signal)  # the same signal in another message
    assert edge.said() == before


def test_a_second_signal_for_a_bar_is_a_duplicate(edge: Edge) -> None:
    edge.add_tenant()
    signal = edge.signal()
    edge.give(signal)
    edge.give(edge.signal(bar_id=signal.bar_id))
    assert reasons(edge) == ["duplicate_signal"]
    assert len(edge.said(PredictionDelivered)) == 1


def test_every_account_of_every_entitled_tenant_gets_one_outcome(edge: Edge) -> None:
    first = edge.add_tenant(1)
    edge.add_tenant(2, tenant_id=first)
    edge.add_tenant(3, plan=entitle(symbols=("EURUSD",)))
    edge.add_tenant(4, plan=entitle(symbols=("GBPUSD",)))  # not entitled
    edge.give(link_account(5), uuid4())  # a tenant whose plan nobody knows
    edge.give(edge.signal())
    assert len([e for e in edge.said() if isinstance(e, OUTCOMES)]) == 3
    assert len(edge.said(PredictionDelivered)) == 2


def test_an_account_cannot_change_its_tenant(edge: Edge) -> None:
    owner, thief = edge.add_tenant(), uuid4()
    edge.give(entitle(), thief)
    edge.give(link_account(1, version=9), thief)
    edge.give(AccountUnlinked(account_id=link_account(1).account_id, version=9), thief)
    edge.give(AccountUnlinked(account_id=link_account(1).account_id, version=9))  # no tenant
    edge.give(edge.signal())
    assert {envelope.meta.tenant_id for envelope in edge.envelopes()} == {owner}


def test_the_highest_version_wins_in_any_order(edge: Edge) -> None:
    tenant = edge.add_tenant(plan=entitle(version=5, symbols=("EURUSD",)))
    edge.give(entitle(version=4, symbols=("GBPUSD",)), tenant)
    edge.give(AccountUnlinked(account_id=link_account(1).account_id, version=3), tenant)
    edge.give(link_account(1, version=2), tenant)  # late
    edge.give(edge.signal())
    assert edge.said() == []
    edge.give(link_account(1, version=4), tenant)
    edge.give(edge.signal())
    assert len(edge.said(OrderFilled)) == 1


def test_the_edge_confirms_an_account_and_its_end_under_the_askers_correlation(edge: Edge) -> None:
    tenant = edge.add_tenant()
    linked = link_account(1, version=2)
    asked = [edge.give(linked, tenant), edge.give(linked, tenant)]
    ended = edge.give(AccountUnlinked(account_id=linked.account_id, version=3), tenant)
    _, *confirmed = edge.envelopes(AccountConfirmed)
    assert [(each.data.version, each.data.active) for each in confirmed] == [(2, True), (3, False)]
    for told, cause in zip(confirmed, (asked[0], ended), strict=True):
        assert told.meta.tenant_id == tenant
        assert told.meta.correlation_id == cause.meta.correlation_id


def test_the_days_quota_is_counted_once_a_signal_and_resets_with_the_local_day(edge: Edge) -> None:
    tenant = edge.add_tenant(1, plan=entitle(predictions_per_day=2))
    edge.add_tenant(2, tenant_id=tenant)
    for _ in range(3):
        edge.give(edge.signal())
    assert len(edge.said(PredictionDelivered)) == 2
    assert reasons(edge) == ["quota_exhausted"] * 2
    edge.reopen()
    edge.give(edge.signal())
    assert reasons(edge) == ["quota_exhausted"] * 4
    edge.clock.advance(hours=9)  # 17:00 UTC is midnight in Jakarta
    edge.give(edge.signal())
    assert len(edge.said(PredictionDelivered)) == 3


def test_the_meters_word_closes_the_day_and_survives_a_restart(edge: Edge) -> None:
    tenant = edge.add_tenant()
    now = edge.clock.now()
    used_up = QuotaExhausted(
        meter="prediction", day=now.date(), limit=20, resets_at=now + timedelta(hours=9)
    )
    edge.give(used_up.model_copy(update={"meter": "llm_insight"}), tenant)
    edge.give(edge.signal())
    edge.give(used_up, tenant)
    edge.give(edge.signal())
    edge.reopen()
    edge.give(edge.signal())
    assert reasons(edge) == ["quota_exhausted"] * 2
    edge.clock.advance(hours=9)
    edge.give(edge.signal())
    assert len(edge.said(PredictionDelivered)) == 2


def test_a_delayed_tenant_gets_the_signal_after_its_delay_even_after_a_restart(edge: Edge) -> None:
    edge.add_tenant(plan=entitle(prediction_delay_s=60))
    signal = edge.signal()
    edge.give(signal)
    assert edge.said() == []
    edge.tick(after_s=59)
    assert edge.said() == []
    edge.reopen()
    edge.tick(bid=BID + 50, after_s=1)
    prediction, filled = edge.said()
    assert prediction.visible_at == signal.as_of + timedelta(seconds=60)
    assert filled.price == ASK + 50
    edge.tick()
    assert len(edge.said()) == 2


def test_an_expired_signal_is_denied_and_not_counted(edge: Edge) -> None:
    edge.add_tenant()
    signal = edge.signal()
    edge.tick(after_s=120)
    edge.give(signal)
    assert reasons(edge) == ["signal_expired"]
    assert edge.said(PredictionDelivered) == []


def test_a_signal_from_the_future_is_invalid(edge: Edge) -> None:
    edge.add_tenant()
    signal = edge.signal()
    late = {"as_of": signal.as_of + timedelta(seconds=30),
            "expires_at": signal.as_of + timedelta(seconds=90)}  # fmt: skip
    edge.give(edge.signal(**late))
    edge.give(edge.signal(expires_at=signal.as_of))
    assert reasons(edge) == ["signal_invalid"] * 2


def test_entitlement_that_ends_during_the_delay_denies(edge: Edge) -> None:
    tenant = edge.add_tenant(plan=entitle(prediction_delay_s=60))
    edge.give(edge.signal())
    edge.give(entitle(version=2, symbols=("GBPUSD",)), tenant)
    edge.tick(after_s=60)
    assert reasons(edge) == ["symbol_not_entitled"]


def test_a_live_account_without_a_terminal_here_is_denied(edge: Edge) -> None:
    edge.add_tenant(account=link_account(1, mode="live"))
    edge.give(edge.signal())
    assert reasons(edge) == ["account_not_tradable"]


def test_accounts_beyond_the_plan_are_denied(edge: Edge) -> None:
    tenant = edge.add_tenant(1, plan=entitle(paper_accounts=1))
    edge.add_tenant(2, plan=entitle(paper_accounts=1), tenant_id=tenant)
    edge.give(edge.signal())
    assert len(edge.said(OrderFilled)) == 1
    assert reasons(edge) == ["account_not_tradable"]


def test_a_rejected_order_is_reported_with_the_terminals_code(edge: Edge) -> None:
    edge.add_tenant()
    edge.simulated().faults.reject_next(retcode=10019)
    edge.give(edge.signal())
    (rejected,) = edge.said(OrderRejected)
    assert (rejected.retcode, rejected.reason) == (10019, "NO_MONEY")


def test_a_kill_switch_denies_until_resumed_also_after_a_restart(edge: Edge) -> None:
    edge.add_tenant()
    account = link_account(1).account_id
    edge.engine.kill(account)
    edge.give(edge.signal())
    edge.reopen()
    edge.give(edge.signal())
    edge.engine.resume(account)
    edge.tick()
    edge.give(edge.signal())
    assert reasons(edge) == ["kill_switch"] * 2
    assert len(edge.said(OrderFilled)) == 1


def test_without_any_tick_a_signal_is_denied(tmp_path: Path) -> None:
    edge = Edge(tmp_path)
    edge.engine.state.references.clear()
    edge.add_tenant()
    edge.engine.state.references.clear()
    edge.give(edge.signal())
    assert reasons(edge) == ["quote_missing"]
    edge.close()


def test_the_order_rate_is_limited_through_a_restart(edge: Edge) -> None:
    edge.add_tenant(account=link_account(1, max_open_positions=100, risk_per_trade_bp=5))
    for _ in range(10):
        edge.give(edge.signal())
    edge.reopen()
    edge.give(edge.signal())
    assert reasons(edge) == ["order_rate_limit"]


def test_the_end_of_the_market_closes_positions_and_denies_what_was_delayed(edge: Edge) -> None:
    edge.add_tenant(1)
    edge.add_tenant(2, plan=entitle(prediction_delay_s=60))
    edge.give(edge.signal())
    edge.engine.end_market(edge.now_ns)
    assert [event.reason for event in edge.said(PositionClosed)] == ["manual"]
    assert reasons(edge) == ["quote_missing"]
    assert edge.engine.count_positions() == 0


def test_a_message_the_engine_has_no_use_for_is_done(edge: Edge) -> None:
    signal = edge.signal()
    envelope = Envelope.wrap(
        PredictionDelivered(signal_id=signal.signal_id, symbol="EURUSD", visible_at=signal.as_of),
        tenant_id=uuid4(), now=edge.clock.now(),
    )  # fmt: skip
    edge.give_envelope(envelope)
    assert edge.journal.read_inbox() == []
