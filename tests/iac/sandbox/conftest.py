"""One process of all sandboxes for the session, reset before each test."""

from collections.abc import Iterator

import httpx
import pytest

from tests.iac.sandbox.stack import SandboxStack, WebhookReceiver, start_receiver


@pytest.fixture(scope="session")
def running_sandboxes(sandbox_endpoints: dict[str, str]) -> Iterator[SandboxStack]:
    """The session's sandboxes with a client for their control faces."""
    with httpx.Client(timeout=30) as client:
        yield SandboxStack(sandbox_endpoints, client)


@pytest.fixture
def sandbox(running_sandboxes: SandboxStack) -> SandboxStack:
    """Give the sandboxes with nothing in them and no webhooks."""
    for provider in running_sandboxes.endpoints:
        if provider != "smtp":
            assert running_sandboxes.post(provider, "reset").status_code == 200
    for provider in ("midtrans", "telegram"):
        running_sandboxes.post(provider, "config", webhook_url="", host_header="")
    running_sandboxes.post("midtrans", "config", retry_waits_s=[0.02], notify_pending=False)
    return running_sandboxes


@pytest.fixture
def webhook() -> Iterator[WebhookReceiver]:
    """Give a webhook receiver."""
    receiver, server = start_receiver()
    yield receiver
    server.shutdown()
    server.server_close()
