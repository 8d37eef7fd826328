"""A password becomes another: by its owner, or by who holds the mail's token.

Asking for the mail makes the same work for an address without an account, in the same order: the
same statements, one line of audit, one hand-over to the bus.
"""

from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from contracts.envelope import Message
from contracts.user_service import AlertKind, PasswordResetRequested
from functions.user_service.errors import PasswordRefused, PasswordWrong, TokenInvalid
from functions.user_service.logic.mailed import make_mailed_token
from functions.user_service.logic.passwords import (
    check_password,
    hash_password,
    verify_password,
)
from functions.user_service.logic.throttling import LockVoice, note_lock
from functions.user_service.logic.tokens import hash_secret
from functions.user_service.models import Account, EndReason, MailedPurpose, MailedRow

RESET_LIFE = timedelta(hours=1)


class PasswordStore(LockVoice, Protocol):
    """What a new password touches."""

    def read_account(self, user_id: UUID) -> Account | None: ...
    def set_password_hash(self, user_id: UUID, password_hash: str) -> None: ...
    def end_sessions(
        self, user_id: UUID, reason: EndReason, keeping: UUID | None = None
    ) -> list[UUID]: ...
    def put_token(
        self, token_hash: bytes, user_id: UUID, purpose: MailedPurpose, expires_at: datetime
    ) -> None: ...
    def drop_stray_tokens(self, user_id: UUID) -> None: ...
    def drop_tokens(self, user_id: UUID) -> None: ...
    def take_token(self, token_hash: bytes, purpose: MailedPurpose) -> MailedRow | None: ...
    def publish(self, message: Message) -> None: ...
    def rehearse(self, message: Message) -> None: ...
    def alert(self, account: Account, kind: AlertKind) -> None: ...
    def revoke_keys_of(self, user_id: UUID | None = None) -> None: ...


def prove_password(
    store: LockVoice, account: Account, password: str, *, locks: bool
) -> PasswordWrong | None:
    """Ask the caller's password again; None when it is right."""
    if verify_password(account.password_hash, password):
        return None
    if locks:
        note_lock(store, account, account.email)
    return PasswordWrong("give the password you sign in with")


def change_password(
    store: PasswordStore, account: Account, new_password: str, keeping: UUID
) -> None:
    """Set a password its owner chose; every other session ends. Raises PasswordRefused."""
    check_password(new_password, account.email)
    if verify_password(account.password_hash, new_password):
        raise PasswordRefused("this is the password you have")
    _set_password(store, account, new_password, keeping, "password.changed")


def request_reset(store: PasswordStore, user_id: UUID, email: str, now: datetime) -> None:
    """Have a mail sent with a token for a new password; nobody's address makes the same work."""
    token, account = make_mailed_token(), store.read_account(user_id)
    store.put_token(hash_secret(token), user_id, "password_reset", now + RESET_LIFE)
    store.drop_stray_tokens(user_id)
    store.record("password.reset_asked", "address", hash_secret(email).hex()[:32])
    mail = PasswordResetRequested(
        user_id=user_id,
        email=email,
        locale=account.locale if account else "id",
        token=token,
        expires_at=now + RESET_LIFE,
    )
    if account is not None and account.tenant_status != "closed":
        store.publish(mail)
    else:
        store.rehearse(mail)


def reset_password(store: PasswordStore, token_hash: bytes, new_password: str) -> Account:
    """Set a password by the token of a mail; every session and API key of the user ends.

    Raises TokenInvalid, and PasswordRefused, which leaves the token as it was.
    """
    taken = store.take_token(token_hash, "password_reset")
    account = store.read_account(taken.user_id) if taken else None
    if account is None or account.tenant_status == "closed":
        raise TokenInvalid("ask for a new mail")
    check_password(new_password, account.email)
    _set_password(store, account, new_password, None, "password.reset")
    store.revoke_keys_of(account.user_id)
    return account


def _set_password(
    store: PasswordStore, account: Account, password: str, keeping: UUID | None, action: str
) -> None:
    store.set_password_hash(account.user_id, hash_password(password))
    store.drop_tokens(account.user_id)
    ended = store.end_sessions(account.user_id, "password_set", keeping)
    store.alert(account, "password_changed")
    store.record(action, "user", account.user_id, sessions_ended=len(ended))
