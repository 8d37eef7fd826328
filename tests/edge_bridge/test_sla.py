"""Promises of speed: percentiles are right to a bucket, a breach is told once a window."""

from datetime import timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from contracts.trading_engine import SlaBreached
from edge_bridge.engine.sla import Histogram
from edge_bridge.engine.timing import Timing
from edge_bridge.summary import pick_rank
from tests.edge_bridge.cloud import link_account
from tests.edge_bridge.desk_kit import Edge


@given(
    values=st.lists(st.floats(1, 1e9), min_size=1, max_size=200),
    share=st.sampled_from((0.5, 0.9, 0.99, 1.0)),
)
def test_a_percentile_is_at_most_a_bucket_above_the_true_one(
    values: list[float], share: float
) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    true = pick_rank(sorted(values), share)
    assert true is not None
    assert true * 0.999_999 <= histogram.pick(share) <= true * 1.090_001


def test_nothing_measured_is_no_breach_and_huge_values_stay_bounded() -> None:
    histogram = Histogram()
    assert histogram.pick(0.99) == 0
    histogram.add(1e30)
    assert histogram.pick(0.99) <= 1e30


def test_a_broken_promise_is_told_once_a_window_and_metric(tmp_path: Path) -> None:
    timing = Timing(sla_limits={"decision_to_order_us": 0.001, "order_round_trip_us": 1e12})
    edge = Edge(tmp_path, timing=timing)
    edge.tick()
    tenant = edge.add_tenant()
    edge.give(edge.signal())
    edge.tick()
    assert edge.said(SlaBreached) == []
    edge.clock.advance(seconds=60)
    edge.tick()
    edge.tick()
    (told,) = edge.envelopes(SlaBreached)
    assert told.meta.tenant_id == tenant
    assert told.data.account_id == link_account(1).account_id
    assert (told.data.metric, told.data.limit, told.data.window_s) == (
        "decision_to_order_us", 0.001, 60,
    )  # fmt: skip
    assert told.data.p99 > 0
    edge.clock.advance(seconds=60)
    edge.tick()
    assert len(edge.said(SlaBreached)) == 1
    edge.close()


def test_what_was_measured_can_be_read_by_account(tmp_path: Path) -> None:
    edge = Edge(tmp_path)
    edge.tick()
    edge.add_tenant()
    edge.give(edge.signal(as_of=edge.signal().as_of - timedelta(seconds=1)))
    edge.clock.advance(seconds=60)
    edge.tick()
    measured = edge.engine.measure()
    assert (measured["accounts"], measured["orders_made"], measured["positions"]) == (1, 1, 1)
    p99 = measured["sla_p99"]
    assert isinstance(p99, dict)
    account = link_account(1).account_id
    assert {name for name in p99 if name.endswith(str(account))} == set(p99)
    assert {name.split("/")[0] for name in p99} == {
        "decision_to_order_us", "order_round_trip_us", "tick_age_ms",
    }  # fmt: skip
    edge.close()
