"""One process of all sandboxes for the session, reset before each test."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.iac.sandbox.stack import ENVIRONMENT, SandboxStack, WebhookReceiver, start_receiver

ROOT = Path(__file__).resolve().parents[3]
READY_WITHIN_S = 20


@pytest.fixture(scope="session")
def running_sandboxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxStack]:
    """Start the real process and wait for its endpoints file."""
    state = tmp_path_factory.mktemp("sandbox")
    endpoints = state / "endpoints.json"
    command = [sys.executable, "-m", "iac.local.sandbox", "--state-dir", str(state)]
    process = subprocess.Popen(
        [*command, "--write-endpoints", str(endpoints)],
        cwd=ROOT,
        env={**os.environ, **ENVIRONMENT},
    )
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while not endpoints.exists() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
        assert endpoints.exists(), f"the sandboxes are not ready, exit code {process.poll()}"
        with httpx.Client(timeout=30) as client:
            yield SandboxStack(json.loads(endpoints.read_text()), client)
    finally:
        process.terminate()
        assert process.wait(timeout=10) == 0


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
