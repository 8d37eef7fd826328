"""The view door: one paid call a question, typed failures, budgets that hold."""

import json

import pytest

from contracts.ai_provider import RequestViews, ViewPublished
from functions.ai_provider import consumer
from functions.ai_provider.consumer import handler
from functions.ai_provider.gateway import OpenAiGateway
from functions.ai_provider.settings import settings
from tests.conftest import REPOSITORY
from tests.functions.ai_provider.test_gateway import error_body
from tests.support.builders import raw_record, sqs_event, wrap

SAMPLES = REPOSITORY / "events/samples/ai_provider"
FACTS = {"return_60": "0.0012", "rsi_14": "61"}


def sent_ids(event):
    return [{"itemIdentifier": record["messageId"]} for record in event["Records"]]


def rows(room, sql):
    with room.transaction(None) as tx:
        return tx.fetch_all(sql)


def months(room):
    found = rows(room, "SELECT scope, reserved_picodollars AS r, spent_picodollars AS s"
                       " FROM budget_months ORDER BY scope")  # fmt: skip
    return {row["scope"]: (row["r"], row["s"]) for row in found}


def test_each_symbol_gets_a_view_that_is_paid_for_exactly(room, sandbox, published):
    command = RequestViews(symbols=("EURUSD", "XAUUSD"), facts=FACTS, ttl_s=3_600)
    assert handler(sqs_event(wrap(command)), None) == {"batchItemFailures": []}
    views = published.messages(ViewPublished)
    assert [view.symbol for view in views] == ["EURUSD", "XAUUSD"]
    cost = sum(view.cost_picodollars for view in views)
    assert cost > 0
    assert months(room) == {"agent:reviewer": (0, cost), "platform": (0, cost)}
    assert {e.meta.tenant_id for e in published.envelopes()} == {None}
    assert len(sandbox.requests()) == 2


def test_a_redelivered_command_is_answered_from_the_store(room, sandbox, published):
    event = sqs_event(wrap(RequestViews(facts=FACTS)))
    handler(event, None)
    before = months(room)
    assert handler(event, None) == {"batchItemFailures": []}
    assert len(published.messages(ViewPublished)) == 1
    assert len(sandbox.requests()) == 1
    assert months(room) == before


def test_a_redelivery_later_in_the_day_is_about_the_same_market_time(
    room, sandbox, published, clock
):
    event = sqs_event(wrap(RequestViews(facts=FACTS)))
    handler(event, None)
    clock.advance(hours=1)
    handler(event, None)
    assert len(sandbox.requests()) == 1


def test_another_command_with_the_same_question_is_not_paid_again(room, sandbox, published, clock):
    for _ in range(2):
        command = RequestViews(facts=FACTS, as_of=clock.now())
        assert handler(sqs_event(wrap(command)), None) == {"batchItemFailures": []}
    assert len(sandbox.requests()) == 1
    assert len(published.messages(ViewPublished)) == 1


def test_a_failure_that_may_pass_brings_the_command_back_for_what_is_missing(
    room, sandbox, published
):
    sandbox.fault(match="XAUUSD", status=503)
    event = sqs_event(wrap(RequestViews(symbols=("EURUSD", "XAUUSD", "GBPUSD"))))
    assert handler(event, None)["batchItemFailures"] == sent_ids(event)
    assert {v.symbol for v in published.messages(ViewPublished)} == {"EURUSD", "GBPUSD"}
    assert handler(event, None) == {"batchItemFailures": []}
    assert len(published.messages(ViewPublished)) == 3
    assert len(sandbox.requests()) == 4
    assert all(reserved == 0 for reserved, _ in months(room).values())


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"reply": {"text": "It will rise, trust me."}}, None),
        ({"reply": {"finish": "content_filter"}}, None),
        ({"reply": {"finish": "length"}}, None),
        ({"status": 400}, "provider_request_refused"),
        ({"status": 401}, "provider_key_refused"),
        ({"status": 429, "body": error_body("insufficient_quota")}, "provider_quota_exhausted"),
        ({"status": 200, "body": "{}"}, "provider_malformed_reply"),
        ({"status": 200, "body": "<html></html>"}, "provider_malformed_reply"),
    ],
)
def test_a_failure_that_will_not_pass_is_no_view_and_no_retry(
    room, sandbox, published, fault, code
):
    sandbox.fault(match="/chat/completions", **fault)
    assert handler(sqs_event(wrap(RequestViews(facts=FACTS))), None) == {"batchItemFailures": []}
    assert published.rows == []
    [attempt] = rows(room, "SELECT state, error_code, cost_picodollars FROM attempts")
    assert attempt["error_code"] == code
    assert len(sandbox.requests()) == 1
    if code is None:
        assert attempt["state"] == "settled"
        assert attempt["cost_picodollars"] > 0


def test_an_unknown_outcome_holds_its_whole_reservation(room, sandbox, published):
    sandbox.fault(match="/chat/completions", drop=True)
    event = sqs_event(wrap(RequestViews(facts=FACTS)))
    assert handler(event, None)["batchItemFailures"] == sent_ids(event)
    [attempt] = rows(room, "SELECT state, reserved_picodollars AS r FROM attempts")
    assert attempt["state"] == "unknown"
    assert months(room)["platform"] == (attempt["r"], 0)
    assert attempt["r"] > 0


def test_a_missing_usage_is_charged_at_the_bound(room, sandbox, published):
    sandbox.fault(match="/chat/completions", reply={"usage": False})
    assert handler(sqs_event(wrap(RequestViews(facts=FACTS))), None) == {"batchItemFailures": []}
    [attempt] = rows(room, "SELECT * FROM attempts")
    assert attempt["usage_reported"] is False
    assert attempt["cost_picodollars"] == attempt["reserved_picodollars"]


@pytest.fixture
def small_budget(room):
    with room.transaction(None) as tx:
        old = tx.fetch_all("SELECT scope, monthly_cap_picodollars AS cap FROM budgets")
        tx.execute("UPDATE budgets SET monthly_cap_picodollars = 1 WHERE scope = 'agent:reviewer'")
    yield
    with room.transaction(None) as tx:
        for row in old:
            tx.execute(
                "UPDATE budgets SET monthly_cap_picodollars = %s WHERE scope = %s",
                [row["cap"], row["scope"]],
            )


def test_a_used_up_budget_asks_nobody_and_sets_nothing_aside(
    room, small_budget, sandbox, published
):
    assert handler(sqs_event(wrap(RequestViews())), None) == {"batchItemFailures": []}
    assert sandbox.requests() == []
    assert months(room) == {}
    assert published.rows == []


def test_a_model_without_a_price_is_not_asked(room, sandbox, published, monkeypatch):
    monkeypatch.setenv("VIEW_MODEL", "gpt-unpriced")
    settings.cache_clear()
    assert handler(sqs_event(wrap(RequestViews())), None) == {"batchItemFailures": []}
    assert sandbox.requests() == []
    assert published.rows == []


def test_a_command_out_of_time_comes_back(room, sandbox, published, monkeypatch):
    monkeypatch.setenv("BATCH_DEADLINE_S", "0.000001")
    settings.cache_clear()
    event = sqs_event(wrap(RequestViews()))
    assert handler(event, None)["batchItemFailures"] == sent_ids(event)
    assert sandbox.requests() == []


def test_a_crash_after_the_call_holds_its_reservation(room, sandbox, published, monkeypatch):
    def crash(*_args, **_parts):
        raise RuntimeError("killed")

    monkeypatch.setattr(OpenAiGateway, "complete", crash)
    event = sqs_event(wrap(RequestViews()))
    assert handler(event, None)["batchItemFailures"] == sent_ids(event)
    assert months(room)["platform"][0] > 0
    monkeypatch.undo()
    assert rows(room, "SELECT state FROM attempts") == [{"state": "reserved"}]
    assert consumer.HANDLERS


def test_a_tenants_command_is_denied(room, sandbox, published, tenant):
    event = sqs_event(wrap(RequestViews(), tenant_id=tenant))
    assert handler(event, None)["batchItemFailures"] == sent_ids(event)
    assert sandbox.requests() == []
    assert published.rows == []


def test_the_schedules_command_and_the_golden_one_are_answered(room, sandbox, published):
    golden = json.loads((SAMPLES / "RequestViews.v1.json").read_text())
    from_bus = json.dumps({"detail-type": "RequestViews", "detail": golden})
    from_schedule = json.dumps({"command": "RequestViews", "data": {"symbols": ["GBPUSD"]}})
    event = {"Records": [raw_record(from_bus), raw_record(from_schedule)]}
    assert handler(event, None) == {"batchItemFailures": []}
    assert len(published.messages(ViewPublished)) == 2
