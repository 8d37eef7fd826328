"""Passwords: changed by their owner, forgotten, and set anew with the mail's token."""

from fastapi import APIRouter, Response

from contracts.ids import NIL, uuid7
from functions.user_service.api.door import (
    RoomDatabase,
    open_work,
    read_caller,
    read_origin,
    read_session,
    settle,
)
from functions.user_service.errors import TokenInvalid
from functions.user_service.logic.bodies import (
    Accepted,
    ForgottenPassword,
    PasswordChange,
    PasswordReset,
)
from functions.user_service.logic.password_changes import (
    change_password,
    prove_password,
    request_reset,
    reset_password,
)
from functions.user_service.logic.registration import normalise_email
from functions.user_service.logic.throttling import block_guesser, name_guess, name_mail
from functions.user_service.logic.tokens import hash_secret
from functions.user_service.models import Credentials
from functions.user_service.settings import settings
from functions.user_service.store import ThrottleStore, UserStore
from kit.api import CurrentPrincipal
from kit.errors import SinyalError

router = APIRouter()


@router.post("/v1/auth/password/change", status_code=204, response_class=Response)
def change_own_password(
    body: PasswordChange, principal: CurrentPrincipal, database: RoomDatabase
) -> None:
    """Set another password; the caller's other sessions end."""
    session_id, network = read_session(principal), read_origin().address
    with open_work(database, principal.tenant_id) as tx:
        store, throttle = UserStore(tx), ThrottleStore(tx)
        account = read_caller(store, principal)
        subjects = name_guess(account.email, network, settings().network_guesses_free)
        admission = throttle.admit(subjects)
        refusal: SinyalError | None
        if admission.wait_s:
            refusal = block_guesser(admission.wait_s)
        else:
            refusal = prove_password(store, account, body.current_password, locks=admission.locks)
        if refusal is None:
            throttle.forgive(subjects)
            change_password(store, account, body.new_password, session_id)
    settle(refusal)


@router.post("/v1/auth/password/forgot", status_code=202)
def forget_password(body: ForgottenPassword, database: RoomDatabase) -> Accepted:
    """Have a mail sent with a link for a new password; the answer is always the same."""
    email, network = normalise_email(body.email), read_origin().address
    subjects = name_mail(email, network, settings().network_guesses_free)
    with database.transaction(None) as tx:
        admission = ThrottleStore(tx).admit(subjects)
        known = UserStore(tx).find_credentials(email)
    if admission.wait_s:
        return Accepted()
    whose = known or Credentials(NIL, uuid7())
    with database.transaction(whose.tenant_id) as tx:
        request_reset(UserStore(tx), whose.user_id, email, tx.now)
    return Accepted()


@router.post("/v1/auth/password/reset", status_code=204, response_class=Response)
def set_forgotten_password(body: PasswordReset, database: RoomDatabase) -> None:
    """Set a password with the token of the mail, once; every session and API key ends."""
    token_hash = hash_secret(body.token)
    with database.transaction(None) as tx:
        tenant_id = UserStore(tx).find_token_tenant(token_hash, "password_reset")
    if tenant_id is None:
        raise TokenInvalid("ask for a new mail")
    with open_work(database, tenant_id) as tx:
        account = reset_password(UserStore(tx), token_hash, body.password)
        ThrottleStore(tx).forgive(name_guess(account.email, None))
