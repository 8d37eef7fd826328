"""Sessions of the caller: what is open where, and ending it."""

from dataclasses import asdict
from uuid import UUID

from fastapi import APIRouter, Response

from functions.user_service.api.door import RoomDatabase, open_work, read_session
from functions.user_service.errors import UnknownSession
from functions.user_service.logic.bodies import EndedSessions, SessionCard, SessionList
from functions.user_service.store import UserStore
from kit.api import CurrentPrincipal
from kit.problems import problems

router = APIRouter()


@router.post("/v1/auth/logout", status_code=204, response_class=Response)
def logout(principal: CurrentPrincipal, database: RoomDatabase) -> None:
    """End the session of the token; its access tokens end within seconds."""
    session_id = read_session(principal)
    with open_work(database, principal.tenant_id) as tx:
        UserStore(tx).end_session(session_id, "logout", principal.user_id)


@router.get("/v1/auth/sessions")
def list_sessions(principal: CurrentPrincipal, database: RoomDatabase) -> SessionList:
    """Where the caller is signed in; the session of this request is marked."""
    with database.transaction(principal.tenant_id) as tx:
        rows = UserStore(tx).list_sessions(principal.user_id)
    return SessionList(
        items=[
            SessionCard(**asdict(row), current=str(row.session_id) == principal.session_id)
            for row in rows
        ]
    )


@router.delete(
    "/v1/auth/sessions/{session_id}",
    status_code=204,
    response_class=Response,
    responses=problems(404),
)
def end_session(session_id: UUID, principal: CurrentPrincipal, database: RoomDatabase) -> None:
    """End one of the caller's sessions."""
    with open_work(database, principal.tenant_id) as tx:
        store = UserStore(tx)
        if not store.end_session(session_id, "ended_by_user", principal.user_id):
            raise UnknownSession("it may have ended already")
        store.record("session.ended", "session", session_id)


@router.delete("/v1/auth/sessions")
def end_other_sessions(principal: CurrentPrincipal, database: RoomDatabase) -> EndedSessions:
    """End every session of the caller but the one of this request."""
    keeping = read_session(principal)
    with open_work(database, principal.tenant_id) as tx:
        store = UserStore(tx)
        ended = store.end_sessions(principal.user_id, "ended_by_user", keeping)
        store.record("session.others_ended", "user", principal.user_id, sessions_ended=len(ended))
    return EndedSessions(ended=len(ended))
