"""SQL of ai_orchestration: models, views and decisions of the platform, deliveries of tenants."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.ai_orchestration import SignalIssued, SignalWithheld
from contracts.ai_provider import ViewPublished
from contracts.data_bridge import BarClosed
from contracts.ml_processing import ModelPromoted
from contracts.trading_engine import PredictionDelivered
from functions.ai_orchestration.models import ActiveModel, Decision, Situation, View
from kit.db import Transaction

_SITUATION = """
SELECT m.version, m.generation, m.artifact_key, m.card_key, m.sha256, m.card_sha256,
  EXISTS (SELECT 1 FROM active_models) AS any_model,
  (SELECT json_agg(v ORDER BY v.agent) FROM (
    SELECT DISTINCT ON (agent) view_id, agent, stance, confidence, size_factor, veto
    FROM views WHERE symbol = %(symbol)s AND as_of <= %(at)s AND expires_at > %(at)s
    ORDER BY agent, as_of DESC, view_id DESC LIMIT 50) AS v) AS views
FROM (SELECT 1) AS one
LEFT JOIN active_models AS m ON m.symbol = %(symbol)s AND m.timeframe = %(timeframe)s
"""

_VISIBLE = """
SELECT d.signal_id, d.decision_id, d.bar_id, d.symbol, d.digits, d.timeframe, d.direction,
  d.probability, d.size_factor, d.stop_distance, d.target_distance, d.horizon_s, d.as_of,
  d.expires_at, d.model_version, x.visible_at {more}
FROM deliveries AS x JOIN decisions AS d USING (signal_id)
WHERE x.visible_at <= (SELECT as_of + greatest(%(now)s::timestamptz - decided_at, interval '0')
  FROM decisions ORDER BY decided_at DESC, as_of DESC LIMIT 1)
"""
"""Market time now: the newest decision's, plus the wall time since. In a replay it is the
recording's time, so that a delayed tenant waits there too."""


class DecisionStore:
    """What a decision needs, and where it is kept. Platform-wide."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def read_situation(self, symbol: str, timeframe: str, at: datetime) -> Situation:
        """The model to serve and the newest live view of each agent at a market time."""
        row = self._tx.fetch_one(_SITUATION, {"symbol": symbol, "timeframe": timeframe, "at": at})
        assert row is not None
        any_model, views = row.pop("any_model"), row.pop("views") or []
        return Situation(
            model=ActiveModel(**row) if row["sha256"] is not None else None,
            any_model=any_model,
            views=tuple(
                View(
                    view_id=view["view_id"],
                    agent=view["agent"],
                    stance=view["stance"],
                    confidence=float(view["confidence"]),
                    size_factor=float(view["size_factor"]),
                    veto=view["veto"],
                )
                for view in views
            ),
        )

    def add(
        self,
        bar: BarClosed,
        decision: Decision,
        event: SignalIssued | SignalWithheld,
        latency_us: float,
    ) -> bool:
        """Keep a decision; False when the bar was decided before."""
        outcome = decision.outcome
        row = self._tx.fetch_one(
            "INSERT INTO decisions (decision_id, bar_id, signal_id, symbol, digits, timeframe,"
            " as_of, reason, direction, probability, size_factor, stop_distance, target_distance,"
            " horizon_s, expires_at, model_version, latency_us, trace, decided_at) VALUES (%s, %s,"
            " %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (bar_id) DO NOTHING RETURNING decision_id",
            [
                event.decision_id,
                bar.bar_id,
                event.signal_id if isinstance(event, SignalIssued) else None,
                bar.symbol,
                bar.digits,
                bar.timeframe,
                bar.closed_at,
                outcome.reason,
                outcome.direction,
                outcome.probability,
                outcome.size_factor,
                outcome.stop_distance,
                outcome.target_distance,
                outcome.horizon_s,
                event.expires_at if isinstance(event, SignalIssued) else None,
                decision.model_version,
                latency_us,
                json.dumps(decision.to_trace()),
                self._tx.now,
            ],
        )
        return row is not None

    def keep_model(self, event: ModelPromoted) -> bool:
        """Serve this model unless a newer generation is known; False when one is."""
        row = self._tx.fetch_one(
            "INSERT INTO active_models (symbol, timeframe, generation, model_id, version,"
            " artifact_key, card_key, sha256, card_sha256, feature_set)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (symbol, timeframe) DO UPDATE SET generation = excluded.generation,"
            " model_id = excluded.model_id, version = excluded.version,"
            " artifact_key = excluded.artifact_key, card_key = excluded.card_key,"
            " sha256 = excluded.sha256, card_sha256 = excluded.card_sha256,"
            " feature_set = excluded.feature_set"
            " WHERE active_models.generation < excluded.generation RETURNING generation",
            [
                event.symbol,
                event.timeframe,
                event.generation,
                event.model_id,
                event.version,
                event.artifact_key,
                event.card_key,
                event.sha256,
                event.card_sha256,
                event.feature_set,
            ],
        )
        return row is not None

    def keep_view(self, event: ViewPublished) -> None:
        """Keep an agent's view."""
        self._tx.execute(
            "INSERT INTO views (view_id, agent, symbol, provider, model, stance, confidence,"
            " size_factor, veto, rationale, as_of, expires_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (view_id) DO NOTHING",
            [
                event.view_id,
                event.agent,
                event.symbol,
                event.provider,
                event.model,
                event.stance,
                event.confidence,
                event.size_factor,
                event.veto,
                event.rationale,
                event.as_of,
                event.expires_at,
            ],
        )


class SignalStore:
    """A tenant's deliveries, and through them its signals."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def keep_delivery(self, event: PredictionDelivered) -> None:
        """Note that the tenant got a signal."""
        self._tx.execute(
            "INSERT INTO deliveries (tenant_id, signal_id, visible_at) VALUES (%s, %s, %s)"
            " ON CONFLICT (tenant_id, signal_id) DO NOTHING",
            [self._tx.tenant_id, event.signal_id, event.visible_at],
        )

    def list_signals(self, limit: int, cursor: UUID | None) -> list[dict[str, Any]]:
        """Visible signals of the tenant, newest first, after the cursor's signal."""
        return self._tx.fetch_all(
            _VISIBLE.format(more="") + " AND (%(cursor)s::uuid IS NULL OR (d.as_of, d.signal_id) <"
            " (SELECT as_of, signal_id FROM decisions WHERE signal_id = %(cursor)s))"
            " ORDER BY d.as_of DESC, d.signal_id DESC LIMIT %(limit)s",
            {"now": self._tx.now, "cursor": cursor, "limit": limit},
        )

    def find_signal(self, signal_id: UUID, *, with_trace: bool = False) -> dict[str, Any] | None:
        """One visible signal of the tenant, or None."""
        more = ", d.latency_us, d.trace" if with_trace else ""
        return self._tx.fetch_one(
            _VISIBLE.format(more=more) + " AND x.signal_id = %(signal_id)s",
            {"now": self._tx.now, "signal_id": signal_id},
        )
