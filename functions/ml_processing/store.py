"""SQL of ml_processing: trainings and the registry, both the platform's."""

import json
from typing import Any
from uuid import UUID

from contracts.ids import derived_id
from contracts.ml_processing import ModelPromoted, TrainModel
from functions.ml_processing.models import TrainedModel
from kit.db import Transaction


class RegistryStore:
    """What was trained, and which model of a symbol and timeframe is the newest."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def begin(self, command: TrainModel) -> bool:
        """Note the training; False when it has ended before. A crashed one may begin again."""
        row = self._tx.fetch_one(
            "INSERT INTO trainings (training_id, symbol, timeframe, dataset_key, horizon_bars,"
            " seed, started_at) VALUES (%s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (training_id) DO UPDATE SET started_at = trainings.started_at"
            " RETURNING state",
            [
                command.training_id,
                command.symbol,
                command.timeframe,
                command.dataset_key,
                command.horizon_bars,
                command.seed,
                self._tx.now,
            ],
        )
        assert row is not None
        return bool(row["state"] == "running")

    def end(self, training_id: UUID, state: str, reason: str | None = None) -> bool:
        """Close a running training; False when somebody else has closed it."""
        row = self._tx.fetch_one(
            "UPDATE trainings SET state = %s, reason = %s, finished_at = %s"
            " WHERE training_id = %s AND state = 'running' RETURNING training_id",
            [state, reason, self._tx.now, training_id],
        )
        return row is not None

    def promote(
        self, command: TrainModel, trained: TrainedModel, keys: tuple[str, str]
    ) -> ModelPromoted:
        """Give the model the next generation of its symbol and timeframe."""
        card = trained.card
        self._tx.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"promote:{card.symbol}:{card.timeframe}"],
        )
        row = self._tx.fetch_one(
            "SELECT coalesce(max(generation), 0) + 1 AS generation FROM models"
            " WHERE symbol = %s AND timeframe = %s",
            [card.symbol, card.timeframe],
        )
        assert row is not None
        event = ModelPromoted(
            model_id=derived_id("model", command.training_id),
            version=card.version,
            symbol=card.symbol,
            timeframe=card.timeframe,
            artifact_key=keys[0],
            card_key=keys[1],
            sha256=trained.sha256,
            card_sha256=trained.card_sha256,
            feature_set=card.feature_set,
            generation=row["generation"],
        )
        self._insert(command, trained, event)
        return event

    def _insert(self, command: TrainModel, trained: TrainedModel, event: ModelPromoted) -> None:
        self._tx.execute(
            "INSERT INTO models (model_id, training_id, version, symbol, timeframe, generation,"
            " artifact_key, card_key, sha256, card_sha256, feature_set, candidate, min_edge,"
            " figures, promoted_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                event.model_id,
                command.training_id,
                event.version,
                event.symbol,
                event.timeframe,
                event.generation,
                event.artifact_key,
                event.card_key,
                event.sha256,
                event.card_sha256,
                event.feature_set,
                trained.card.candidate,
                trained.card.min_edge,
                json.dumps(trained.card.figures),
                self._tx.now,
            ],
        )

    def list_models(self, limit: int, cursor: UUID | None) -> list[dict[str, Any]]:
        """Models, newest first, after the cursor's model; ``active`` marks the one served."""
        return self._tx.fetch_all(
            "SELECT model_id, version, symbol, timeframe, generation, feature_set, candidate,"
            " min_edge, figures, sha256, promoted_at, generation = (SELECT max(generation)"
            " FROM models AS m WHERE (m.symbol, m.timeframe) = (models.symbol, models.timeframe))"
            " AS active FROM models"
            " WHERE %(cursor)s::uuid IS NULL OR (promoted_at, model_id) <"
            " (SELECT promoted_at, model_id FROM models WHERE model_id = %(cursor)s)"
            " ORDER BY promoted_at DESC, model_id DESC LIMIT %(limit)s",
            {"cursor": cursor, "limit": limit},
        )
