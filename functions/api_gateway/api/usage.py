"""A tenant's own use of the API, from the request log."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel

from functions.api_gateway.logic.usage import TOP_ROUTES, choose_period, round_latencies, sum_up
from functions.api_gateway.store.requests import RequestStore
from functions.api_gateway.store.tenants import TenantStore
from kit.api import CurrentPrincipal

router = APIRouter()


class RequestCounts(BaseModel):
    """How many requests, how many of them refused (400 and above), and how fast they were."""

    requests: int
    refused: int
    p50_ms: float | None
    p95_ms: float | None


class RequestGroup(RequestCounts):
    """The requests of one route, day or status."""

    key: str
    """``GET /v1/invoices``, ``2026-03-02`` (the tenant's local day) or ``200``."""


class RequestUsage(BaseModel):
    """A tenant's requests in [from, to), as far as they have arrived: seconds, not minutes late."""

    period_begin: datetime
    period_end: datetime
    total: RequestCounts
    statuses: dict[str, int]
    top_routes: list[RequestGroup]
    group: Literal["route", "day", "status"]
    groups: list[RequestGroup]


@router.get("/v1/usage/requests")
def get_request_usage(
    request: Request,
    principal: CurrentPrincipal,
    begin: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    end: Annotated[AwareDatetime | None, Query(alias="to")] = None,
    group: Literal["route", "day", "status"] = "day",
) -> RequestUsage:
    """The tenant's own requests: how many, how fast, with which answers, on which routes."""
    state = request.app.state
    begins, ends = choose_period(begin, end, state.open_clock().now())
    with state.open_database().transaction(principal.tenant_id) as tx:
        zone = TenantStore(tx).read_standing(principal.tier).time_zone
    store = RequestStore(state.open_analytics())
    whose = principal.tenant_id
    by_route = store.count(whose, begins, ends, "route", zone)
    by_status = store.count(whose, begins, ends, "status", zone)
    rows = {"route": by_route, "status": by_status}
    groups = rows[group] if group in rows else store.count(whose, begins, ends, "day", zone)
    return RequestUsage(
        period_begin=begins,
        period_end=ends,
        total=RequestCounts(**sum_up(store.count(whose, begins, ends, None, zone))),
        statuses={row["key"]: int(row["requests"]) for row in by_status},
        top_routes=[RequestGroup(**round_latencies(row)) for row in by_route[:TOP_ROUTES]],
        group=group,
        groups=[RequestGroup(**round_latencies(row)) for row in groups],
    )
