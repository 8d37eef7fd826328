"""HTTP door of user_service: open sign-up and sign-in, protected sign-out, public keys.

The answers of login and refresh carry secrets and are never kept for an Idempotency-Key.
"""

from uuid import UUID

from fastapi import Response
from fastapi.responses import JSONResponse

from contracts.ids import uuid7
from functions.user_service.errors import RefreshTokenInvalid
from functions.user_service.logic.passwords import check_password, hash_password
from functions.user_service.logic.registration import (
    choose_tenant,
    normalise_email,
    register_user,
)
from functions.user_service.logic.sessions import admit_attempt, refresh_session, sign_in
from functions.user_service.logic.tokens import TokenSigner, hash_secret, open_signer
from functions.user_service.models import (
    Credentials,
    Login,
    NewUser,
    Refresh,
    Registration,
    TokenPair,
)
from functions.user_service.settings import settings
from functions.user_service.store import AttemptStore, UserStore
from kit.api import CurrentPrincipal, make_app, make_handler
from kit.db import Database, open_database
from kit.errors import SinyalError, Unauthenticated
from kit.idempotency import IdempotencyKey, answer_once
from kit.settings import read_secret

KEYS_LIFE_S = 300

app = make_app("user_service", "Credentials, sessions and tokens")


def _database() -> Database:
    return open_database("user_service", settings().event_bus_name)


def _signer() -> TokenSigner:
    return open_signer(str(read_secret("jwt")["seed"]), settings().public_url)


def _settle(outcome: TokenPair | SinyalError) -> TokenPair:
    """Raise a refusal whose traces are committed by now."""
    if isinstance(outcome, SinyalError):
        raise outcome
    return outcome


@app.post("/v1/auth/register", status_code=201)
def register(body: Registration, idempotency_key: IdempotencyKey = None) -> JSONResponse:
    """Register a stranger with a tenant of their own; the answer never tells a known address."""
    email = normalise_email(body.email)
    check_password(body.password, email)
    password_hash = hash_password(body.password)
    tenant_id = choose_tenant(email, idempotency_key)
    with _database().transaction(tenant_id) as tx:

        def run() -> tuple[int, dict[str, str]]:
            user = NewUser(
                user_id=uuid7(),
                tenant_id=tenant_id,
                email=email,
                password_hash=password_hash,
                role="owner",
                status="registered",
                created_at=tx.now,
            )
            register_user(UserStore(tx), user, body)
            return 201, {"user_id": str(user.user_id), "tenant_id": str(tenant_id)}

        request = ["register", email, body.full_name, body.tenant_name, body.locale]
        return answer_once(tx, idempotency_key, request, run)


@app.post("/v1/auth/login")
def login(body: Login) -> TokenPair:
    """Open a session; an unknown address takes the same steps, with a user that is nobody."""
    email = normalise_email(body.email)
    database = _database()
    with database.transaction(None) as tx:
        admit_attempt(AttemptStore(tx), email, tx.now)
        known = UserStore(tx).find_credentials(email)
    whose = known or Credentials(uuid7(), uuid7())
    with database.transaction(whose.tenant_id) as tx:
        outcome = sign_in(
            UserStore(tx),
            AttemptStore(tx),
            _signer(),
            user_id=whose.user_id,
            email=email,
            password=body.password,
            now=tx.now,
        )
    return _settle(outcome)


@app.post("/v1/auth/refresh")
def refresh(body: Refresh) -> TokenPair:
    """Exchange a refresh token for a new pair."""
    token_hash = hash_secret(body.refresh_token)
    database = _database()
    with database.transaction(None) as tx:
        tenant_id = UserStore(tx).find_refresh_tenant(token_hash)
    if tenant_id is None:
        raise RefreshTokenInvalid("the refresh token is not known")
    with database.transaction(tenant_id) as tx:
        outcome = refresh_session(UserStore(tx), _signer(), token_hash, tx.now)
    return _settle(outcome)


@app.post("/v1/auth/logout", status_code=204, response_class=Response)
def logout(principal: CurrentPrincipal) -> None:
    """End the session of the token; access tokens run out within their ten minutes."""
    session_id = _read_session(principal.session_id)
    with _database().transaction(principal.tenant_id) as tx:
        UserStore(tx).end_session(session_id, "logout")


def _read_session(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Unauthenticated("the request carries no session") from error


@app.get("/.well-known/jwks.json")
def read_keys() -> JSONResponse:
    """The public keys that access tokens are signed with (RFC 7517)."""
    return JSONResponse(
        _signer().jwks,
        headers={"cache-control": f"public, max-age={KEYS_LIFE_S}"},
    )


handler = make_handler(app)
