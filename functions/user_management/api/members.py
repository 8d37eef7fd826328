"""Members of one's own tenant, invitations, and the handing over of the ownership."""

from uuid import UUID

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from functions.user_management.api.door import (
    Cursor,
    Limit,
    Links,
    RoomDatabase,
    answer_write,
)
from functions.user_management.logic import invitations, members
from functions.user_management.logic.links import MailLinks
from functions.user_management.models import (
    Invitation,
    InvitationPage,
    Member,
    MemberPage,
    NewInvitation,
    OwnershipTransfer,
    RoleChange,
)
from functions.user_management.store import ManagementStore
from kit.api import CurrentPrincipal, problems
from kit.db import Database
from kit.idempotency import IdempotencyKey
from kit.tenancy import Principal

router = APIRouter()


@router.get("/v1/tenants/members")
def list_members(
    principal: CurrentPrincipal, database: RoomDatabase, limit: Limit = 50, cursor: Cursor = None
) -> MemberPage:
    """The members of one's own tenant."""
    with database.transaction(principal.tenant_id) as tx:
        return members.make_page(ManagementStore(tx).list_members(cursor, limit + 1), limit)


@router.post(
    "/v1/tenants/members", status_code=201, response_model=Invitation, responses=problems(404, 409)
)
def add_member(
    body: NewInvitation,
    principal: CurrentPrincipal,
    database: RoomDatabase,
    links: Links,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Invite a member: nobody is added without a yes of their own."""
    return _invite(body, principal, database, links, idempotency_key)


@router.post(
    "/v1/tenants/invitations",
    status_code=201,
    response_model=Invitation,
    responses=problems(404, 409),
)
def invite_member(
    body: NewInvitation,
    principal: CurrentPrincipal,
    database: RoomDatabase,
    links: Links,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Invite an address; an open invitation of the same address is replaced."""
    return _invite(body, principal, database, links, idempotency_key)


def _invite(
    body: NewInvitation, principal: Principal, database: Database, links: MailLinks, key: str | None
) -> JSONResponse:
    with database.transaction(principal.tenant_id) as tx:
        return answer_write(
            tx,
            key,
            ["invite_member", principal.user_id, body.model_dump_json()],
            lambda: invitations.invite_member(
                ManagementStore(tx), links, principal.user_id, body, tx.now
            ),
            201,
        )


@router.get("/v1/tenants/invitations")
def list_invitations(
    principal: CurrentPrincipal, database: RoomDatabase, limit: Limit = 50, cursor: Cursor = None
) -> InvitationPage:
    """The invitations of one's own tenant that can still be accepted."""
    with database.transaction(principal.tenant_id) as tx:
        found = ManagementStore(tx).list_invitations(cursor, limit + 1)
    return invitations.make_page(found, limit)


@router.delete(
    "/v1/tenants/invitations/{invitation_id}",
    status_code=204,
    response_class=Response,
    responses=problems(404),
)
def revoke_invitation(
    invitation_id: UUID, principal: CurrentPrincipal, database: RoomDatabase
) -> None:
    """Take an invitation back; its link opens nothing any more."""
    with database.transaction(principal.tenant_id) as tx:
        invitations.revoke_invitation(ManagementStore(tx), principal.user_id, invitation_id)


@router.patch("/v1/tenants/members/{user_id}", response_model=Member, responses=problems(404, 409))
def change_member_role(
    user_id: UUID,
    body: RoleChange,
    principal: CurrentPrincipal,
    database: RoomDatabase,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Give a member another role; the owner's is handed over by the owner only."""
    with database.transaction(principal.tenant_id) as tx:
        return answer_write(
            tx,
            idempotency_key,
            ["change_member_role", principal.user_id, user_id, body.role],
            lambda: members.change_role(ManagementStore(tx), principal.user_id, user_id, body.role),
        )


@router.delete(
    "/v1/tenants/members/{user_id}",
    status_code=204,
    response_class=Response,
    responses=problems(404, 409),
)
def remove_member(user_id: UUID, principal: CurrentPrincipal, database: RoomDatabase) -> None:
    """Take a member out of the tenant; their access ends."""
    with database.transaction(principal.tenant_id) as tx:
        members.remove_member(ManagementStore(tx), principal.user_id, user_id)


@router.post("/v1/tenants/ownership", response_model=Member, responses=problems(404, 409))
def transfer_ownership(
    body: OwnershipTransfer,
    principal: CurrentPrincipal,
    database: RoomDatabase,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Make another member the owner; one stays in the tenant as an admin."""
    with database.transaction(principal.tenant_id) as tx:
        return answer_write(
            tx,
            idempotency_key,
            ["transfer_ownership", principal.user_id, body.user_id],
            lambda: members.transfer_ownership(
                ManagementStore(tx), principal.user_id, body.user_id
            ),
        )
