"""What models cost, over HTTP: for the platform's staff alone."""

import pytest

from contracts.ai_provider import RequestViews
from functions.ai_provider import api
from functions.ai_provider.consumer import handler
from tests.support.builders import api_event, principal, read_answer, sqs_event, wrap


@pytest.fixture
def get(room, monkeypatch):
    monkeypatch.setattr(api, "_database", lambda: room)
    return lambda who: read_answer(
        api.handler(api_event("GET", "/v1/ai/usage", principal=who), None)
    )


def test_the_staff_sees_budgets_and_attempts(get, tenant):
    handler(sqs_event(wrap(RequestViews())), None)
    status, body = get(principal(tenant, platform_admin="true"))
    assert status == 200
    spent = {b["scope"]: b["spent_picodollars"] for b in body["budgets"]}
    assert spent["platform"] == spent["agent:reviewer"] > 0
    [attempt] = body["attempts"]
    assert (attempt["state"], attempt["attempts"]) == ("settled", 1)


def test_a_tenant_is_refused(get, tenant):
    status, body = get(principal(tenant))
    assert (status, body["code"]) == (403, "forbidden")


def test_a_stranger_is_not_answered(get):
    assert get(None)[0] == 401
