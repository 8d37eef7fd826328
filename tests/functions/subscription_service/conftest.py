"""What the subscription_service tests share: its database behind its doors, and its messages."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import pytest

from contracts.ids import uuid7
from contracts.trading_engine import PredictionDelivered
from contracts.user_management import EmailVerified
from functions.subscription_service import api, consumer
from kit.db import Database
from tests.support.builders import NOW, sqs_event, wrap

ROOM = "subscription_service"


@pytest.fixture
def database(open_room: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch) -> Database:
    """The room's database, behind both doors."""
    opened = open_room(ROOM)
    monkeypatch.setattr(api, "_database", lambda: opened)
    monkeypatch.setattr(consumer, "_database", lambda: opened)
    return opened


def verified() -> EmailVerified:
    return EmailVerified(
        user_id=uuid7(),
        email="sri@example.com",
        full_name="Sri Wahyuni",
        tenant_name="Wahyuni Capital",
        locale="id",
    )


def delivered(signal_id: UUID | None = None, symbol: str = "EURUSD") -> PredictionDelivered:
    return PredictionDelivered(signal_id=signal_id or uuid7(), symbol=symbol, visible_at=NOW)


@pytest.fixture
def handle(database: Database) -> Callable[..., int]:
    """Give messages to the queue door; returns how many come back."""

    def handle_(*messages: object, tenant: UUID | None, now: datetime | None = None) -> int:
        at = now or database.clock.now()
        event = sqs_event(*(wrap(message, tenant, at) for message in messages))
        return len(consumer.handler(event, None)["batchItemFailures"])

    return handle_
