"""What every route of the room stands on: its database, its mail links, and how writes answer.

All are asked for at call time from the app's state, so that a test or a rotated key takes effect.
"""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from functions.user_management.logic.links import MailLinks
from kit.analytics import Analytics
from kit.db import Database, Transaction
from kit.idempotency import answer_once

PAGE_MAX = 100


async def _open_database(request: Request) -> Database:
    database: Database = request.app.state.open_database()
    return database


async def _open_links(request: Request) -> MailLinks:
    links: MailLinks = request.app.state.open_links()
    return links


def _open_analytics(request: Request) -> Analytics:
    analytics: Analytics = request.app.state.open_analytics()
    return analytics


RoomDatabase = Annotated[Database, Depends(_open_database)]
"""Route parameter: the room's database."""

Links = Annotated[MailLinks, Depends(_open_links)]
"""Route parameter: what makes and checks the tokens of mails."""

RoomAnalytics = Annotated[Analytics, Depends(_open_analytics)]
"""Route parameter: ClickHouse."""

Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
Cursor = Annotated[UUID | None, Query()]


def answer_write(
    tx: Transaction,
    key: str | None,
    request: list[Any],
    run: Callable[[], BaseModel],
    status: int = 200,
) -> JSONResponse:
    """Answer a write with what it gives; an Idempotency-Key gets its first answer again."""
    return answer_once(
        tx, key, list(map(str, request)), lambda: (status, run().model_dump(mode="json"))
    )
