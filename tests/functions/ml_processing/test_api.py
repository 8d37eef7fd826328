"""The registry over HTTP: figures as they are, the newest generation marked as served."""

import json

import pytest

from contracts.ids import uuid7
from functions.ml_processing import api
from tests.support.builders import api_event, principal, read_answer


@pytest.fixture
def registry(room, monkeypatch):
    monkeypatch.setattr(api, "_database", lambda: room)
    with room.transaction(None) as tx:
        tx.execute("DELETE FROM models")
        for generation in (1, 2, 3):
            training = uuid7()
            tx.execute(
                "INSERT INTO trainings (training_id, symbol, timeframe, dataset_key, horizon_bars,"
                " seed, state, started_at) VALUES (%s, 'EURUSD', 'M1', 'k', 15, 7, 'promoted',"
                " now())",
                [training],
            )
            tx.execute(
                "INSERT INTO models (model_id, training_id, version, symbol, timeframe,"
                " generation, artifact_key, card_key, sha256, card_sha256, feature_set, candidate,"
                " min_edge, figures, promoted_at) VALUES (%s, %s, %s, 'EURUSD', 'M1', %s, 'a',"
                " 'c', %s, %s, 'bars-v1', 'logistic_regression', 0.01, %s, now())",
                [
                    uuid7(),
                    training,
                    f"v{generation}",
                    generation,
                    "a" * 64,
                    "b" * 64,
                    json.dumps({"auc": 0.51}),
                ],
            )
    return room


def get(path, **parts):
    return read_answer(api.handler(api_event("GET", path, **parts), None))


def test_models_come_newest_first_with_their_figures(registry, tenant):
    status, body = get("/v1/ml/models", principal=principal(tenant))
    assert status == 200
    assert {item["version"]: item["active"] for item in body["items"]} == {
        "v1": False,
        "v2": False,
        "v3": True,
    }
    assert body["items"][0]["figures"] == {"auc": 0.51}
    assert body["next_cursor"] is None


def test_pages_follow_each_other_without_gaps(registry, tenant):
    who, seen, cursor = principal(tenant), [], None
    for _ in range(4):
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        _, body = get("/v1/ml/models", principal=who, query=query)
        seen += [item["version"] for item in body["items"]]
        cursor = body["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == ["v1", "v2", "v3"]


def test_a_stranger_is_not_answered(registry):
    status, body = get("/v1/ml/models")
    assert status == 401
    assert body["code"] == "unauthenticated"
