"""The control face that every sandbox shares, and the process around them."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iac.local.sandbox.llm.analyst import judge
from iac.local.sandbox.llm.schema_fill import SchemaTooDeep, fill_schema
from iac.local.sandbox.recorder import REQUESTS_MAX, Recorder
from tests.iac.sandbox.stack import ENVIRONMENT, SandboxStack

ROOT = Path(__file__).resolve().parents[3]
HTTP_PROVIDERS = ("midtrans", "telegram", "openai", "anthropic", "gemini", "deepseek", "mail")


def test_every_endpoint_is_announced(sandbox: SandboxStack) -> None:
    assert set(sandbox.endpoints) == {*HTTP_PROVIDERS, "smtp"}


@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
def test_every_sandbox_records_faults_and_resets(sandbox: SandboxStack, provider: str) -> None:
    url = f"{sandbox.endpoints[provider]}/some/path"
    sandbox.fault(provider, match="POST /some/path", status=418, body={"tea": True}, times=2)
    assert sandbox.client.post(url, json={"a": 1}).json() == {"tea": True}
    assert sandbox.get(provider, "faults")[0]["times"] == 1
    recorded = sandbox.get(provider, "requests")
    assert (recorded[0]["method"], recorded[0]["path"]) == ("POST", "/some/path")
    assert (recorded[0]["body"], recorded[0]["status"]) == ({"a": 1}, 418)
    sandbox.post(provider, "reset")
    assert sandbox.get(provider, "requests") == sandbox.get(provider, "faults") == []
    assert sandbox.client.post(url).status_code == 404


def test_a_fault_matches_the_body_too(sandbox: SandboxStack) -> None:
    sandbox.fault("openai", match='"needle"', status=503)
    url = f"{sandbox.endpoints['openai']}/v1/chat/completions"
    assert sandbox.client.post(url, json={"x": "hay"}).status_code == 401
    assert sandbox.client.post(url, json={"x": "needle"}).status_code == 503


def test_a_drop_cuts_the_connection_without_an_answer(sandbox: SandboxStack) -> None:
    sandbox.fault("gemini", match="", drop=True)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        sandbox.client.post(f"{sandbox.endpoints['gemini']}/x")
    assert sandbox.get("gemini", "requests")[0]["status"] == "dropped"


@pytest.mark.parametrize(
    "spec", [{}, {"match": "x"}, {"status": 42}, {"status": 500, "surprise": 1}, {"times": 0}]
)
def test_a_malformed_fault_is_refused(sandbox: SandboxStack, spec: dict[str, object]) -> None:
    assert sandbox.post("openai", "faults", **spec).status_code == 400


def test_unknown_settings_are_refused(sandbox: SandboxStack) -> None:
    for provider in HTTP_PROVIDERS:
        assert sandbox.post(provider, "config", surprise=1).status_code == 400
    refused = sandbox.post("midtrans", "config", webhook_url="not a url")
    assert refused.status_code == 400


def test_control_bodies_that_are_not_objects_are_refused(sandbox: SandboxStack) -> None:
    url = f"{sandbox.endpoints['midtrans']}/_sandbox/pay"
    assert sandbox.client.post(url, content=b"[").status_code == 400
    assert sandbox.client.post(url, json=[1]).status_code == 400
    assert sandbox.client.post(url, json={"order_id": "nobody"}).status_code == 404


def test_the_request_ring_is_bounded() -> None:
    recorder = Recorder()
    for _ in range(REQUESTS_MAX + 10):
        recorder.record("GET", "/", "", [], b"")
    kept = recorder.listing(limit=REQUESTS_MAX * 2)
    assert len(kept) == REQUESTS_MAX
    assert kept[0]["n"] == 11


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_the_analyst_stays_in_bounds_whatever_it_reads(prompt: str) -> None:
    opinion = judge(prompt)
    assert opinion == judge(prompt)
    assert 0 <= opinion.confidence <= 1
    assert 0 <= opinion.size_factor <= 1
    assert opinion.stance in ("bullish", "bearish", "neutral")


def test_a_schema_without_an_end_is_refused() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}, "required": ["next"]}
    with pytest.raises(SchemaTooDeep):
        fill_schema({"$defs": {"n": node}, "$ref": "#/$defs/n"}, {}, "seed")


def test_a_process_without_its_keys_says_which(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "iac.local.sandbox", "--state-dir", str(tmp_path)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SANDBOX_")}
    done = subprocess.run(
        [*command, "--write-endpoints", str(tmp_path / "e.json")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "SANDBOX_LLM_KEY" in done.stderr


def test_a_restart_finds_its_old_ports_and_uses_the_webhook_of_the_environment(
    tmp_path: Path,
) -> None:
    endpoints = tmp_path / "e.json"
    command = [sys.executable, "-m", "iac.local.sandbox", "--state-dir", str(tmp_path)]
    base = {"SANDBOX_WEBHOOK_URL": "http://127.0.0.1:9/", "SANDBOX_WEBHOOK_HOST": "api.test"}
    seen = []
    for _ in range(2):
        process = subprocess.Popen(
            [*command, "--write-endpoints", str(endpoints)],
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT, **base},
        )
        deadline = time.monotonic() + 20
        while not endpoints.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        seen.append(json.loads(endpoints.read_text()))
        config = httpx.get(f"{seen[-1]['midtrans']}/_sandbox/config").json()
        process.terminate()
        assert process.wait(timeout=10) == 0
        assert not endpoints.exists()
    assert seen[0] == seen[1]
    assert config["webhook_url"] == "http://127.0.0.1:9/v1/payments/midtrans/notifications"
    assert config["host_header"] == "api.test"
