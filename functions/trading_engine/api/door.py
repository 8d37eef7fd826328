"""What every route of the room stands on: its database, asked for at call time from the app."""

from typing import Annotated

from fastapi import Depends, Query, Request

from kit.db import Database


async def _open_database(request: Request) -> Database:
    database: Database = request.app.state.open_database()
    return database


RoomDatabase = Annotated[Database, Depends(_open_database)]
"""Route parameter: the room's database."""

Limit = Annotated[int, Query(ge=1, le=200)]
