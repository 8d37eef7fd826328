"""user_management's decisions: tokens, time zones, pages; no sockets."""

from datetime import timedelta
from uuid import UUID
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Message
from contracts.ids import uuid7
from contracts.user_management import EmailVerificationRequested
from contracts.user_service import UserRegistered
from functions.user_management.errors import UnknownTimeZone, VerificationTokenInvalid
from functions.user_management.logic import (
    check_time_zone,
    hash_token,
    make_page,
    verify_email,
    welcome_tenant,
)
from functions.user_management.models import Member, NewProfile, Profile
from tests.support.builders import NOW


class FakeProfiles:
    """Keeps what a use case stores."""

    def __init__(self) -> None:
        self.tokens: dict[bytes, UUID] = {}
        self.published: list[Message] = []

    def add_tenant(self, name: str) -> None:
        self.name = name

    def add_profile(self, profile: NewProfile) -> bool:
        self.profile = profile
        return True

    def read_profile(self, user_id: UUID) -> Profile | None:
        return None

    def add_verification(self, token_hash: bytes, user_id: UUID, expires_at: object) -> None:
        self.tokens[token_hash] = user_id

    def use_verification(self, token_hash: bytes) -> UUID | None:
        return self.tokens.pop(token_hash, None)

    def mark_verified(self, user_id: UUID) -> bool:
        return True

    def publish(self, message: Message) -> None:
        self.published.append(message)


def registered() -> UserRegistered:
    return UserRegistered(
        user_id=uuid7(), email="a@example.com", full_name="A", tenant_name="T", locale="en"
    )


def test_each_mail_has_a_token_of_its_own_and_only_its_hash_is_kept() -> None:
    store = FakeProfiles()
    for _ in range(3):
        welcome_tenant(store, registered(), NOW)
    requests = [m for m in store.published if isinstance(m, EmailVerificationRequested)]
    assert {hash_token(request.token) for request in requests} == set(store.tokens)
    assert len(store.tokens) == 3
    assert all(len(request.token) >= 43 for request in requests)
    assert all(request.expires_at == NOW + timedelta(hours=24) for request in requests)


def test_a_token_never_shows_in_a_printed_event() -> None:
    store = FakeProfiles()
    welcome_tenant(store, registered(), NOW)
    (request,) = store.published
    assert isinstance(request, EmailVerificationRequested)
    assert request.token not in repr(request)


def test_a_token_without_a_profile_is_invalid_and_publishes_nothing() -> None:
    store = FakeProfiles()
    store.tokens[b"t"] = uuid7()
    with pytest.raises(VerificationTokenInvalid):
        verify_email(store, b"t")
    assert store.published == []


@given(st.text(max_size=60))
def test_a_time_zone_is_an_iana_name_or_refused(name: str) -> None:
    try:
        check_time_zone(name)
    except UnknownTimeZone:
        return
    assert name in available_timezones()


@given(st.integers(0, 30), st.integers(1, 20))
def test_pages_cover_all_members_and_end(count: int, limit: int) -> None:
    ids = sorted(uuid7() for _ in range(count))
    everyone = [
        Member(
            user_id=user_id,
            email="a@example.com",
            full_name="A",
            role="viewer",
            email_verified=True,
            created_at=NOW,
        )
        for user_id in ids
    ]
    seen: list[UUID] = []
    cursor: str | None = None
    for _ in range(count + 1):
        rest = [m for m in everyone if cursor is None or m.user_id > UUID(cursor)]
        page = make_page(rest[: limit + 1], limit)
        seen += [member.user_id for member in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ids
