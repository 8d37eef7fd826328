"""In-process consumers have no queue to give messages back to."""

import pytest


@pytest.fixture(autouse=True)
def no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave visibility timeouts alone; tests/e2e sees them work."""
    monkeypatch.setattr("kit.consumer._return_at_once", lambda _record: None)
