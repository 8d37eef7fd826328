"""Sign-up, sign-in and the next token: the open doors.

The answers of login and refresh carry secrets and are never kept for an Idempotency-Key.
"""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from contracts.ids import NIL, uuid7
from functions.user_service.api.door import (
    RoomDatabase,
    Signer,
    open_vault,
    open_work,
    read_origin,
    settle,
)
from functions.user_service.errors import RefreshTokenInvalid
from functions.user_service.logic.bodies import NewAccount
from functions.user_service.logic.passwords import check_password, hash_password
from functions.user_service.logic.registration import (
    choose_tenant,
    normalise_email,
    register_user,
)
from functions.user_service.logic.sessions import refresh_session
from functions.user_service.logic.sign_in import Guess, SignInDesk, sign_in
from functions.user_service.logic.throttling import (
    block_guesser,
    name_guess,
    name_registration,
    slow_down,
)
from functions.user_service.logic.tokens import hash_secret
from functions.user_service.models import (
    Credentials,
    Login,
    NewUser,
    Refresh,
    Registration,
    TokenPair,
)
from functions.user_service.settings import settings
from functions.user_service.store import ThrottleStore, UserStore
from kit.idempotency import IdempotencyKey, answer_once
from kit.problems import problems

router = APIRouter()


@router.post(
    "/v1/auth/register", status_code=201, response_model=NewAccount, responses=problems(409)
)
def register(
    body: Registration, database: RoomDatabase, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Register a stranger with a tenant of their own; the answer never tells a known address."""
    email, network = normalise_email(body.email), read_origin().address
    check_password(body.password, email)
    with database.transaction(None) as tx:
        admission = ThrottleStore(tx).admit(
            name_registration(network, settings().network_guesses_free)
        )
    if admission.wait_s:
        raise slow_down(admission.wait_s)
    password_hash = hash_password(body.password)
    tenant_id = choose_tenant(email, idempotency_key)
    with database.transaction(tenant_id) as tx:

        def run() -> tuple[int, dict[str, str]]:
            user = NewUser(
                user_id=uuid7(),
                tenant_id=tenant_id,
                email=email,
                password_hash=password_hash,
                role="owner",
                status="registered",
                created_at=tx.now,
                locale=body.locale,
            )
            register_user(UserStore(tx), user, body)
            return 201, {"user_id": str(user.user_id), "tenant_id": str(tenant_id)}

        request = ["register", email, body.full_name, body.tenant_name, body.locale]
        return answer_once(tx, idempotency_key, request, run)


@router.post("/v1/auth/login")
def login(body: Login, database: RoomDatabase, signer: Signer) -> TokenPair:
    """Open a session with a password, and a second factor where one is on (`totp_required`)."""
    email, origin = normalise_email(body.email), read_origin()
    subjects = name_guess(email, origin.address, settings().network_guesses_free)
    with database.transaction(None) as tx:
        admission = ThrottleStore(tx).admit(subjects)
        known = UserStore(tx).find_credentials(email)
    if admission.wait_s:
        raise block_guesser(admission.wait_s)
    whose = known or Credentials(NIL, uuid7())
    guess = Guess(whose.user_id, email, body, origin, subjects, admission.locks)
    with open_work(database, whose.tenant_id) as tx:
        desk = SignInDesk(UserStore(tx), ThrottleStore(tx), open_vault(), signer)
        outcome = sign_in(desk, guess, tx.now)
    return settle(outcome)


@router.post("/v1/auth/refresh")
def refresh(body: Refresh, database: RoomDatabase, signer: Signer) -> TokenPair:
    """Exchange a refresh token for a new pair; a token used before ends the session."""
    token_hash = hash_secret(body.refresh_token)
    with database.transaction(None) as tx:
        tenant_id = UserStore(tx).find_refresh_tenant(token_hash)
    if tenant_id is None:
        raise RefreshTokenInvalid("the refresh token is not known")
    with open_work(database, tenant_id) as tx:
        outcome = refresh_session(UserStore(tx), signer, token_hash, read_origin(), tx.now)
    return settle(outcome)
