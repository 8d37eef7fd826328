"""Messages of api_gateway: what was asked of the API."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from contracts.envelope import Contract, Event, UtcDatetime


class ServedRequest(Contract):
    """One request as the door saw it; no body, no query, no token."""

    request_id: UUID
    tenant_id: UUID | None
    user_id: UUID | None
    method: str = Field(max_length=10)
    route: str = Field(max_length=200)
    """The route's pattern, such as ``/v1/invoices/{invoice_id}``; never the path itself."""
    status: int = Field(ge=100, le=599)
    latency_ms: float = Field(ge=0)
    credential: Literal["none", "session", "api_key"]
    code: str | None = Field(default=None, max_length=60)
    """The problem's code, when it was refused."""
    served_at: UtcDatetime


class RequestsServed(Event):
    """Requests that a door answered, by the batch. Sent to the gateway's queue, not to the bus."""

    service: ClassVar[str] = "api_gateway"
    requests: tuple[ServedRequest, ...] = Field(min_length=1, max_length=500)
