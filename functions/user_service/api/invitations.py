"""Invitations: a stranger becomes a member with the token of the mail."""

from fastapi import APIRouter

from functions.user_service.api.door import RoomDatabase, open_work
from functions.user_service.errors import InvitationInvalid
from functions.user_service.logic.bodies import AcceptedInvitation, NewAccount
from functions.user_service.logic.members import accept_invitation
from functions.user_service.logic.tokens import hash_secret
from functions.user_service.store import UserStore
from kit.problems import problems

router = APIRouter()


@router.post("/v1/auth/invitations/accept", status_code=201, responses=problems(409))
def join_by_invitation(body: AcceptedInvitation, database: RoomDatabase) -> NewAccount:
    """Become a member of the tenant that sent the invitation; it opens once."""
    token_hash = hash_secret(body.token)
    with database.transaction(None) as tx:
        tenant_id = UserStore(tx).find_invitation_tenant(token_hash)
    if tenant_id is None:
        raise InvitationInvalid("ask for a new invitation")
    with open_work(database, tenant_id) as tx:
        user = accept_invitation(UserStore(tx), tenant_id, token_hash, body, tx.now)
    return NewAccount(user_id=user.user_id, tenant_id=tenant_id)
