"""The HTTP door: every refusal is problem+json with a code, and no failure shows its insides."""

import base64
import json
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import Query
from pydantic import BaseModel, Field

from contracts.ids import uuid7
from contracts.permissions import Deprecation, Route
from kit import api as door
from kit.api import MAX_BODY_BYTES, PROBLEM, CurrentPrincipal, make_app, make_handler, read_json
from kit.context import current
from kit.errors import BadRequest, Conflict, TooManyRequests
from tests.support.builders import api_event, principal, read_answer

TABLE = {
    (method, path): Route(method, path, "sample", access, scope=scope, step_up=step_up)
    for method, path, access, scope, step_up in (
        ("POST", "/v1/orders", "member", "trade", False),
        ("GET", "/v1/orders", "open", "read", False),
        ("POST", "/v1/echo", "open", "read", False),
        ("GET", "/v1/broken", "open", "read", False),
        ("GET", "/v1/taken", "open", "read", False),
        ("GET", "/v1/busy", "open", "read", False),
        ("DELETE", "/v1/orders", "member", "trade", True),
    )
}
app = make_app("sample", "A room for the tests of the door.", TABLE)


class Order(BaseModel):
    symbol: str = Field(max_length=8)
    lots: int = Field(gt=0)


class OrderExists(Conflict):
    """The order is there already."""

    code, title = "order_exists", "The order exists"


@app.post("/v1/orders", status_code=201)
def post_order(body: Order, who: CurrentPrincipal) -> dict[str, Any]:
    return {"symbol": body.symbol, "tenant": str(who.tenant_id), "admin": who.platform_admin}


@app.post("/v1/echo")
def post_echo(body: dict[str, Any]) -> int:
    return len(json.dumps(body))


@app.get("/v1/orders")
def get_orders(limit: Annotated[int, Query(ge=1, le=100)] = 20) -> int:
    return limit


@app.get("/v1/broken")
def get_broken() -> None:
    raise RuntimeError("password=hunter2 at db.internal:5432")


@app.get("/v1/taken")
def get_taken() -> None:
    raise OrderExists("order 7 is there", order_id=7)


@app.get("/v1/busy")
def get_busy() -> None:
    raise TooManyRequests("wait", retry_after=3)


@app.delete("/v1/orders")
def delete_orders(who: CurrentPrincipal) -> str:
    return who.credential


@app.get("/v1/forgotten")
def get_forgotten() -> str:
    return "open by mistake"


@app.get("/v1/correlation")
def get_correlation() -> str:
    context = current()
    assert context is not None
    return str(context.correlation_id)


TABLE["GET", "/v1/correlation"] = Route("GET", "/v1/correlation", "sample", "open")
handler = make_handler(app)


def ask(method: str, path: str, **parts: Any) -> tuple[int, Any, dict[str, str]]:
    answer = handler(api_event(method, path, **parts), None)
    status, body = read_answer(answer)
    return status, body, {name.lower(): value for name, value in answer["headers"].items()}


def assert_problem(status: int, body: Any, headers: dict[str, str], code: str) -> None:
    assert headers["content-type"] == PROBLEM
    assert body["status"] == status
    assert body["code"] == code
    assert body["type"].endswith(f"/{code}")
    assert body["title"]
    assert body["detail"]


def test_the_authorizers_word_reaches_the_route(tenant: UUID) -> None:
    who = principal(tenant, platform_admin="true")
    status, body, _ = ask("POST", "/v1/orders", body={"symbol": "EURUSD", "lots": 1}, principal=who)
    assert (status, body) == (201, {"symbol": "EURUSD", "tenant": str(tenant), "admin": True})


def test_a_tenant_in_the_body_changes_nothing(tenant: UUID, other_tenant: UUID) -> None:
    order = {"symbol": "EURUSD", "lots": 1, "tenant_id": str(other_tenant)}
    _, body, _ = ask("POST", "/v1/orders", body=order, principal=principal(tenant))
    assert body["tenant"] == str(tenant)


@pytest.mark.parametrize("missing", ["tenant_id", "user_id", "role", "tier"])
def test_without_the_authorizers_word_a_request_is_401(tenant: UUID, missing: str) -> None:
    who = principal(tenant)
    del who[missing]
    answer = ask("POST", "/v1/orders", body={"symbol": "EURUSD", "lots": 1}, principal=who)
    assert_problem(*answer, "unauthenticated")
    assert answer[0] == 401


def test_invalid_json_is_400(tenant: UUID) -> None:
    answer = ask("POST", "/v1/orders", body='{"symbol": ', principal=principal(tenant))
    assert answer[0] == 400
    assert_problem(*answer, "bad_request")


NOT_JSON = {
    "nested without end": b"[" * 100_000,
    "no text": b'"\xff\xfe"',
    "endless number": b"9" * 9_999,
}


@pytest.mark.parametrize("raw", NOT_JSON.values(), ids=NOT_JSON)
def test_a_body_that_breaks_the_parser_is_400(tenant: UUID, raw: bytes) -> None:
    event = api_event("POST", "/v1/orders", principal=principal(tenant))
    event["body"], event["isBase64Encoded"] = base64.b64encode(raw).decode(), True
    answer = handler(event, None)
    assert answer["statusCode"] == 400
    assert answer["headers"]["content-type"] == PROBLEM


def test_an_impossible_value_is_422_and_names_its_fields(tenant: UUID) -> None:
    body = {"symbol": "MUCHTOOLONG", "lots": 0}
    answer = ask("POST", "/v1/orders", body=body, principal=principal(tenant))
    assert answer[0] == 422
    assert_problem(*answer, "invalid_value")
    assert [f["field"] for f in answer[1]["fields"]] == ["body.symbol", "body.lots"]
    assert all(f["reason"] for f in answer[1]["fields"])


def test_an_impossible_parameter_is_422() -> None:
    answer = ask("GET", "/v1/orders", query={"limit": "1000"})
    assert answer[0] == 422
    assert answer[1]["fields"][0]["field"] == "query.limit"


def big_body(size: int) -> str:
    return json.dumps({"a": "x" * size})


@pytest.mark.parametrize("headers", [{}, {"content-length": "10"}, {"content-length": "400000"}])
def test_a_body_over_the_limit_is_413_whatever_its_length_says(headers: dict[str, str]) -> None:
    answer = ask("POST", "/v1/echo", body=big_body(MAX_BODY_BYTES), headers=headers)
    assert answer[0] == 413
    assert_problem(*answer, "payload_too_large")


def test_a_big_body_is_counted_after_its_base64_is_undone() -> None:
    event = api_event("POST", "/v1/echo")
    event["body"] = base64.b64encode(big_body(MAX_BODY_BYTES).encode()).decode()
    event["isBase64Encoded"] = True
    assert handler(event, None)["statusCode"] == 413


def test_a_body_at_the_limit_passes() -> None:
    body = big_body(MAX_BODY_BYTES - len(big_body(0)))
    assert len(body) == MAX_BODY_BYTES
    assert ask("POST", "/v1/echo", body=body)[:2] == (200, MAX_BODY_BYTES)


def test_an_unknown_route_is_404() -> None:
    answer = ask("GET", "/v1/nothing")
    assert answer[0] == 404
    assert_problem(*answer, "not_found")


def test_a_wrong_verb_is_405() -> None:
    answer = ask("PUT", "/v1/orders")
    assert answer[0] == 405
    assert answer[2]["content-type"] == PROBLEM
    assert answer[1]["code"] == "http_405"


def test_a_rooms_error_carries_its_code_and_facts() -> None:
    answer = ask("GET", "/v1/taken")
    assert answer[0] == 409
    assert_problem(*answer, "order_exists")
    assert answer[1]["order_id"] == 7


def test_a_refusal_tells_when_to_come_back() -> None:
    status, _, headers = ask("GET", "/v1/busy")
    assert (status, headers["retry-after"]) == (429, "3")


def test_an_unexpected_failure_is_500_and_shows_nothing_of_the_inside() -> None:
    answer = ask("GET", "/v1/broken")
    assert answer[0] == 500
    assert_problem(*answer, "internal_error")
    text = json.dumps(answer[1])
    for secret in ("hunter2", "db.internal", "RuntimeError", "Traceback"):
        assert secret not in text


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/nothing", "/v1/broken"])
def test_every_answer_forbids_sniffing_and_keeping(path: str) -> None:
    _, _, headers = ask("GET", path)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "max-age" in headers["strict-transport-security"]


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_a_room_shows_no_pages_about_itself(path: str) -> None:
    assert ask("GET", path)[0] == 404


def test_json_by_hand_is_read_or_refused() -> None:
    assert read_json('{"a": 1}') == {"a": 1}
    with pytest.raises(BadRequest):
        read_json("{")


def test_a_route_without_a_row_is_closed() -> None:
    assert_problem(*ask("GET", "/v1/forgotten"), "forbidden")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"scope": "read"}, "scope_needed"),
        ({}, "step_up_needed"),
        ({"stepped_up_at": "1700000000"}, "step_up_needed"),
        ({"credential": "api_key", "key_id": str(uuid7())}, "session_needed"),
    ],
)
def test_a_row_that_is_not_met_is_named(tenant: UUID, change: dict[str, str], code: str) -> None:
    answer = ask("DELETE", "/v1/orders", principal=principal(tenant, **change))
    assert answer[0] == 403
    assert_problem(*answer, code)


def test_a_fresh_second_factor_opens_the_row(tenant: UUID) -> None:
    now = str(int(datetime.now(UTC).timestamp()))
    who = principal(tenant, stepped_up_at=now)
    assert ask("DELETE", "/v1/orders", principal=who)[:2] == (200, "session")


def test_an_authorizers_word_does_not_open_what_the_row_of_the_route_closes(tenant: UUID) -> None:
    """The path it judged may be spelled otherwise than the route that is served."""
    who = principal(tenant, verdict="admitted", credential="api_key", key_id=str(uuid7()))
    assert_problem(*ask("DELETE", "/v1/order%73", principal=who), "session_needed")
    assert_problem(*ask("DELETE", "/v1/orders", principal=who), "session_needed")


VERDICTS = [
    ({"verdict": "rate_limited", "retry_after": "2"}, 429, "rate_limited"),
    ({"verdict": "quota_exhausted", "retry_after": "3600"}, 429, "daily_quota_exhausted"),
    ({"verdict": "limiter_unavailable"}, 503, "limiter_unavailable"),
    ({"verdict": "forbidden", "refusal_code": "role_needed"}, 403, "role_needed"),
    ({"verdict": "unlisted"}, 404, "not_found"),
    ({"verdict": "a word of tomorrow"}, 403, "forbidden"),
]


@pytest.mark.parametrize(("word", "status", "code"), VERDICTS)
def test_what_the_authorizer_refused_the_door_refuses(
    tenant: UUID, word: dict[str, str], status: int, code: str
) -> None:
    who = principal(tenant, **word, refusal_detail="because", rate_limit='"burst";r=0;t=2')
    answer = ask("POST", "/v1/echo", body={}, principal=who)
    assert answer[0] == status
    assert_problem(*answer, code)
    assert answer[2]["ratelimit"] == '"burst";r=0;t=2'
    if "retry_after" in word:
        assert answer[2]["retry-after"] == word["retry_after"]


def test_the_clients_correlation_id_comes_back_and_a_strange_one_is_replaced() -> None:
    wanted = str(uuid7())
    _, body, headers = ask("GET", "/v1/correlation", headers={"x-correlation-id": wanted})
    assert (body, headers["x-correlation-id"]) == (wanted, wanted)
    strange = {"x-correlation-id": "a\r\nset-cookie: b=c"}
    _, body, headers = ask("GET", "/v1/correlation", headers=strange)
    assert UUID(body) == UUID(headers["x-correlation-id"])


def test_any_origin_may_ask_and_read_the_limits() -> None:
    origin = {"origin": "https://app.example"}
    _, _, headers = ask("GET", "/v1/orders", headers=origin)
    assert headers["access-control-allow-origin"] == "*"
    assert "ratelimit" in headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in headers
    answer = handler(
        api_event(
            "OPTIONS",
            "/v1/anything",
            headers={**origin, "access-control-request-method": "PATCH"},
        ),
        None,
    )
    assert answer["statusCode"] == 200


def test_a_route_that_will_go_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    leaving = Deprecation(
        datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), "/v2/orders"
    )
    row = Route("GET", "/v1/orders", "sample", "open", deprecated=leaving)
    monkeypatch.setattr(door, "find_route", lambda _method, _path: row)
    _, _, headers = ask("GET", "/v1/orders")
    assert headers["deprecation"] == "@1767225600"
    assert headers["sunset"] == "Fri, 01 Jan 2027 00:00:00 GMT"
    assert headers["link"] == '</v2/orders>; rel="successor-version"'
