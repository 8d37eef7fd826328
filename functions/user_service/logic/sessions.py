"""Sessions: signing in, refreshing and signing out.

A refusal that must be remembered (a stolen refresh token ends its session) is returned, not raised:
the door commits first and raises then.
"""

from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from contracts.ids import uuid7
from functions.user_service.errors import (
    EmailNotVerified,
    InvalidCredentials,
    LoginBlocked,
    RefreshTokenInvalid,
    RefreshTokenReused,
)
from functions.user_service.logic.passwords import hash_password, is_outdated, verify_password
from functions.user_service.logic.tokens import (
    ACCESS_TOKEN_LIFE,
    TokenSigner,
    hash_secret,
    make_refresh_token,
)
from functions.user_service.models import (
    Account,
    Attempt,
    EndReason,
    Session,
    StoredRefreshToken,
    TokenPair,
)

REFRESH_TOKEN_LIFE = timedelta(days=30)
SESSION_LIFE = timedelta(days=90)
FREE_ATTEMPTS = 5
BLOCK_FIRST = timedelta(seconds=30)
BLOCK_LONGEST = timedelta(minutes=15)
ATTEMPT_MEMORY = timedelta(hours=1)


class AttemptCounter(Protocol):
    """Counts sign-in attempts by address."""

    def count_attempt(self, address_hash: bytes, since: datetime) -> Attempt:
        """Count one more, or say until when the address is blocked."""

    def block(self, address_hash: bytes, until: datetime) -> None:
        """Refuse the address until then."""

    def forget(self, address_hash: bytes, stale_before: datetime) -> None:
        """Start the address anew."""


class SessionStore(Protocol):
    """What signing in and refreshing needs to read and store."""

    def read_account(self, user_id: UUID) -> Account | None: ...
    def set_password_hash(self, user_id: UUID, password_hash: str) -> None: ...
    def add_session(self, session: Session, user_id: UUID) -> None: ...
    def end_session(self, session_id: UUID, reason: EndReason) -> None: ...
    def add_refresh_token(
        self, token_hash: bytes, session_id: UUID, expires_at: datetime
    ) -> None: ...
    def lock_refresh_token(self, token_hash: bytes) -> StoredRefreshToken | None: ...
    def use_refresh_token(self, token_hash: bytes, session_id: UUID) -> None: ...


def admit_attempt(counter: AttemptCounter, email: str, now: datetime) -> None:
    """Count a sign-in attempt before its password is looked at; raises LoginBlocked.

    Counted first and forgiven after success, so that parallel guesses cannot slip through. From the
    fifth failure on the address rests for 30 s, doubling up to 15 min.
    """
    key = hash_secret(email)
    attempt = counter.count_attempt(key, now - ATTEMPT_MEMORY)
    if attempt.blocked_until is not None and attempt.blocked_until > now:
        wait_s = max(1, round((attempt.blocked_until - now).total_seconds()))
        raise LoginBlocked(f"wait {wait_s} s and try again", retry_after=wait_s)
    if attempt.failures >= FREE_ATTEMPTS:
        counter.block(key, now + block_length(attempt.failures))


def block_length(failures: int) -> timedelta:
    """How long an address rests after so many failures."""
    doublings = max(0, min(failures - FREE_ATTEMPTS, 10))
    return min(BLOCK_FIRST * (1 << doublings), BLOCK_LONGEST)


def sign_in(
    store: SessionStore,
    counter: AttemptCounter,
    signer: TokenSigner,
    *,
    user_id: UUID,
    email: str,
    password: str,
    now: datetime,
) -> TokenPair | EmailNotVerified:
    """Open a session. Raises InvalidCredentials, after the same work for an unknown user."""
    account = store.read_account(user_id)
    if not verify_password(account.password_hash if account else None, password) or not account:
        raise InvalidCredentials("check the address and the password")
    counter.forget(hash_secret(email), now - ATTEMPT_MEMORY)
    if is_outdated(account.password_hash):
        store.set_password_hash(account.user_id, hash_password(password))
    if account.status != "active":
        return EmailNotVerified("follow the link in the mail we sent you")
    session = Session(uuid7(), now + SESSION_LIFE)
    store.add_session(session, account.user_id)
    return _issue(store, signer, account, session, now)


def refresh_session(
    store: SessionStore, signer: TokenSigner, token_hash: bytes, now: datetime
) -> TokenPair | RefreshTokenReused:
    """Exchange a refresh token for a new pair; a second use ends the session.

    Raises RefreshTokenInvalid.
    """
    stored = store.lock_refresh_token(token_hash)
    if stored is None or stored.session_ended:
        raise RefreshTokenInvalid("the session is over")
    if stored.used:
        store.end_session(stored.session.session_id, "refresh_reused")
        return RefreshTokenReused("the refresh token was used before")
    if min(stored.expires_at, stored.session.expires_at) <= now:
        raise RefreshTokenInvalid("the session has expired")
    account = store.read_account(stored.user_id)
    if account is None or account.status != "active":
        raise RefreshTokenInvalid("the session is over")
    store.use_refresh_token(token_hash, stored.session.session_id)
    return _issue(store, signer, account, stored.session, now)


def _issue(
    store: SessionStore,
    signer: TokenSigner,
    account: Account,
    session: Session,
    now: datetime,
) -> TokenPair:
    refresh_token = make_refresh_token()
    expires_at = min(now + REFRESH_TOKEN_LIFE, session.expires_at)
    store.add_refresh_token(hash_secret(refresh_token), session.session_id, expires_at)
    return TokenPair(
        access_token=signer.sign(account, session.session_id, now),
        refresh_token=refresh_token,
        expires_in=int(ACCESS_TOKEN_LIFE.total_seconds()),
    )
