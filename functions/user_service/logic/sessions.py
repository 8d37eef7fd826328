"""Sessions: tokens for one, the next tokens, and what a stolen refresh token brings.

A refusal that must be remembered (a stolen refresh token ends its session) is returned, not raised:
the door commits first and raises then.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from contracts.user_service import AlertKind
from functions.user_service.errors import RefreshTokenInvalid, RefreshTokenReused
from functions.user_service.logic.tokens import (
    ACCESS_TOKEN_LIFE,
    TokenSigner,
    hash_secret,
    make_refresh_token,
)
from functions.user_service.models import (
    AccessToken,
    Account,
    EndReason,
    Origin,
    Session,
    StoredRefreshToken,
    TokenPair,
)

REFRESH_TOKEN_LIFE = timedelta(days=30)
SESSION_LIFE = timedelta(days=90)


class RefreshTokenStore(Protocol):
    """Keeps the refresh tokens of a session."""

    def add_refresh_token(
        self, token_hash: bytes, session_id: UUID, expires_at: datetime
    ) -> None: ...


class SessionStore(RefreshTokenStore, Protocol):
    """What refreshing needs to read and store."""

    def read_account(self, user_id: UUID) -> Account | None: ...
    def end_session(
        self, session_id: UUID, reason: EndReason, user_id: UUID | None = None
    ) -> bool: ...
    def lock_refresh_token(self, token_hash: bytes) -> StoredRefreshToken | None: ...
    def use_refresh_token(self, token_hash: bytes, session_id: UUID, origin: Origin) -> None: ...
    def alert(self, account: Account, kind: AlertKind) -> None: ...
    def record(
        self, action: str, target_kind: str, target_id: object, **detail: str | int | bool | None
    ) -> None: ...


def refresh_session(
    store: SessionStore, signer: TokenSigner, token_hash: bytes, origin: Origin, now: datetime
) -> TokenPair | RefreshTokenReused:
    """Exchange a refresh token for a new pair; a second use ends the session.

    Raises RefreshTokenInvalid.
    """
    stored = store.lock_refresh_token(token_hash)
    if stored is None or stored.session_ended:
        raise RefreshTokenInvalid("the session is over")
    account = store.read_account(stored.user_id)
    if account is None or account.status != "active" or account.tenant_status != "active":
        raise RefreshTokenInvalid("the session is over")
    if stored.used:
        store.end_session(stored.session.session_id, "refresh_reused")
        store.alert(account, "refresh_reused")
        store.record("session.refresh_reused", "session", stored.session.session_id)
        return RefreshTokenReused("the refresh token was used before")
    if min(stored.expires_at, stored.session.expires_at) <= now:
        raise RefreshTokenInvalid("the session has expired")
    store.use_refresh_token(token_hash, stored.session.session_id, origin)
    return issue_tokens(store, signer, account, stored.session, now)


def issue_tokens(
    store: RefreshTokenStore,
    signer: TokenSigner,
    account: Account,
    session: Session,
    now: datetime,
) -> TokenPair:
    """An access token, and the refresh token that gives the next one."""
    refresh_token = make_refresh_token()
    expires_at = min(now + REFRESH_TOKEN_LIFE, session.expires_at)
    store.add_refresh_token(hash_secret(refresh_token), session.session_id, expires_at)
    access = issue_access(signer, account, session, now)
    return TokenPair(
        access_token=access.access_token,
        refresh_token=refresh_token,
        expires_in=access.expires_in,
    )


def issue_access(
    signer: TokenSigner, account: Account, session: Session, now: datetime
) -> AccessToken:
    """An access token that says when the session last saw a second factor."""
    whose = replace(account, stepped_up_at=session.stepped_up_at)
    return AccessToken(
        access_token=signer.sign(whose, session.session_id, now),
        expires_in=int(ACCESS_TOKEN_LIFE.total_seconds()),
    )
