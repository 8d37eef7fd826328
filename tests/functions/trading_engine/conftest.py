"""The room over a real database and a clock that moves when told, from the wall's own instant."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from functions.trading_engine import api, consumer
from kit.db import Database
from tests.support.builders import FixedClock


@pytest.fixture
def clock() -> FixedClock:
    """Starts now: the door judges by the wall's clock whether a second factor is fresh."""
    return FixedClock(datetime.now(UTC))


@pytest.fixture
def database(open_room: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch) -> Database:
    room = open_room("trading_engine")
    monkeypatch.setattr(consumer, "_database", lambda: room)
    monkeypatch.setattr(api, "_database", lambda: room)
    return room
