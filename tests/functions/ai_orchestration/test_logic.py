"""Deciding a bar: the model proposes, views can only shrink or stop, and a replay is the same."""

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.ai_orchestration import SignalIssued, SignalWithheld
from functions.ai_orchestration.errors import ModelHashMismatch, ModelUnfit
from functions.ai_orchestration.logic import (
    ModelShelf,
    decide,
    describe_decision,
    load_model,
    replay_decision,
    take_bars,
)
from functions.ai_orchestration.logic.decide import (
    MIN_STOP_POINTS,
    place_exits,
    weigh_views,
)
from functions.ai_orchestration.models import ActiveModel, Decision, ServedModel, View
from tests.support.market_bars import MINUTE_NS, close_bar, make_bars, to_contracts

BARS = to_contracts(make_bars(600, seed=9))


def model_answering(raw, **overrides):
    facts = {
        "version": "test-1",
        "sha256": "a" * 64,
        "card_sha256": "b" * 64,
        "slope": 1.0,
        "intercept": 0.0,
        "min_edge": 0.02,
        "horizon_bars": 15,
        "predict": lambda _: raw,
    }
    return ServedModel(**{**facts, **overrides})


def view(**overrides):
    facts = {
        "view_id": "v",
        "agent": "analyst",
        "stance": "neutral",
        "confidence": 0.5,
        "size_factor": 1.0,
        "veto": False,
    }
    return View(**{**facts, **overrides})


def judge(event, model, *views, any_model=True):
    return decide(
        bar_id=event.bar_id,
        symbol=event.symbol,
        timeframe=event.timeframe,
        bars=take_bars(event),
        model=model,
        any_model=any_model,
        views=views,
    )


def active_for(trained):
    return ActiveModel(
        version=trained.card.version,
        generation=1,
        artifact_key="a",
        card_key="c",
        sha256=trained.sha256,
        card_sha256=trained.card_sha256,
    )


@pytest.mark.parametrize(("raw", "direction"), [(0.6, "buy"), (0.4, "sell")])
def test_a_clear_edge_is_traded_in_its_direction(raw, direction):
    event = close_bar(BARS, 100)
    decision = judge(event, model_answering(raw))
    signal = describe_decision(event, decision)
    assert isinstance(signal, SignalIssued)
    assert signal.direction == direction
    assert signal.size_factor == 1.0
    assert signal.horizon_s == 900
    assert signal.as_of == event.closed_at
    assert (signal.expires_at - signal.as_of).total_seconds() == 120
    assert signal.target_distance >= signal.stop_distance >= MIN_STOP_POINTS


@pytest.mark.parametrize("raw", [0.5, 0.51, 0.49])
def test_an_edge_below_cost_is_withheld_with_its_probability(raw):
    event = close_bar(BARS, 100)
    withheld = describe_decision(event, judge(event, model_answering(raw)))
    assert isinstance(withheld, SignalWithheld)
    assert withheld.reason == "edge_below_cost"
    assert withheld.probability == pytest.approx(raw)


def test_a_probability_of_one_half_is_no_direction_even_without_a_threshold():
    event = close_bar(BARS, 100)
    decision = judge(event, model_answering(0.5, min_edge=0.0))
    assert decision.outcome.reason == "edge_below_cost"


def test_the_reasons_for_no_decision_are_told_apart():
    warm, cold = close_bar(BARS, 100), close_bar(BARS, 30)
    assert judge(warm, None, any_model=False).outcome.reason == "no_model"
    assert judge(warm, None, any_model=True).outcome.reason == "symbol_not_modelled"
    assert judge(cold, model_answering(0.9)).outcome.reason == "warmup"
    moved = [
        bar.model_copy(update={"open_ns": bar.open_ns + (3_000 * MINUTE_NS if i > 80 else 0)})
        for i, bar in enumerate(BARS)
    ]
    assert judge(close_bar(moved, 100), model_answering(0.9)).outcome.reason == "gap_in_bars"


def test_a_veto_or_a_size_of_nothing_stops_the_trade():
    event = close_bar(BARS, 100)
    for careful in (view(veto=True), view(size_factor=0.0)):
        assert judge(event, model_answering(0.6), careful).outcome.reason == "vetoed"


def test_the_most_careful_view_sets_the_size():
    event = close_bar(BARS, 100)
    decision = judge(event, model_answering(0.6), view(size_factor=0.7), view(size_factor=0.4))
    assert decision.outcome.size_factor == 0.4


def test_one_view_against_the_direction_shrinks_and_several_stop_the_trade():
    event = close_bar(BARS, 100)
    model = model_answering(0.6)
    strong, mild = view(stance="bearish", confidence=0.8), view(stance="bearish", confidence=0.6)
    assert judge(event, model, strong).outcome.size_factor == 0.6
    assert judge(event, model, mild).outcome.size_factor == 0.7
    assert judge(event, model, strong, mild).outcome.reason == "views_disagree"
    support = view(stance="bullish", confidence=0.5)
    assert judge(event, model, strong, mild, support).outcome.reason is None


VIEWS = st.builds(
    view,
    stance=st.sampled_from(["bullish", "bearish", "neutral"]),
    confidence=st.floats(0, 1),
    size_factor=st.floats(0, 1),
    veto=st.booleans(),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(VIEWS, max_size=6), VIEWS, st.sampled_from(["buy", "sell"]))
def test_a_view_never_enlarges_a_position(views, one_more, direction):
    before, _ = weigh_views(direction, tuple(views))
    after, reason = weigh_views(direction, (*views, one_more))
    assert 0 <= after <= before <= 1
    if one_more.veto:
        assert reason == "vetoed"


@settings(max_examples=200, deadline=None)
@given(st.floats(0, 1e5), st.integers(1, 240), st.integers(0, 1_000))
def test_exits_are_whole_points_beyond_the_spread(atr, horizon, spread):
    stop, target = place_exits(atr, horizon, spread)
    assert isinstance(stop, int)
    assert isinstance(target, int)
    assert target >= stop >= max(MIN_STOP_POINTS, 3 * spread)


def test_a_stored_decision_replays_to_the_bit(trained):
    model = load_model(active_for(trained), trained.artifact, trained.card_json)
    kinds = set()
    for at in range(20, len(BARS), 7):
        views = (view(size_factor=0.3 + at / 3_000, stance="bearish", confidence=0.1),)
        decision = judge(close_bar(BARS, at), model, *views)
        stored = Decision.from_trace(json.loads(json.dumps(decision.to_trace())))
        assert replay_decision(stored, model) == stored
        assert json.dumps(stored.to_trace()) == json.dumps(decision.to_trace())
        kinds.add(decision.outcome.reason)
    assert {None, "edge_below_cost", "warmup"} <= kinds


def test_history_beyond_the_window_changes_no_decision(trained):
    model = load_model(active_for(trained), trained.artifact, trained.card_json)
    short, long = close_bar(BARS, 300), close_bar(BARS, 300, history=200)
    assert judge(short, model) == judge(long, model)


def test_a_model_learned_from_this_market_finds_signals_in_it(trained):
    model = load_model(active_for(trained), trained.artifact, trained.card_json)
    outcomes = [judge(close_bar(BARS, at), model).outcome for at in range(63, len(BARS))]
    signals = [outcome for outcome in outcomes if outcome.reason is None]
    assert 0 < len(signals) < 0.6 * len(outcomes)


@pytest.mark.parametrize("what", ["artifact", "card"])
def test_a_file_that_differs_from_the_registry_is_refused(trained, what):
    artifact, card = trained.artifact, trained.card_json
    if what == "artifact":
        artifact = artifact[:-1] + bytes([artifact[-1] ^ 1])
    else:
        card = card.replace(b'"min_edge": 0', b'"min_edge":  0')
    with pytest.raises(ModelHashMismatch, match=what):
        load_model(active_for(trained), artifact, card)


def rewrite(trained, **changes):
    card = json.dumps({**json.loads(trained.card_json), **changes}).encode()
    active = replace(active_for(trained), card_sha256=hashlib.sha256(card).hexdigest())
    return active, card


def test_a_card_of_another_artifact_is_refused(trained):
    active, card = rewrite(trained, artifact_sha256="f" * 64)
    with pytest.raises(ModelHashMismatch, match="another artifact"):
        load_model(active, trained.artifact, card)


def test_a_model_of_other_features_is_refused(trained):
    active, card = rewrite(trained, feature_set="bars-v0")
    with pytest.raises(ModelUnfit, match="bars-v0"):
        load_model(active, trained.artifact, card)


def test_a_model_that_answers_otherwise_than_its_card_is_refused(trained):
    golden = json.loads(trained.card_json)["golden"]
    golden[3]["raw_probability"] = min(1.0, golden[3]["raw_probability"] + 0.01)
    active, card = rewrite(trained, golden=golden)
    with pytest.raises(ModelUnfit, match="answers"):
        load_model(active, trained.artifact, card)


class CountingFiles:
    """Gives the files and counts the reads."""

    def __init__(self, trained):
        self.files = {"a": trained.artifact, "c": trained.card_json}
        self.reads = 0

    def read(self, key):
        self.reads += 1
        return self.files[key]


def test_a_model_is_read_once_a_process(trained):
    shelf, files = ModelShelf(), CountingFiles(trained)
    assert shelf.take(active_for(trained), files) is shelf.take(active_for(trained), files)
    assert files.reads == 2
