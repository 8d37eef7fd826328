"""Guesses: counted before they are looked at, so that parallel ones cannot slip through."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from contracts.user_service import AlertKind
from functions.user_service.errors import LoginBlocked
from functions.user_service.logic.tokens import hash_secret
from functions.user_service.models import (
    ACCOUNT_FREE,
    MAIL_FREE,
    NETWORK_FREE,
    Account,
    Admission,
    Subject,
)
from kit.errors import TooManyRequests


class Throttle(Protocol):
    """Counts guesses by subject."""

    def admit(self, subjects: Sequence[Subject]) -> Admission:
        """Count one guess for all subjects, or for none when one of them rests."""

    def forgive(self, subjects: Sequence[Subject]) -> None:
        """Forget the guesses of those who guessed right."""


class LockVoice(Protocol):
    """Tells of a lock."""

    def alert(self, account: Account, kind: AlertKind) -> None: ...
    def record(
        self, action: str, target_kind: str, target_id: object, **detail: str | int | bool | None
    ) -> None: ...


def name_guess(email: str, network: str | None, free: int = NETWORK_FREE) -> list[Subject]:
    """Whom a guessed password counts against: the address, and the network it comes from."""
    return [Subject("account", hash_secret(email), ACCOUNT_FREE), *_name_network(network, free)]


def name_mail(email: str, network: str | None, free: int = NETWORK_FREE) -> list[Subject]:
    """Whom a mail asked for counts against."""
    subject = Subject("mail", hash_secret(f"mail:{email}"), MAIL_FREE)
    return [subject, *_name_network(f"mail:{network}" if network else None, free)]


def name_registration(network: str | None, free: int = NETWORK_FREE) -> list[Subject]:
    """Whom a registration counts against: each costs a password's hash and a mail."""
    return _name_network(f"registration:{network}" if network else None, free)


def name_code(user_id: UUID) -> list[Subject]:
    """Whom a code of an authenticator app counts against."""
    return [Subject("code", hash_secret(f"code:{user_id}"), ACCOUNT_FREE)]


def _name_network(network: str | None, free: int) -> list[Subject]:
    return [Subject("network", hash_secret(f"network:{network}"), free)] if network else []


def block_guesser(wait_s: int) -> LoginBlocked:
    """The refusal of a guess while its subject rests."""
    return LoginBlocked(f"wait {wait_s} s and try again", retry_after=wait_s)


def slow_down(wait_s: int) -> TooManyRequests:
    """The refusal of one more registration from a network that made too many."""
    return TooManyRequests(f"wait {wait_s} s and try again", retry_after=wait_s)


def note_lock(store: LockVoice, account: Account | None, email: str) -> None:
    """Tell of a lock as it begins; an address without an account makes as much work as one with."""
    store.record("account.locked", "address", hash_secret(email).hex()[:32])
    if account is not None:
        store.alert(account, "account_locked")
