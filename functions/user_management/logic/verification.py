"""A new tenant, the mail that proves its owner's address, and the proof."""

from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from contracts.envelope import Message
from contracts.user_management import EmailVerificationRequested, EmailVerified
from contracts.user_service import UserRegistered
from functions.user_management.errors import UserOfAnotherTenant, VerificationTokenInvalid
from functions.user_management.logic import consents, lifecycle
from functions.user_management.logic.links import MailLinks, hash_token
from functions.user_management.models import NewProfile, Profile, TenantState

VERIFICATION_LIFE = timedelta(hours=24)
HOME_TIME_ZONE = "Asia/Jakarta"
RESEND_GAP = timedelta(minutes=1)
RESENDS_A_DAY_MAX = 5

_ASK_AGAIN = "ask for a new mail and use its link within 24 hours"


class Tokens(Protocol):
    """What asking for a mail needs of the store."""

    def add_verification(self, token_hash: bytes, user_id: UUID, expires_at: datetime) -> None: ...
    def drop_verifications(self, user_id: UUID) -> None: ...
    def read_profile(self, user_id: UUID) -> Profile | None: ...
    def publish(self, message: Message) -> None: ...


class Welcome(Tokens, Protocol):
    """What a registration needs of the store."""

    def add_tenant(self, name: str) -> None: ...
    def lock_tenant(self) -> TenantState | None: ...
    def add_profile(self, profile: NewProfile) -> bool: ...


class Proof(consents.Activation, Protocol):
    """What proving an address needs of the store."""

    def use_verification(self, token_hash: bytes) -> UUID | None: ...
    def mark_verified(self, user_id: UUID) -> bool: ...
    def read_profile(self, user_id: UUID) -> Profile | None: ...
    def publish(self, message: Message) -> None: ...
    def audit(self, action: str, kind: str, target: object) -> None: ...


def welcome_tenant(
    store: Welcome, links: MailLinks, registered: UserRegistered, now: datetime
) -> None:
    """Store a new tenant with its owner and ask for the verification mail, once a user.

    Raises UserOfAnotherTenant.
    """
    store.add_tenant(registered.tenant_name)
    state = store.lock_tenant()
    if state is None or state.status in lifecycle.GONE:
        return
    profile = NewProfile(
        user_id=registered.user_id,
        email=registered.email.lower(),
        full_name=registered.full_name,
        role="owner",
        locale=registered.locale,
        time_zone=HOME_TIME_ZONE,
    )
    if store.add_profile(profile):
        ask_for_mail(store, links, registered.user_id, now)
    elif store.read_profile(registered.user_id) is None:
        raise UserOfAnotherTenant("the user has another tenant, or the tenant another owner")


def ask_for_mail(store: Tokens, links: MailLinks, user_id: UUID, now: datetime) -> bool:
    """Ask for a mail with a new token; older ones open nothing any more.

    False when the address is proven or the user gone.
    """
    profile = store.read_profile(user_id)
    if profile is None or profile.email_verified:
        return False
    token, expires_at = links.make("evt"), now + VERIFICATION_LIFE
    store.drop_verifications(user_id)
    store.add_verification(hash_token(token), user_id, expires_at)
    store.publish(
        EmailVerificationRequested(
            user_id=user_id,
            email=profile.email,
            full_name=profile.full_name,
            locale=profile.locale,
            token=token,
            expires_at=expires_at,
        )
    )
    return True


def check_token(links: MailLinks, token: str) -> bytes:
    """The hash of a token that this product made. Raises VerificationTokenInvalid."""
    if not links.is_genuine("evt", token):
        raise refuse_token()
    return hash_token(token)


def refuse_token() -> VerificationTokenInvalid:
    """The one answer for every token that opens nothing."""
    return VerificationTokenInvalid(_ASK_AGAIN)


def verify_email(store: Proof, token_hash: bytes) -> None:
    """Use a token up, announce the proven address once, and carry the tenant on.

    Raises VerificationTokenInvalid.
    """
    user_id = store.use_verification(token_hash)
    profile = store.read_profile(user_id) if user_id else None
    state = store.lock_tenant()
    if profile is None or state is None or state.status in lifecycle.GONE:
        raise refuse_token()
    if not store.mark_verified(profile.user_id):
        return
    if profile.role == "owner":
        state = lifecycle.verify(state)
        store.save_state(state)
        consents.activate(store, state, profile.user_id)
    store.audit("email.verified", "user", profile.user_id)
    store.publish(
        EmailVerified(
            user_id=profile.user_id,
            email=profile.email,
            full_name=profile.full_name,
            tenant_name=profile.tenant_name,
            locale=profile.locale,
        )
    )
