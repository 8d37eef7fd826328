"""Signing in: password, then the second factor of those who have one, then a session.

Refusals are returned, not raised: what they leave behind (a counted guess, a lock's notice) is
committed. An address without an account takes the same steps as one with a wrong password.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from contracts.envelope import Message
from contracts.ids import uuid7
from contracts.user_service import AlertKind, UserSignedIn
from functions.user_service.errors import (
    EmailNotVerified,
    InvalidCredentials,
    SecondFactorInvalid,
    TenantSuspended,
    TotpRequired,
)
from functions.user_service.logic.devices import hash_device
from functions.user_service.logic.passwords import hash_password, is_outdated, verify_password
from functions.user_service.logic.sessions import SESSION_LIFE, RefreshTokenStore, issue_tokens
from functions.user_service.logic.throttling import (
    LockVoice,
    Throttle,
    block_guesser,
    name_code,
    note_lock,
)
from functions.user_service.logic.tokens import TokenSigner
from functions.user_service.logic.totp import StepStore, accept_totp
from functions.user_service.logic.vault import FactorVault
from functions.user_service.models import (
    Account,
    DeviceNews,
    Factor,
    Login,
    Origin,
    Session,
    Subject,
    TokenPair,
)
from kit.errors import SinyalError


class SignInStore(RefreshTokenStore, StepStore, LockVoice, Protocol):
    """What a sign-in reads and leaves behind."""

    def read_account(self, user_id: UUID) -> Account | None: ...
    def set_password_hash(self, user_id: UUID, password_hash: str) -> None: ...
    def add_session(self, session: Session, user_id: UUID, origin: Origin) -> None: ...
    def read_factor(self, user_id: UUID) -> Factor | None: ...
    def use_recovery_code(self, user_id: UUID, code_hash: bytes) -> bool: ...
    def note_device(self, user_id: UUID, device_hash: bytes) -> DeviceNews: ...
    def publish(self, message: Message) -> None: ...
    def alert(self, account: Account, kind: AlertKind) -> None: ...


@dataclass(frozen=True, slots=True)
class Guess:
    """An admitted guess: what was sent, whom it counts against, and whether it begins a lock."""

    user_id: UUID
    email: str
    login: Login = field(repr=False)
    origin: Origin
    subjects: Sequence[Subject]
    locks: bool


@dataclass(frozen=True, slots=True)
class SignInDesk:
    """What a sign-in is decided with."""

    store: SignInStore
    throttle: Throttle
    vault: FactorVault
    signer: TokenSigner


def sign_in(desk: SignInDesk, guess: Guess, now: datetime) -> TokenPair | SinyalError:
    """Open a session, or say why not."""
    store = desk.store
    account = store.read_account(guess.user_id)
    right = verify_password(account.password_hash if account else None, guess.login.password)
    if account is None or not right or account.tenant_status == "closed":
        if guess.locks:
            note_lock(store, account, guess.email)
        return InvalidCredentials("check the address and the password")
    desk.throttle.forgive(guess.subjects)
    if is_outdated(account.password_hash):
        store.set_password_hash(account.user_id, hash_password(guess.login.password))
    if account.status != "active":
        return EmailNotVerified("follow the link in the mail we sent you")
    if account.tenant_status == "suspended":
        return TenantSuspended("write to support to learn why")
    factor = store.read_factor(account.user_id)
    if factor is None or factor.confirmed_at is None:
        return _open_session(desk, account, guess, None, now)
    refusal = _check_factor(desk, account, factor, guess, now)
    if refusal is not None:
        return refusal
    return _open_session(desk, account, guess, now if guess.login.totp else None, now)


def _check_factor(
    desk: SignInDesk, account: Account, factor: Factor, guess: Guess, now: datetime
) -> SinyalError | None:
    """Take the code that was sent, or say why not; a recovery code never counts as fresh."""
    login, store = guess.login, desk.store
    if login.totp is None and login.recovery_code is None:
        return TotpRequired("send totp, or a recovery_code")
    subjects = name_code(account.user_id)
    admission = desk.throttle.admit(subjects)
    if admission.wait_s:
        return block_guesser(admission.wait_s)
    if login.totp is not None:
        right = accept_totp(store, desk.vault, account.user_id, factor, code=login.totp, now=now)
    else:
        code_hash = desk.vault.hash_code(account.user_id, login.recovery_code or "")
        right = store.use_recovery_code(account.user_id, code_hash)
    if not right:
        if admission.locks:
            note_lock(store, account, account.email)
        return SecondFactorInvalid("wait for the next code, or use a recovery code")
    desk.throttle.forgive(subjects)
    if login.recovery_code is not None:
        store.alert(account, "recovery_code_used")
        store.record("mfa.recovery_code_used", "user", account.user_id)
    return None


def _open_session(
    desk: SignInDesk,
    account: Account,
    guess: Guess,
    stepped_up_at: datetime | None,
    now: datetime,
) -> TokenPair:
    session = Session(uuid7(), now + SESSION_LIFE, stepped_up_at)
    desk.store.add_session(session, account.user_id, guess.origin)
    if desk.store.note_device(account.user_id, hash_device(guess.origin)) == "new":
        desk.store.alert(account, "new_device")
    desk.store.publish(UserSignedIn(user_id=account.user_id, session_id=session.session_id))
    return issue_tokens(desk.store, desk.signer, account, session, now)
