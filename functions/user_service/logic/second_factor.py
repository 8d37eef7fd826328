"""The second factor: set up, confirmed, shown again for what is dangerous, turned off.

Wrong codes are returned, not raised: their count is committed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from contracts.user_service import AlertKind
from functions.user_service.errors import CodeRefused, TotpAlreadyOn, TotpNotOn
from functions.user_service.logic.bodies import RecoveryCodes, TotpConfirmed, TotpSetup, TotpState
from functions.user_service.logic.sessions import issue_access
from functions.user_service.logic.throttling import (
    LockVoice,
    Throttle,
    block_guesser,
    name_code,
    note_lock,
)
from functions.user_service.logic.tokens import TokenSigner
from functions.user_service.logic.totp import (
    StepStore,
    accept_totp,
    make_totp_secret,
    write_otpauth_uri,
)
from functions.user_service.logic.vault import FactorVault, make_recovery_codes
from functions.user_service.models import AccessToken, Account, Factor, Session
from kit.errors import SinyalError, Unauthenticated

RECENT_SESSION = timedelta(minutes=5)
"""A stolen access token must not set up an authenticator of its own: its session proves itself."""


class FactorStore(StepStore, LockVoice, Protocol):
    """What a second factor is kept in."""

    def read_account(self, user_id: UUID) -> Account | None: ...
    def read_factor(self, user_id: UUID) -> Factor | None: ...
    def put_pending_factor(self, user_id: UUID, sealed_secret: bytes) -> bool: ...
    def confirm_factor(self, user_id: UUID) -> bool: ...
    def drop_factor(self, user_id: UUID) -> bool: ...
    def replace_recovery_codes(self, user_id: UUID, code_hashes: Sequence[bytes]) -> None: ...
    def count_recovery_codes(self, user_id: UUID) -> int: ...
    def step_up_session(self, session_id: UUID, user_id: UUID) -> Session | None: ...
    def forget_step_ups(self, user_id: UUID) -> None: ...
    def alert(self, account: Account, kind: AlertKind) -> None: ...


@dataclass(frozen=True, slots=True)
class FactorDesk:
    """What a second factor is decided with, for one user in one session."""

    store: FactorStore
    throttle: Throttle
    vault: FactorVault
    signer: TokenSigner
    user_id: UUID
    session_id: UUID

    def read_account(self) -> Account:
        """The caller. Raises Unauthenticated when they were removed meanwhile."""
        account = self.store.read_account(self.user_id)
        if account is None:
            raise Unauthenticated("this account is not there any more")
        return account


def is_recent(began_at: datetime | None, now: datetime) -> bool:
    """Whether a session is so young that its password was given just now."""
    return began_at is not None and now - began_at < RECENT_SESSION


def begin_totp(store: FactorStore, vault: FactorVault, account: Account) -> TotpSetup:
    """Make a secret that waits to be confirmed. Raises TotpAlreadyOn."""
    secret = make_totp_secret()
    if not store.put_pending_factor(account.user_id, vault.seal(account.user_id, secret)):
        raise TotpAlreadyOn("turn it off before you set up another app")
    return TotpSetup(secret=secret, otpauth_uri=write_otpauth_uri(secret, account))


def confirm_totp(desk: FactorDesk, code: str, now: datetime) -> TotpConfirmed | SinyalError:
    """Turn the second factor on; the session has it fresh. Raises TotpAlreadyOn, TotpNotOn."""
    account, factor = desk.read_account(), desk.store.read_factor(desk.user_id)
    if factor is None:
        raise TotpNotOn("begin with POST /v1/auth/mfa/totp")
    if factor.confirmed_at is not None:
        raise TotpAlreadyOn("your authenticator app is on already")
    refusal = _take_code(desk, account, factor, code, now)
    if refusal is not None:
        return refusal
    desk.store.confirm_factor(desk.user_id)
    codes = _renew_codes(desk.store, desk.vault, desk.user_id)
    access = _step_up(desk, account, now)
    desk.store.alert(account, "mfa_enabled")
    desk.store.record("mfa.enabled", "user", desk.user_id)
    return TotpConfirmed(
        recovery_codes=codes, access_token=access.access_token, expires_in=access.expires_in
    )


def step_up(desk: FactorDesk, code: str, now: datetime) -> AccessToken | SinyalError:
    """Show the second factor again; the session carries it from now on. Raises TotpNotOn."""
    account, factor = desk.read_account(), desk.store.read_factor(desk.user_id)
    if factor is None or factor.confirmed_at is None:
        raise TotpNotOn("begin with POST /v1/auth/mfa/totp")
    refusal = _take_code(desk, account, factor, code, now)
    return refusal if refusal is not None else _step_up(desk, account, now)


def turn_off_totp(store: FactorStore, account: Account) -> None:
    """Turn the second factor off. Raises TotpNotOn."""
    if not store.drop_factor(account.user_id):
        raise TotpNotOn("there is no authenticator app to turn off")
    store.forget_step_ups(account.user_id)
    store.alert(account, "mfa_disabled")
    store.record("mfa.disabled", "user", account.user_id)


def renew_recovery_codes(store: FactorStore, vault: FactorVault, account: Account) -> RecoveryCodes:
    """Give ten new codes in place of those before. Raises TotpNotOn."""
    factor = store.read_factor(account.user_id)
    if factor is None or factor.confirmed_at is None:
        raise TotpNotOn("begin with POST /v1/auth/mfa/totp")
    codes = _renew_codes(store, vault, account.user_id)
    store.alert(account, "recovery_codes_renewed")
    store.record("mfa.recovery_codes_renewed", "user", account.user_id)
    return RecoveryCodes(recovery_codes=codes)


def read_totp_state(store: FactorStore, user_id: UUID) -> TotpState:
    """Whether the second factor is on, and how many recovery codes are left."""
    factor = store.read_factor(user_id)
    confirmed_at = factor.confirmed_at if factor else None
    return TotpState(
        enabled=confirmed_at is not None,
        pending=factor is not None and confirmed_at is None,
        confirmed_at=confirmed_at,
        recovery_codes_left=store.count_recovery_codes(user_id),
    )


def _take_code(
    desk: FactorDesk, account: Account, factor: Factor, code: str, now: datetime
) -> SinyalError | None:
    subjects = name_code(desk.user_id)
    admission = desk.throttle.admit(subjects)
    if admission.wait_s:
        return block_guesser(admission.wait_s)
    if not accept_totp(desk.store, desk.vault, desk.user_id, factor, code=code, now=now):
        if admission.locks:
            note_lock(desk.store, account, account.email)
        return CodeRefused("wait for the next code and try again")
    desk.throttle.forgive(subjects)
    return None


def _step_up(desk: FactorDesk, account: Account, now: datetime) -> AccessToken:
    session = desk.store.step_up_session(desk.session_id, desk.user_id)
    if session is None:
        raise Unauthenticated("the session is over")
    return issue_access(desk.signer, account, session, now)


def _renew_codes(store: FactorStore, vault: FactorVault, user_id: UUID) -> list[str]:
    codes = make_recovery_codes()
    store.replace_recovery_codes(user_id, [vault.hash_code(user_id, code) for code in codes])
    return codes
