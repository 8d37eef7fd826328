"""The caller's second factor: an authenticator app and its recovery codes."""

from fastapi import APIRouter, Response

from functions.user_service.api.door import (
    RoomDatabase,
    Signer,
    open_vault,
    open_work,
    read_caller,
    read_origin,
    read_session,
    settle,
)
from functions.user_service.errors import PasswordNeeded
from functions.user_service.logic.bodies import (
    RecoveryCodes,
    StepUp,
    TotpBeginning,
    TotpConfirmed,
    TotpProof,
    TotpSetup,
    TotpState,
)
from functions.user_service.logic.password_changes import prove_password
from functions.user_service.logic.second_factor import (
    FactorDesk,
    begin_totp,
    confirm_totp,
    is_recent,
    read_totp_state,
    renew_recovery_codes,
    step_up,
    turn_off_totp,
)
from functions.user_service.logic.throttling import block_guesser, name_guess
from functions.user_service.logic.tokens import TokenSigner
from functions.user_service.models import AccessToken
from functions.user_service.settings import settings
from functions.user_service.store import ThrottleStore, UserStore
from kit.api import CurrentPrincipal
from kit.db import Transaction
from kit.errors import SinyalError
from kit.problems import problems
from kit.tenancy import Principal

router = APIRouter()


def _open_desk(tx: Transaction, signer: TokenSigner, principal: Principal) -> FactorDesk:
    return FactorDesk(
        store=UserStore(tx),
        throttle=ThrottleStore(tx),
        vault=open_vault(),
        signer=signer,
        user_id=principal.user_id,
        session_id=read_session(principal),
    )


@router.get("/v1/auth/mfa/totp")
def read_totp(principal: CurrentPrincipal, database: RoomDatabase) -> TotpState:
    """Whether an authenticator app is on, and how many recovery codes are left."""
    with database.transaction(principal.tenant_id) as tx:
        return read_totp_state(UserStore(tx), principal.user_id)


@router.post("/v1/auth/mfa/totp", status_code=201, responses=problems(409))
def begin_totp_setup(
    principal: CurrentPrincipal, database: RoomDatabase, body: TotpBeginning | None = None
) -> TotpSetup:
    """Get a secret for an authenticator app; it counts once a code of it is confirmed.

    Asks for the password when the session is older than five minutes.
    """
    session_id, network = read_session(principal), read_origin().address
    password = body.password if body else None
    outcome: TotpSetup | SinyalError
    with open_work(database, principal.tenant_id) as tx:
        store, throttle = UserStore(tx), ThrottleStore(tx)
        account = read_caller(store, principal)
        refusal: SinyalError | None = None
        if password is not None:
            subjects = name_guess(account.email, network, settings().network_guesses_free)
            admission = throttle.admit(subjects)
            if admission.wait_s:
                refusal = block_guesser(admission.wait_s)
            else:
                refusal = prove_password(store, account, password, locks=admission.locks)
        elif not is_recent(store.read_session_start(session_id, principal.user_id), tx.now):
            refusal = PasswordNeeded("give your password, or sign in again")
        outcome = refusal or begin_totp(store, open_vault(), account)
    return settle(outcome)


@router.post("/v1/auth/mfa/totp/confirm", responses=problems(409))
def confirm_totp_setup(
    body: TotpProof, principal: CurrentPrincipal, database: RoomDatabase, signer: Signer
) -> TotpConfirmed:
    """Turn the app on with a code of it; the recovery codes are shown this once."""
    with open_work(database, principal.tenant_id) as tx:
        outcome = confirm_totp(_open_desk(tx, signer, principal), body.code, tx.now)
    return settle(outcome)


@router.delete(
    "/v1/auth/mfa/totp", status_code=204, response_class=Response, responses=problems(409)
)
def turn_off_second_factor(principal: CurrentPrincipal, database: RoomDatabase) -> None:
    """Turn the app off; asks for a fresh second factor."""
    with open_work(database, principal.tenant_id) as tx:
        principal.require_step_up(tx.now)
        store = UserStore(tx)
        turn_off_totp(store, read_caller(store, principal))


@router.post("/v1/auth/mfa/recovery-codes", responses=problems(409))
def renew_codes(principal: CurrentPrincipal, database: RoomDatabase) -> RecoveryCodes:
    """Get ten new recovery codes in place of those before; asks for a fresh second factor."""
    with open_work(database, principal.tenant_id) as tx:
        principal.require_step_up(tx.now)
        store = UserStore(tx)
        return renew_recovery_codes(store, open_vault(), read_caller(store, principal))


@router.post("/v1/auth/mfa/step-up", responses=problems(409))
def step_up_session(
    body: StepUp, principal: CurrentPrincipal, database: RoomDatabase, signer: Signer
) -> AccessToken:
    """Show a code again; the new access token opens what asks for a fresh second factor."""
    with open_work(database, principal.tenant_id) as tx:
        outcome = step_up(_open_desk(tx, signer, principal), body.totp, tx.now)
    return settle(outcome)
