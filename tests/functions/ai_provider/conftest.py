"""The OpenAI sandbox over real HTTP, and the room's door on the test's database."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from functions.ai_provider import consumer, settings
from tests.iac.sandbox.stack import LLM_KEY
from tests.support.sandboxes import run_sandboxes


class OpenAiSandbox:
    """The sandbox's address and control face."""

    def __init__(self, url: str) -> None:
        self.url = url

    def secret(self) -> dict[str, str]:
        return {"api_key": LLM_KEY, "base_url": f"{self.url}/v1"}

    def fault(self, **spec: Any) -> None:
        answer = httpx.post(f"{self.url}/_sandbox/faults", json=spec, timeout=5)
        assert answer.status_code == 201, answer.text

    def requests(self) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.url}/_sandbox/requests", timeout=5).json()
        rows: list[dict[str, Any]] = answer["requests"] if isinstance(answer, dict) else answer
        return rows


@pytest.fixture(scope="session")
def openai_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_sandboxes(tmp_path_factory.mktemp("sandboxes")) as endpoints:
        yield endpoints["openai"]


@pytest.fixture
def sandbox(openai_url: str) -> OpenAiSandbox:
    httpx.post(f"{openai_url}/_sandbox/reset", timeout=5)
    return OpenAiSandbox(openai_url)


@pytest.fixture
def room(
    open_room: Any, sandbox: OpenAiSandbox, set_secret: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    database = open_room("ai_provider")
    set_secret("openai", sandbox.secret())
    monkeypatch.setattr(consumer, "_database", lambda: database)
    monkeypatch.setenv("VIEW_DEADLINE_S", "5")
    settings.settings.cache_clear()
    with database.transaction(None) as tx:
        tx.execute(
            "DELETE FROM views; DELETE FROM replies; DELETE FROM attempts;"
            " DELETE FROM budget_months; DELETE FROM requests"
        )
    yield database
    settings.settings.cache_clear()
