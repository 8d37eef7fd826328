"""User analytics against the real ClickHouse: a small business whose figures are known by hand.

The months lie in 2031, so that no other test's events fall into them. Jakarta is seven hours ahead
of UTC: the last evening of a month there begins the next one in no table of ours.
"""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from contracts.ids import uuid7
from functions.user_management import api
from kit.analytics import Analytics
from tests.functions.user_management.conftest import Rooms, as_staff
from tests.support.builders import principal

PATH = "/v1/users/analytics"
COLUMNS = (
    "tenant_id",
    "detail_type",
    "event_id",
    "source",
    "occurred_at",
    "correlation_id",
    "data",
)
PERIOD = {"from": "2031-01-15", "to": "2031-04-02"}


class Business:
    """Writes events into ClickHouse as performance_analytics keeps them."""

    def __init__(self, analytics: Analytics) -> None:
        self.analytics = analytics

    def note(self, tenant: UUID, detail_type: str, at: datetime, **data: Any) -> None:
        event_id = uuid7()
        row = [tenant, detail_type, event_id, "sinyal.test", at, event_id, json.dumps(data)]
        self.analytics.insert("events", COLUMNS, [row, row])

    def sign_up(self, at: datetime, *steps: str) -> UUID:
        """A tenant that registers and takes these steps an hour later."""
        tenant = uuid7()
        self.note(tenant, "UserRegistered", at)
        for step in steps:
            later = at.replace(minute=at.minute + 1)
            if step == "paid":
                self.note(tenant, "InvoicePaid", later, total=299_000, payment_id=str(uuid7()))
            elif step == "free":
                self.note(tenant, "InvoicePaid", later, total=0, payment_id=None)
            else:
                self.note(tenant, step, later)
        return tenant


def at(month: int, day: int, hour: int = 5) -> datetime:
    return datetime(2031, month, day, hour, 30, tzinfo=UTC)


@pytest.fixture
def business(clickhouse: dict[str, Any], rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> Business:
    analytics = Analytics(clickhouse)
    monkeypatch.setattr(api, "_analytics", lambda: analytics)
    analytics._client.command("TRUNCATE TABLE events")
    return Business(analytics)


def read(rooms: Rooms, query: dict[str, str] | None = None) -> dict[str, Any]:
    status, shown = rooms.call("GET", PATH, principal=as_staff(), query=query or PERIOD)
    assert status == 200, shown
    return dict(shown)


PREDICTED, FILLED = "PredictionDelivered", "OrderFilled"


def test_the_funnel_counts_each_tenant_as_far_as_it_came(rooms: Rooms, business: Business) -> None:
    business.sign_up(at(1, 5))
    business.sign_up(at(1, 6), "EmailVerified")
    business.sign_up(at(1, 7), "EmailVerified", PREDICTED, PREDICTED)
    business.sign_up(at(1, 8), "EmailVerified", PREDICTED, FILLED, "free")
    business.sign_up(at(1, 9), "EmailVerified", PREDICTED, FILLED, "paid", "paid")
    business.sign_up(at(1, 9), PREDICTED, FILLED, "paid")  # a step left out: the later do not count
    business.sign_up(at(3, 9), "EmailVerified", "paid")
    business.note(uuid7(), "EmailVerified", at(1, 9))  # never registered
    shown = read(rooms)
    steps = ("registered", "verified", "first_prediction", "first_order", "paid_invoice")
    months = {row["month"]: tuple(row[step] for step in steps) for row in shown["months"]}
    assert months == {
        "2031-01-01": (6, 4, 3, 2, 1),
        "2031-02-01": (0, 0, 0, 0, 0),
        "2031-03-01": (1, 1, 0, 0, 0),
        "2031-04-01": (0, 0, 0, 0, 0),
    }
    assert tuple(shown["funnel"][step] for step in steps) == (7, 5, 3, 2, 1)
    assert (shown["first_month"], shown["last_month"]) == ("2031-01-01", "2031-04-01")


def test_a_month_begins_at_midnight_in_jakarta(rooms: Rooms, business: Business) -> None:
    business.sign_up(datetime(2030, 12, 31, 16, 58, tzinfo=UTC))  # 23:58 of December
    business.sign_up(datetime(2030, 12, 31, 17, 0, tzinfo=UTC))  # 00:00 of January
    business.sign_up(datetime(2031, 1, 31, 16, 58, tzinfo=UTC))  # 23:58 of January
    business.sign_up(datetime(2031, 1, 31, 17, 0, tzinfo=UTC))  # 00:00 of February
    business.sign_up(datetime(2031, 4, 30, 17, 0, tzinfo=UTC))  # May
    registered = [row["registered"] for row in read(rooms)["months"]]
    assert registered == [2, 1, 0, 0]


def test_cohorts_tell_who_was_active_in_each_month_after(rooms: Rooms, business: Business) -> None:
    stays = business.sign_up(at(1, 5))
    for month in (1, 2, 3, 4):
        business.note(stays, "UserSignedIn", at(month, 10))
    returns = business.sign_up(at(1, 6))
    business.note(returns, PREDICTED, at(1, 7))
    business.note(returns, PREDICTED, at(3, 7))
    business.note(returns, "UserSignedIn", at(3, 8))
    business.sign_up(at(1, 7))
    late = business.sign_up(at(3, 31, 16))  # 23:30 of 31 March in Jakarta
    business.note(late, "UserSignedIn", at(3, 31, 18))  # 1 April there
    business.note(late, "OrderFilled", at(3, 31, 16))  # no sign of activity by itself
    business.note(uuid7(), "UserSignedIn", at(2, 1))
    cohorts = {row["month"]: (row["tenants"], row["active"]) for row in read(rooms)["cohorts"]}
    assert cohorts == {
        "2031-01-01": (3, [2, 1, 2, 1]),
        "2031-02-01": (0, [0, 0, 0]),
        "2031-03-01": (1, [0, 1]),
        "2031-04-01": (0, [0]),
    }


def test_an_empty_business_is_shown_with_zeros(rooms: Rooms, business: Business) -> None:
    shown = read(rooms)
    assert set(shown["funnel"].values()) == {0}
    assert [row["active"] for row in shown["cohorts"]] == [[0] * 4, [0] * 3, [0] * 2, [0]]


def test_twelve_months_that_end_now_are_shown_unless_told_otherwise(
    rooms: Rooms, business: Business
) -> None:
    status, shown = rooms.call("GET", PATH, principal=as_staff())
    assert status == 200
    assert (shown["first_month"], shown["last_month"]) == ("2025-04-01", "2026-03-01")
    assert len(shown["months"]) == 12


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2031-02-01", "to": "2031-01-31"},
        {"from": "2029-01-01", "to": "2031-01-01"},
        {"from": "0001-01-01"},
        {"to": "9999-12-31"},
        {"from": "yesterday"},
    ],
)
def test_a_period_that_cannot_be_right_is_refused(
    rooms: Rooms, business: Business, query: dict[str, str]
) -> None:
    assert rooms.call("GET", PATH, principal=as_staff(), query=query)[0] == 422


def test_the_platforms_figures_are_for_the_staff_and_no_tenant(
    rooms: Rooms, business: Business, tenant: UUID
) -> None:
    business.sign_up(at(1, 5))
    assert rooms.call("GET", PATH, principal=principal(tenant), query=PERIOD)[0] == 403
    assert rooms.call("GET", PATH, query=PERIOD)[0] == 401
    support = as_staff(platform_admin="false", support="true")
    assert rooms.call("GET", PATH, principal=support, query=PERIOD)[0] == 200


def test_without_clickhouse_the_answer_is_503(
    rooms: Rooms, clickhouse: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> Analytics:
        return Analytics({**clickhouse, "port": 1})

    monkeypatch.setattr(api, "_analytics", refuse)
    status, problem = rooms.call("GET", PATH, principal=as_staff(), query=PERIOD)
    assert (status, problem["code"]) == (503, "unavailable")
