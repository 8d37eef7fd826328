"""user_management's decisions: tokens, time zones, pages, months; no sockets."""

import base64
import secrets
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Message
from contracts.ids import uuid7
from contracts.user_management import EmailVerificationRequested
from contracts.user_service import UserRegistered
from functions.user_management.api.profiles import read_version
from functions.user_management.errors import (
    PeriodTooLong,
    UnknownTimeZone,
    VerificationTokenInvalid,
)
from functions.user_management.logic.analytics import MONTHS_MAX, choose_months
from functions.user_management.logic.consents import decide_activation
from functions.user_management.logic.lifecycle import start
from functions.user_management.logic.links import MailLinks, Purpose, hash_token
from functions.user_management.logic.members import make_page
from functions.user_management.logic.profiles import check_time_zone
from functions.user_management.logic.verification import check_token, welcome_tenant
from functions.user_management.models import (
    Member,
    NewProfile,
    PreferencesWish,
    Profile,
    TenantState,
)
from kit.errors import BadRequest
from tests.support.builders import NOW

LINKS = MailLinks(secrets.token_urlsafe(32))


class FakeProfiles:
    """Keeps what a registration stores."""

    def __init__(self, state: TenantState | None = None) -> None:
        self.tokens: dict[bytes, UUID] = {}
        self.published: list[Message] = []
        self.profiles: dict[UUID, NewProfile] = {}
        self.state = state or start()

    def add_tenant(self, name: str) -> None:
        self.name = name

    def lock_tenant(self) -> TenantState:
        return self.state

    def add_profile(self, profile: NewProfile) -> bool:
        self.profiles[profile.user_id] = profile
        return True

    def read_profile(self, user_id: UUID) -> Profile | None:
        profile = self.profiles[user_id]
        return Profile(
            user_id=user_id,
            tenant_id=user_id,
            tenant_name=self.name,
            email=profile.email,
            full_name=profile.full_name,
            role=profile.role,
            locale=profile.locale,
            time_zone=profile.time_zone,
            email_verified=False,
            created_at=NOW,
        )

    def add_verification(self, token_hash: bytes, user_id: UUID, expires_at: object) -> None:
        self.tokens[token_hash] = user_id

    def drop_verifications(self, user_id: UUID) -> None:
        self.tokens = {key: who for key, who in self.tokens.items() if who != user_id}

    def publish(self, message: Message) -> None:
        self.published.append(message)


def registered() -> UserRegistered:
    return UserRegistered(
        user_id=uuid7(), email="A@example.com", full_name="A", tenant_name="T", locale="en"
    )


def test_each_mail_has_a_token_of_its_own_and_only_its_hash_is_kept() -> None:
    store = FakeProfiles()
    for _ in range(3):
        welcome_tenant(store, LINKS, registered(), NOW)
    requests = [m for m in store.published if isinstance(m, EmailVerificationRequested)]
    assert {hash_token(request.token) for request in requests} == set(store.tokens)
    assert len(store.tokens) == 3
    assert all(request.expires_at == NOW + timedelta(hours=24) for request in requests)
    assert {request.email for request in requests} == {"a@example.com"}


def test_a_token_never_shows_in_a_printed_event() -> None:
    store = FakeProfiles()
    welcome_tenant(store, LINKS, registered(), NOW)
    (request,) = store.published
    assert isinstance(request, EmailVerificationRequested)
    assert request.token not in repr(request)


def test_a_late_registration_brings_nobody_back_to_a_tenant_that_is_gone() -> None:
    for status in ("closed", "erased"):
        store = FakeProfiles(TenantState(status, None, 4))
        welcome_tenant(store, LINKS, registered(), NOW)
        assert (store.profiles, store.published) == ({}, [])


def test_a_token_fits_a_line_of_a_mail_and_is_of_its_purpose_only() -> None:
    both: tuple[Purpose, Purpose] = ("evt", "inv")
    for purpose, other in (both, both[::-1]):
        token = LINKS.make(purpose)
        assert token.startswith(f"{purpose}_")
        assert len(token) == 68
        assert LINKS.is_genuine(purpose, token)
        assert not LINKS.is_genuine(other, token)
        swapped = other + token.removeprefix(purpose)
        assert not LINKS.is_genuine(other, swapped)


def test_a_token_of_another_key_is_forged() -> None:
    stranger = MailLinks(secrets.token_urlsafe(32))
    assert not LINKS.is_genuine("evt", stranger.make("evt"))
    with pytest.raises(VerificationTokenInvalid):
        check_token(LINKS, stranger.make("evt"))


@given(st.integers(0, 47), st.integers(1, 255))
def test_a_token_with_any_byte_changed_is_forged(position: int, difference: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(LINKS.make("evt").removeprefix("evt_")))
    raw[position] ^= difference
    assert not LINKS.is_genuine("evt", "evt_" + base64.urlsafe_b64encode(bytes(raw)).decode())


@given(st.text(max_size=80))
def test_text_is_no_token(text: str) -> None:
    assert not LINKS.is_genuine("evt", text)
    assert not LINKS.is_genuine("evt", "evt_" + text)


def test_a_token_has_one_spelling() -> None:
    token = LINKS.make("evt")
    for other in (token + "=", token + "\n", " " + token, token[:20] + "!" + token[20:]):
        assert not LINKS.is_genuine("evt", other)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 characters"):
        MailLinks("short")


def test_a_count_does_not_tell_what_is_counted() -> None:
    other = MailLinks(secrets.token_urlsafe(32))
    assert LINKS.hide("a", "b") == LINKS.hide("a", "b") != other.hide("a", "b")
    assert LINKS.hide("a", "b") != LINKS.hide("ab")


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


def test_preferences_are_kept_in_one_order_and_each_once() -> None:
    wish = PreferencesWish(
        symbols=("XAUUSD", "EURUSD", "XAUUSD"),
        risk_appetite="balanced",
        sessions=("tokyo", "london", "tokyo"),
        sizing_mode="kelly",
    )
    assert wish.symbols == ("EURUSD", "XAUUSD")
    assert wish.sessions == ("london", "tokyo")


@pytest.mark.parametrize(
    ("sent", "version"), [(None, None), ("*", None), ('"3"', 3), ('W/"0"', 0), ("12", 12)]
)
def test_an_if_match_names_a_version(sent: str | None, version: int | None) -> None:
    assert read_version(sent) == version


@pytest.mark.parametrize("sent", ["", '"x"', '"-1"', '"1", "2"', "\u0661"])
def test_an_if_match_that_names_no_version_is_refused(sent: str) -> None:
    with pytest.raises(BadRequest):
        read_version(sent)


PRESENT = {"terms": 2, "privacy": 1, "risk_notice": 1}


@pytest.mark.parametrize(
    ("standing", "from_verified", "from_active"),
    [
        ({}, "verified", "verified"),
        ({"terms": 2}, "verified", "verified"),
        ({"terms": 2, "risk_notice": 1}, "active", "active"),
        ({"terms": 1, "risk_notice": 1}, "verified", "active"),
        ({"terms": 2, "privacy": 1}, "verified", "verified"),
    ],
)
def test_the_present_terms_and_risk_notice_make_a_tenant_active(
    standing: dict[str, int], from_verified: str, from_active: str
) -> None:
    for status, expected in (("verified", from_verified), ("active", from_active)):
        state = TenantState(status, None, 3)  # type: ignore[arg-type]
        moved = decide_activation(state, PRESENT, standing)  # type: ignore[arg-type]
        assert moved.status == expected


def test_months_are_those_of_jakarta() -> None:
    now = datetime(2026, 2, 28, 17, 0, tzinfo=UTC)  # midnight of 1 March in Jakarta
    months = choose_months(None, None, now)
    assert (months[0], months[-1], len(months)) == (date(2025, 4, 1), date(2026, 3, 1), 12)
    assert months.starts_at == datetime(2025, 3, 31, 17, 0, tzinfo=UTC)
    assert months.ends_at == datetime(2026, 3, 31, 17, 0, tzinfo=UTC)


@given(st.dates(date(2020, 1, 1), date(2090, 1, 1)), st.integers(0, 800))
def test_a_period_of_months_is_whole_or_refused(first: date, days: int) -> None:
    last = first + timedelta(days=days)
    expected = (last.year - first.year) * 12 + last.month - first.month + 1
    if expected > MONTHS_MAX:
        with pytest.raises(PeriodTooLong):
            choose_months(first, last, NOW)
        return
    months = choose_months(first, last, NOW)
    assert len(months) == expected
    assert all(month.day == 1 for month in months)
    assert list(months) == sorted(set(months))
    assert months[0] <= first
    assert last <= months[-1] + timedelta(days=31)


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(PeriodTooLong):
        choose_months(date(2026, 3, 1), date(2026, 2, 28), NOW)


@pytest.mark.parametrize("day", [date.min, date(2019, 12, 31), date(2100, 1, 1), date.max])
def test_a_period_out_of_the_product_s_time_is_refused(day: date) -> None:
    for first, last in ((day, day), (None, day), (day, None)):
        with pytest.raises(PeriodTooLong):
            choose_months(first, last, NOW)
