"""Who asks and under which correlation id, for the time of one request or message.

Set by the doors; read by the log, by what a transaction publishes, and by the audit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from kit.tenancy import Principal


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One request at an HTTP door, or one message at a queue's (then only the correlation id)."""

    correlation_id: UUID
    request_id: str = ""
    address: str | None = None
    device: str | None = None
    principal: Principal | None = None


_CURRENT: ContextVar[RequestContext | None] = ContextVar("sinyal_request", default=None)


def current() -> RequestContext | None:
    """The request or message being handled; None outside of both."""
    return _CURRENT.get()


@contextmanager
def use(context: RequestContext) -> Iterator[RequestContext]:
    """Handle a request or message under this context."""
    token = _CURRENT.set(context)
    try:
        yield context
    finally:
        _CURRENT.reset(token)
