"""A decision as the event that the rest of the house hears."""

from datetime import timedelta

from contracts.ai_orchestration import SignalIssued, SignalWithheld
from contracts.data_bridge import BarClosed
from contracts.ids import derived_id
from functions.ai_orchestration.models import Decision

EXPIRES_AFTER = timedelta(seconds=120)


def describe_decision(event: BarClosed, decision: Decision) -> SignalIssued | SignalWithheld:
    """Exactly one event a bar; ids follow from the bar, so that saying it twice is once."""
    outcome = decision.outcome
    decision_id = derived_id("decision", event.bar_id)
    if outcome.direction is None:
        assert outcome.reason is not None
        return SignalWithheld(
            decision_id=decision_id,
            bar_id=event.bar_id,
            symbol=event.symbol,
            timeframe=event.timeframe,
            reason=outcome.reason,
            as_of=event.closed_at,
            probability=outcome.probability,
        )
    assert outcome.probability is not None
    assert outcome.size_factor is not None
    assert outcome.stop_distance is not None
    assert outcome.target_distance is not None
    assert outcome.horizon_s is not None
    assert decision.model_version is not None
    return SignalIssued(
        signal_id=derived_id("signal", event.bar_id),
        decision_id=decision_id,
        bar_id=event.bar_id,
        symbol=event.symbol,
        digits=event.digits,
        timeframe=event.timeframe,
        direction=outcome.direction,
        probability=outcome.probability,
        size_factor=outcome.size_factor,
        stop_distance=outcome.stop_distance,
        target_distance=outcome.target_distance,
        horizon_s=outcome.horizon_s,
        as_of=event.closed_at,
        expires_at=event.closed_at + EXPIRES_AFTER,
        model_version=decision.model_version,
    )
