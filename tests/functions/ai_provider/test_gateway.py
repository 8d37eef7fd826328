"""The OpenAI SDK against a real HTTP sandbox: every way it can fail has a name of ours."""

import json
import socket
import time

import pytest

from functions.ai_provider import errors
from functions.ai_provider.gateway import MAX_REPLY_BYTES, OpenAiGateway
from tests.functions.ai_provider.test_logic import request

BODY = request({"return_60": "0.0012"}).body


def complete(sandbox, deadline_s=5.0):
    return OpenAiGateway(sandbox.secret()).complete(BODY, deadline_s=deadline_s)


def test_an_answer_comes_back_as_it_was_sent(sandbox):
    document = json.loads(complete(sandbox))
    view = json.loads(document["choices"][0]["message"]["content"])
    assert set(view) == {"stance", "confidence", "size_factor", "veto", "rationale"}
    assert document["usage"]["prompt_tokens"] > 0


def error_body(code, message="no"):
    return {"error": {"message": message, "type": "t", "code": code}}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"status": 429, "retry_after": 7}, errors.RateLimited),
        ({"status": 429, "body": error_body("insufficient_quota")}, errors.QuotaExhausted),
        ({"status": 401}, errors.KeyRefused),
        ({"status": 403}, errors.KeyRefused),
        ({"status": 404}, errors.RequestRefused),
        ({"status": 400, "body": error_body("context_length_exceeded")}, errors.ContextTooLong),
        ({"status": 400, "body": error_body("content_filter")}, errors.ContentBlocked),
        ({"status": 400}, errors.RequestRefused),
        ({"status": 500}, errors.ServerFailed),
        ({"status": 502, "body": "<html>bad gateway</html>"}, errors.ServerFailed),
        ({"status": 503}, errors.Overloaded),
        ({"status": 529}, errors.Overloaded),
        ({"status": 504}, errors.TimedOut),
        ({"drop": True}, errors.ConnectionLost),
    ],
)
def test_each_failure_has_its_name_and_is_tried_once(sandbox, fault, expected):
    sandbox.fault(match="/chat/completions", times=1, **fault)
    with pytest.raises(expected) as caught:
        complete(sandbox)
    assert type(caught.value) is expected
    if fault.get("retry_after"):
        assert caught.value.extra["retry_after"] == 7
    assert complete(sandbox)


def test_a_slow_answer_ends_at_the_deadline(sandbox):
    sandbox.fault(match="/chat/completions", delay_ms=3_000)
    started = time.monotonic()
    with pytest.raises(errors.TimedOut):
        complete(sandbox, deadline_s=0.8)
    assert time.monotonic() - started < 2.5


def test_a_dripping_answer_ends_at_the_deadline(sandbox):
    sandbox.fault(match="/chat/completions", drip_ms=200)
    started = time.monotonic()
    with pytest.raises(errors.TimedOut):
        complete(sandbox, deadline_s=1.2)
    assert time.monotonic() - started < 2.5


def test_an_endless_answer_is_cut(sandbox):
    sandbox.fault(match="/chat/completions", status=200, body="x" * (MAX_REPLY_BYTES + 10))
    with pytest.raises(errors.MalformedReply, match="longer"):
        complete(sandbox)


def test_nobody_at_the_address_is_not_ambiguous():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        gateway = OpenAiGateway({"api_key": "k", "base_url": f"http://127.0.0.1:{port}/v1"})
        with pytest.raises(errors.NotReached) as caught:
            gateway.complete(BODY, deadline_s=2)
    assert not caught.value.ambiguous


@pytest.mark.parametrize("kind", [errors.TimedOut, errors.ConnectionLost])
def test_what_may_have_been_charged_is_marked_ambiguous(kind):
    assert kind.ambiguous
    assert kind.retryable
