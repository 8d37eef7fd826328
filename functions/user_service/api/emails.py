"""The caller's address: another one, once it is proven."""

from fastapi import APIRouter, Response

from functions.user_service.api.door import (
    RoomDatabase,
    open_work,
    read_caller,
    read_origin,
    settle,
)
from functions.user_service.errors import TokenInvalid
from functions.user_service.logic.bodies import Accepted, EmailChange, MailedToken
from functions.user_service.logic.email_changes import confirm_email_change, request_email_change
from functions.user_service.logic.password_changes import prove_password
from functions.user_service.logic.registration import normalise_email
from functions.user_service.logic.throttling import block_guesser, name_guess, name_mail
from functions.user_service.logic.tokens import hash_secret
from functions.user_service.settings import settings
from functions.user_service.store import ThrottleStore, UserStore
from kit.api import CurrentPrincipal
from kit.errors import SinyalError

router = APIRouter()


@router.post("/v1/auth/email/change", status_code=202)
def change_own_email(
    body: EmailChange, principal: CurrentPrincipal, database: RoomDatabase
) -> Accepted:
    """Have a mail sent to the new address; a taken one is not told apart."""
    new_email, network = normalise_email(body.new_email), read_origin().address
    with open_work(database, principal.tenant_id) as tx:
        store, throttle = UserStore(tx), ThrottleStore(tx)
        account = read_caller(store, principal)
        subjects = name_guess(account.email, network, settings().network_guesses_free)
        admission = throttle.admit(subjects)
        refusal: SinyalError | None
        if admission.wait_s:
            refusal = block_guesser(admission.wait_s)
        else:
            refusal = prove_password(store, account, body.password, locks=admission.locks)
        if refusal is None:
            throttle.forgive(subjects)
            mails = throttle.admit(name_mail(new_email, None))
            if not mails.wait_s:
                request_email_change(store, account, new_email, tx.now)
    settle(refusal)
    return Accepted()


@router.post("/v1/auth/email/confirm", status_code=204, response_class=Response)
def confirm_new_email(body: MailedToken, database: RoomDatabase) -> None:
    """Take the new address with the token of the mail, once; the old address hears of it."""
    token_hash = hash_secret(body.token)
    with database.transaction(None) as tx:
        tenant_id = UserStore(tx).find_token_tenant(token_hash, "email_change")
    if tenant_id is None:
        raise TokenInvalid("ask for a new mail")
    with open_work(database, tenant_id) as tx:
        confirm_email_change(UserStore(tx), token_hash)
