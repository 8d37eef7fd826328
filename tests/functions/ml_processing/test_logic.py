"""Training: what can be learned is learned, what cannot is reported as it is."""

import hashlib
import itertools

import numpy as np
import pytest

from contracts.ids import uuid7
from contracts.ml_processing import ModelCard, TrainModel
from functions.ml_processing.errors import DatasetInvalid, ParityBroken
from functions.ml_processing.logic import train_model
from functions.ml_processing.logic.candidates import CANDIDATES
from functions.ml_processing.logic.examples import check_bars, make_examples
from functions.ml_processing.logic.export import (
    check_parity,
    export_onnx,
    open_session,
    predict_raw,
)
from functions.ml_processing.logic.walk_forward import (
    BLOCKS,
    MIN_SLOPE,
    apply_platt,
    fit_platt,
    split_blocks,
    walk_forward,
)
from kit.feature_set import FEATURES
from tests.support.market_bars import make_bars

HASH = "0" * 64


def order(**overrides):
    return TrainModel(
        training_id=uuid7(), symbol="EURUSD", dataset_key="datasets/bars.npz", **overrides
    )


@pytest.fixture(scope="module")
def trained():
    return train_model(order(), make_bars(4_000), HASH)


def test_a_learnable_market_is_learned_out_of_sample(trained):
    figures = trained.card.figures
    assert figures["auc"] > 0.6
    assert figures["log_loss"] < figures["baseline_log_loss"]
    assert figures["brier"] < figures["baseline_brier"]
    assert figures["accuracy_at_coverage"] > figures["accuracy"] > 0.55


def test_a_coin_toss_is_reported_as_one():
    card = train_model(order(), make_bars(3_000, drift=0.0), HASH).card
    assert abs(card.figures["auc"] - 0.5) < 0.08
    assert card.figures["value_after_spread_points"] < card.figures["value_before_spread_points"]
    assert card.calibration_slope >= MIN_SLOPE


def test_about_an_eighth_of_the_tested_bars_become_signals(trained):
    assert 0.05 < trained.card.figures["coverage"] < 0.25
    assert 0 < trained.card.min_edge < 0.5


def test_the_same_seed_and_bars_give_the_same_bytes(trained):
    again = train_model(order(), make_bars(4_000), HASH)
    assert again.artifact == trained.artifact
    assert again.card_json == trained.card_json


def test_the_card_says_what_a_reader_needs(trained):
    card = ModelCard.model_validate_json(trained.card_json)
    assert card == trained.card
    assert card.features == FEATURES
    assert card.artifact_sha256 == trained.sha256 == hashlib.sha256(trained.artifact).hexdigest()
    assert set(card.libraries) >= {"scikit-learn", "onnxruntime", "skl2onnx"}
    session = open_session(trained.artifact)
    for golden in card.golden:
        row = np.array([golden.features], dtype=np.float32)
        assert float(predict_raw(session, row)[0]) == golden.raw_probability


@pytest.mark.parametrize("name", sorted(CANDIDATES))
def test_every_candidate_survives_its_export(name):
    examples = make_examples(check_bars(make_bars(3_000)), horizon_bars=15, step_s=60)
    model = CANDIDATES[name](7)
    model.fit(examples.features, examples.went_up)
    session = open_session(export_onnx(model, examples.features))
    assert check_parity(model, session, examples.features) < 1e-5


def test_an_export_of_another_model_is_refused():
    examples = make_examples(check_bars(make_bars(2_000)), horizon_bars=15, step_s=60)
    one, other = CANDIDATES["logistic_regression"](7), CANDIDATES["logistic_regression"](7)
    one.fit(examples.features, examples.went_up)
    other.fit(examples.features, 1 - examples.went_up)
    session = open_session(export_onnx(other, examples.features))
    with pytest.raises(ParityBroken):
        check_parity(one, session, examples.features)


class RecordingClassifier:
    """Remembers how much it was shown; always answers one half."""

    def __init__(self, seen):
        self.seen = seen

    def fit(self, features, answers):
        self.seen.append(len(features))

    def predict_proba(self, features):
        return np.full((len(features), 2), 0.5)


def test_no_row_is_learned_whose_answer_lies_in_the_test_block():
    horizon = 15
    examples = make_examples(check_bars(make_bars(2_000)), horizon_bars=horizon, step_s=60)
    seen = []
    walk_forward(lambda _: RecordingClassifier(seen), examples, horizon_bars=horizon, seed=1)
    blocks = split_blocks(examples.bar.size)
    assert len(seen) == len(blocks) == BLOCKS >= 5
    for shown, (first, _) in zip(seen, blocks, strict=True):
        assert examples.bar[shown - 1] + horizon < examples.bar[first]
        assert examples.bar[shown] + horizon >= examples.bar[first]


def test_blocks_cover_the_tested_rows_once():
    blocks = split_blocks(1_003)
    assert blocks[-1][1] == 1_003
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(blocks))


def test_calibration_finds_the_slope_that_made_the_answers():
    random = np.random.default_rng(5)
    raw = random.uniform(0.05, 0.95, 60_000)
    went_up = (random.uniform(size=raw.size) < apply_platt(raw, 0.5, 0.2)).astype(np.int64)
    slope, intercept = fit_platt(raw, went_up, overlap_bars=1)
    assert slope == pytest.approx(0.5, abs=0.03)
    assert intercept == pytest.approx(0.2, abs=0.03)


def test_calibration_never_turns_a_model_upside_down():
    random = np.random.default_rng(5)
    raw = random.uniform(0.05, 0.95, 5_000)
    went_up = (random.uniform(size=raw.size) > raw).astype(np.int64)
    slope, intercept = fit_platt(raw, went_up, overlap_bars=1)
    assert slope == MIN_SLOPE
    assert apply_platt(raw, slope, intercept).mean() == pytest.approx(went_up.mean(), abs=0.05)


def test_answers_do_not_reach_over_a_weekend():
    bars = make_bars(2_000)
    bars["ts_ns"][1_000:] += 2 * 86_400 * 1_000_000_000
    examples = make_examples(check_bars(bars), horizon_bars=15, step_s=60)
    assert not ((examples.bar > 984) & (examples.bar < 1_063)).any()
    assert 984 in examples.bar
    assert 1_063 in examples.bar


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda bars: bars.pop("ticks"), "columns missing: ticks"),
        (lambda bars: bars.update(close=bars["close"] / 1e5), "whole numbers"),
        (lambda bars: bars["ts_ns"].__setitem__(5, bars["ts_ns"][4]), "must grow"),
        (lambda bars: bars["high"].__setitem__(5, 1), "does not hold"),
        (lambda bars: bars["spread"].__setitem__(5, -1), "spreads not below"),
        (lambda bars: bars.update({k: v[:500] for k, v in bars.items()}), "500 bars"),
    ],
)
def test_a_table_that_is_not_bars_is_refused_by_name(spoil, words):
    bars = make_bars(1_500)
    spoil(bars)
    with pytest.raises(DatasetInvalid, match=words):
        train_model(order(), bars, HASH)


def test_a_table_of_holes_leaves_nothing_to_learn():
    bars = make_bars(1_500)
    bars["ts_ns"] = bars["ts_ns"][0] + np.arange(1_500) * 3_600_000_000_000
    with pytest.raises(DatasetInvalid, match="whole window"):
        train_model(order(), bars, HASH)
