"""Decisions of user_management: who a new tenant is, and when an address is proven."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.envelope import Message
from contracts.user_management import EmailVerificationRequested, EmailVerified
from contracts.user_service import UserRegistered
from functions.user_management.errors import (
    UnknownTimeZone,
    UnknownUser,
    UserOfAnotherTenant,
    VerificationTokenInvalid,
)
from functions.user_management.models import (
    Member,
    MemberPage,
    NewProfile,
    Profile,
    ProfileChange,
)

VERIFICATION_LIFE = timedelta(hours=24)
HOME_TIME_ZONE = "Asia/Jakarta"
TOKEN_BYTES = 32


class TenantStore(Protocol):
    """What a registration needs to be stored."""

    def add_tenant(self, name: str) -> None: ...
    def add_profile(self, profile: NewProfile) -> bool: ...
    def read_profile(self, user_id: UUID) -> Profile | None: ...
    def add_verification(self, token_hash: bytes, user_id: UUID, expires_at: datetime) -> None: ...
    def publish(self, message: Message) -> None: ...


class VerificationStore(Protocol):
    """What proving an address needs."""

    def use_verification(self, token_hash: bytes) -> UUID | None: ...
    def mark_verified(self, user_id: UUID) -> bool: ...
    def read_profile(self, user_id: UUID) -> Profile | None: ...
    def publish(self, message: Message) -> None: ...


class ProfileEditor(Protocol):
    """What changing a profile needs."""

    def change_profile(self, user_id: UUID, change: ProfileChange) -> bool: ...
    def read_profile(self, user_id: UUID) -> Profile | None: ...


def hash_token(token: str) -> bytes:
    """What the store keeps of a verification token (SHA-256; the token is random)."""
    return hashlib.sha256(token.encode()).digest()


def welcome_tenant(store: TenantStore, registered: UserRegistered, now: datetime) -> None:
    """Store a new tenant with its owner and ask for the verification mail, once a user.

    Raises UserOfAnotherTenant.
    """
    store.add_tenant(registered.tenant_name)
    profile = NewProfile(
        user_id=registered.user_id,
        email=registered.email,
        full_name=registered.full_name,
        role="owner",
        locale=registered.locale,
        time_zone=HOME_TIME_ZONE,
    )
    if not store.add_profile(profile):
        if store.read_profile(registered.user_id) is None:
            raise UserOfAnotherTenant("the event names a user of another tenant")
        return
    token = secrets.token_urlsafe(TOKEN_BYTES)
    expires_at = now + VERIFICATION_LIFE
    store.add_verification(hash_token(token), registered.user_id, expires_at)
    store.publish(
        EmailVerificationRequested(
            user_id=registered.user_id,
            email=registered.email,
            full_name=registered.full_name,
            locale=registered.locale,
            token=token,
            expires_at=expires_at,
        )
    )


def verify_email(store: VerificationStore, token_hash: bytes) -> None:
    """Use a verification token up and announce the proven address once.

    Raises VerificationTokenInvalid.
    """
    user_id = store.use_verification(token_hash)
    profile = store.read_profile(user_id) if user_id else None
    if profile is None:
        raise VerificationTokenInvalid("ask for a new mail and use its link within 24 hours")
    if store.mark_verified(profile.user_id):
        store.publish(
            EmailVerified(
                user_id=profile.user_id,
                email=profile.email,
                full_name=profile.full_name,
                tenant_name=profile.tenant_name,
                locale=profile.locale,
            )
        )


def change_profile(store: ProfileEditor, user_id: UUID, change: ProfileChange) -> Profile:
    """Change what a user may change. Raises UnknownTimeZone, UnknownUser."""
    if change.time_zone is not None:
        check_time_zone(change.time_zone)
    store.change_profile(user_id, change)
    return require_profile(store.read_profile(user_id))


def check_time_zone(name: str) -> None:
    """Raise UnknownTimeZone unless the IANA database has the name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownTimeZone("use an IANA name such as Asia/Jakarta") from error


def require_profile(profile: Profile | None) -> Profile:
    """Raise UnknownUser when there is no profile."""
    if profile is None:
        raise UnknownUser("the profile is not there (yet)")
    return profile


def make_page(members: list[Member], limit: int) -> MemberPage:
    """Cut a page from one member more than it shows."""
    shown = members[:limit]
    more = len(members) > limit
    return MemberPage(items=tuple(shown), next_cursor=str(shown[-1].user_id) if more else None)
