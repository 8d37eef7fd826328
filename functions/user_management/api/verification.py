"""The link of the mail, and asking for another one: open doors.

Asking is answered alike for every address, and the work is alike too: a count, and a command whose
reader finds out whether the address waits for a proof.
"""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from contracts.user_management import ResendVerification
from functions.user_management.api.door import Links, RoomDatabase
from functions.user_management.logic import verification
from functions.user_management.models import Verification, VerificationWish
from functions.user_management.store import (
    ManagementStore,
    TenantStore,
    find_verification_tenant,
)

router = APIRouter()


class VerificationAnswer(BaseModel):
    """The address is proven."""

    status: Literal["verified"] = "verified"


class ResendAnswer(BaseModel):
    """If the address waits for its proof, a mail is on its way."""

    status: Literal["accepted"] = "accepted"


@router.post("/v1/auth/verify-email")
def verify_email(body: Verification, database: RoomDatabase, links: Links) -> VerificationAnswer:
    """Prove an address with the token of its mail."""
    token_hash = verification.check_token(links, body.token)
    with database.transaction(None) as tx:
        tenant_id = find_verification_tenant(tx, token_hash)
    if tenant_id is None:
        raise verification.refuse_token()
    with database.transaction(tenant_id) as tx:
        verification.verify_email(ManagementStore(tx), token_hash)
    return VerificationAnswer()


@router.post("/v1/auth/verify-email/resend", status_code=202)
def resend_verification(
    body: VerificationWish, database: RoomDatabase, links: Links
) -> ResendAnswer:
    """Ask for another verification mail: at most one a minute and five in 24 hours."""
    key = links.hide("verification", body.email)
    with database.transaction(None) as tx:
        if TenantStore(tx).take_mail_slot(
            key, verification.RESEND_GAP, verification.RESENDS_A_DAY_MAX
        ):
            tx.publish(ResendVerification(email=body.email))
    return ResendAnswer()
