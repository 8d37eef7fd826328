"""The news calendar: set whole by the platform's staff, read by everybody."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field, model_validator

from contracts.trading_engine import NewsCalendarPublished
from contracts.trading_limits import NewsWindow
from functions.trading_engine.api.door import RoomDatabase
from functions.trading_engine.models import Body
from functions.trading_engine.store import CalendarStore
from kit import audit
from kit.api import CurrentPrincipal

CALENDAR_BYTES_MAX = 150_000
"""A calendar travels as one event, and the bus takes 256 KiB."""

router = APIRouter()


class PublishCalendar(Body):
    """Body of PUT /v1/news-calendar: the calendar whole."""

    windows: Annotated[list[NewsWindow], Field(max_length=500)]

    @model_validator(mode="after")
    def _fits_in_an_event(self) -> "PublishCalendar":
        size = sum(len(window.model_dump_json().encode()) + 1 for window in self.windows)
        if size > CALENDAR_BYTES_MAX:
            raise ValueError(f"the calendar is larger than {CALENDAR_BYTES_MAX} bytes")
        return self


class NewsCalendar(BaseModel):
    """Answer of GET and PUT /v1/news-calendar; version 0 was never published."""

    version: int
    published_at: datetime | None
    windows: list[NewsWindow]


@router.get("/v1/news-calendar")
def get_news_calendar(principal: CurrentPrincipal, database: RoomDatabase) -> NewsCalendar:
    """The events around which entries wait, as limits say for how long."""
    with database.transaction(principal.tenant_id) as tx:
        return NewsCalendar.model_validate(CalendarStore(tx).read())


@router.put("/v1/news-calendar")
def put_news_calendar(
    body: PublishCalendar, principal: CurrentPrincipal, database: RoomDatabase
) -> NewsCalendar:
    """Replace the calendar."""
    principal.require_platform_admin()
    with database.transaction(None) as tx:
        row: dict[str, Any] = CalendarStore(tx).publish(body.windows)
        tx.publish(NewsCalendarPublished(version=row["version"], windows=tuple(body.windows)))
        audit.record(
            tx,
            "news_calendar.published",
            "news_calendar",
            row["version"],
            windows=len(body.windows),
        )
    return NewsCalendar.model_validate(row)
