"""A user's own profile and the tenant's trading preferences."""

from datetime import datetime
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.envelope import Message
from contracts.user_management import ProfileChanged, TradingPreferencesChanged
from functions.user_management.errors import (
    MemberNotThereYet,
    PreferencesChanged,
    UnknownTimeZone,
    UnknownUser,
)
from functions.user_management.logic import lifecycle
from functions.user_management.models import (
    Preferences,
    PreferencesWish,
    Profile,
    ProfileChange,
    TenantState,
)


class ProfileEditor(Protocol):
    """What changing a profile needs of the store."""

    def change_profile(self, user_id: UUID, change: ProfileChange) -> bool: ...
    def read_profile(self, user_id: UUID) -> Profile | None: ...
    def publish(self, message: Message) -> None: ...


class AddressBook(Protocol):
    """What a changed address needs of the store."""

    def lock_tenant(self) -> TenantState | None: ...
    def change_email(self, user_id: UUID, email: str, changed_at: datetime) -> bool: ...
    def drop_verifications(self, user_id: UUID) -> None: ...


class PreferenceStore(Protocol):
    """What changing the trading preferences needs of the store."""

    def lock_tenant(self) -> TenantState | None: ...
    def read_preferences(self) -> Preferences: ...
    def save_preferences(
        self, wish: PreferencesWish, version: int, user_id: UUID
    ) -> Preferences: ...
    def publish(self, message: Message) -> None: ...
    def audit(self, action: str, kind: str, target: object, **detail: str | int) -> None: ...


def change_profile(store: ProfileEditor, user_id: UUID, change: ProfileChange) -> Profile:
    """Change what a user may change; what changes nothing is not announced.

    Raises UnknownTimeZone, UnknownUser.
    """
    if change.time_zone is not None:
        check_time_zone(change.time_zone)
    before = require_profile(store.read_profile(user_id))
    store.change_profile(user_id, change)
    profile = require_profile(store.read_profile(user_id))
    if profile != before:
        store.publish(
            ProfileChanged(
                user_id=user_id,
                full_name=profile.full_name,
                locale=profile.locale,
                time_zone=profile.time_zone,
            )
        )
    return profile


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


def follow_address(store: AddressBook, user_id: UUID, email: str, changed_at: datetime) -> None:
    """Keep a user's proven new address; an older change that arrives late changes nothing.

    Raises MemberNotThereYet when the user's own message has not arrived.
    """
    state = store.lock_tenant()
    if state is not None and state.status in lifecycle.GONE:
        return
    if not store.change_email(user_id, email.lower(), changed_at):
        raise MemberNotThereYet("the user's registration or acceptance has not arrived")
    store.drop_verifications(user_id)


def change_preferences(
    store: PreferenceStore, user_id: UUID, wish: PreferencesWish, expected: int | None
) -> Preferences:
    """Set the tenant's trading preferences and announce them; the same again changes nothing.

    Raises PreferencesChanged when they are of another version than expected.
    """
    store.lock_tenant()
    present = store.read_preferences()
    if expected is not None and expected != present.version:
        raise PreferencesChanged(f"they are of version {present.version}; read them again")
    if present.version > 0 and PreferencesWish(**present.model_dump(exclude=_NOT_WISHED)) == wish:
        return present
    saved = store.save_preferences(wish, present.version + 1, user_id)
    store.audit("preferences.changed", "tenant", "trading", version=saved.version)
    store.publish(
        TradingPreferencesChanged(
            version=saved.version,
            symbols=saved.symbols,
            risk_appetite=saved.risk_appetite,
            sessions=saved.sessions,
            sizing_mode=saved.sizing_mode,
        )
    )
    return saved


_NOT_WISHED = {"version", "updated_at"}
