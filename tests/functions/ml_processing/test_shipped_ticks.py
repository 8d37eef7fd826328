"""The recording that the project ships: trained in bounds, and told as weak as it is."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

_TRAIN = """
import json, resource
from benchmarks.decision import read_bars, train
trained = train(read_bars(), 12_000)
print(json.dumps({
    "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024,
    "card": json.loads(trained.card_json),
}))
"""


@pytest.fixture(scope="module")
def told():
    done = subprocess.run(
        [sys.executable, "-c", _TRAIN],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_twelve_thousand_bars_train_within_a_functions_memory(told):
    assert told["memory_mb"] < 1_500


def test_the_edge_of_real_bars_is_told_as_weak_as_it_is(told):
    figures = told["card"]["figures"]
    assert 0.44 < figures["auc"] < 0.58
    assert abs(figures["log_loss"] - figures["baseline_log_loss"]) < 0.01
    assert figures["value_after_spread_points"] < figures["value_before_spread_points"]
    assert figures["rows"] > 5_000


def test_the_card_holds_the_window_and_a_threshold_that_lets_some_bars_through(told):
    card = told["card"]
    assert card["trained_from"] < card["trained_to"]
    assert 0 < card["min_edge"] < 0.2
    assert 0.03 < card["figures"]["coverage"] < 0.3
    assert card["parity_max"] <= 1e-4
