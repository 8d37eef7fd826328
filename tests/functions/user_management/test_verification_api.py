"""The link of the mail and another mail: single use, a day long, and one answer for everybody."""

import hashlib
import statistics
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.ids import uuid7
from contracts.user_management import (
    EmailVerificationRequested,
    EmailVerified,
    ResendVerification,
)
from functions.user_management.errors import VerificationTokenInvalid
from functions.user_management.logic.links import MailLinks, hash_token
from functions.user_management.logic.verification import verify_email
from functions.user_management.store import ManagementStore, TenantStore
from kit.db import Database
from tests.functions.user_management.conftest import Rooms, make_address
from tests.support.builders import FixedClock

RESEND = "/v1/auth/verify-email/resend"
ACCEPTED = (202, {"status": "accepted"})


def test_the_link_of_the_mail_proves_the_address_once(rooms: Rooms, tenant: UUID) -> None:
    request = rooms.register(tenant)
    assert rooms.verify(request.token) == (200, {"status": "verified"})
    (envelope,) = rooms.published.envelopes(EmailVerified)
    assert envelope.meta.tenant_id == tenant
    assert isinstance(envelope.data, EmailVerified)
    assert envelope.data.user_id == request.user_id
    assert envelope.data.tenant_name == "Rahma Trading"
    status, problem = rooms.verify(request.token)
    assert (status, problem["code"]) == (400, "verification_token_invalid")
    assert len(rooms.messages(EmailVerified)) == 1
    assert rooms.actions(tenant) == ["email.verified"]


def test_every_token_that_opens_nothing_gets_the_same_answer(
    rooms: Rooms, tenant: UUID, other_tenant: UUID, clock: FixedClock, links: MailLinks
) -> None:
    used, expired = rooms.register(tenant), rooms.register(other_tenant)
    rooms.verify(used.token)
    clock.advance(hours=24)
    tokens = [used.token, expired.token, links.make("evt"), links.make("inv"), "x" * 43, "evt_"]
    answers = [rooms.verify(token) for token in tokens]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == 400


def test_a_forged_token_is_refused_without_asking_the_database(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(rooms.database, "transaction", asked.append)
    assert rooms.verify("evt_" + "A" * 64)[0] == 400
    assert asked == []


def test_a_token_lives_for_a_day(rooms: Rooms, tenant: UUID, clock: FixedClock) -> None:
    request = rooms.register(tenant)
    assert request.expires_at - clock.now() == timedelta(hours=24)
    clock.advance(hours=23, minutes=59)
    assert rooms.verify(request.token)[0] == 200


@pytest.mark.parametrize("token", ["", "x" * 401, 5, None, "\ud800"])
def test_a_token_of_the_wrong_shape_is_refused(rooms: Rooms, token: Any) -> None:
    assert rooms.call("POST", "/v1/auth/verify-email", {"token": token})[0] == 422


def test_only_the_hash_of_a_token_is_stored(rooms: Rooms, tenant: UUID) -> None:
    request = rooms.register(tenant)
    with rooms.database.transaction(tenant) as tx:
        (row,) = tx.fetch_all("SELECT * FROM verification_tokens")
        assert bytes(row["token_hash"]) == hashlib.sha256(request.token.encode()).digest()
        assert request.token not in str(row)
        assert tx.fetch_all("SELECT * FROM outbox WHERE envelope LIKE %s", [f"%{tenant}%"]) == []


def test_of_two_clicks_at_once_one_proves_the_address(
    rooms: Rooms, open_room: Callable[[str], Database], tenant: UUID
) -> None:
    token = hash_token(rooms.register(tenant).token)

    def click(database: Database) -> bool:
        try:
            with database.transaction(tenant) as tx:
                verify_email(ManagementStore(tx), token)
        except VerificationTokenInvalid:
            return False
        return True

    databases = [open_room("user_management") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(click, databases)) == 1
    assert len(rooms.messages(EmailVerified)) == 1


def resend(rooms: Rooms, email: str) -> tuple[int, Any]:
    """Ask for another mail and let the command that follows arrive."""
    before = len(rooms.messages(ResendVerification))
    answer = rooms.call("POST", RESEND, {"email": email})
    for envelope in rooms.published.envelopes(ResendVerification)[before:]:
        assert rooms.deliver(envelope) == []
    return answer


def test_another_mail_has_another_token_and_the_older_opens_nothing(
    rooms: Rooms, tenant: UUID
) -> None:
    first = rooms.register(tenant)
    assert resend(rooms, first.email.upper()) == ACCEPTED
    _, second = rooms.messages(EmailVerificationRequested)
    assert (second.user_id, second.email) == (first.user_id, first.email)
    assert second.token != first.token
    assert rooms.verify(first.token)[0] == 400
    assert rooms.verify(second.token)[0] == 200


def test_known_unknown_and_proven_addresses_get_the_same_answer_and_the_same_work(
    rooms: Rooms, tenant: UUID, other_tenant: UUID
) -> None:
    waiting, proven = rooms.register(tenant), rooms.register(other_tenant)
    rooms.verify(proven.token)
    mails = len(rooms.messages(EmailVerificationRequested))
    for email in (waiting.email, proven.email, make_address()):
        before = len(rooms.published.rows)
        assert rooms.call("POST", RESEND, {"email": email}) == ACCEPTED
        (row,) = rooms.published.rows[before:]
        assert row.detail_type == "ResendVerification"
    for envelope in rooms.published.envelopes(ResendVerification):
        assert rooms.deliver(envelope) == []
    (mail,) = rooms.messages(EmailVerificationRequested)[mails:]
    assert mail.user_id == waiting.user_id


def test_the_time_of_the_answer_does_not_tell_a_known_address(
    rooms: Rooms, tenant: UUID, clock: FixedClock
) -> None:
    """The difference of the medians is below the spread of the unknown address's own times."""
    import time

    known, unknown = rooms.register(tenant).email, make_address()
    took: dict[str, list[float]] = {known: [], unknown: []}
    for _ in range(200):
        clock.advance(days=1)
        for email in (known, unknown):
            began = time.perf_counter()
            assert rooms.call("POST", RESEND, {"email": email}) == ACCEPTED
            took[email].append(time.perf_counter() - began)
    low, _, high = statistics.quantiles(took[unknown], n=4)
    difference = statistics.median(took[known]) - statistics.median(took[unknown])
    assert abs(difference) < max(high - low, 0.000_2)


def test_a_mail_goes_out_once_a_minute_and_five_times_a_day(
    rooms: Rooms, tenant: UUID, clock: FixedClock
) -> None:
    email = rooms.register(tenant).email
    assert resend(rooms, email) == ACCEPTED
    clock.advance(seconds=59)
    assert resend(rooms, email) == ACCEPTED
    assert len(rooms.messages(EmailVerificationRequested)) == 2
    for _ in range(8):
        clock.advance(minutes=2)
        assert resend(rooms, email) == ACCEPTED
    assert len(rooms.messages(EmailVerificationRequested)) == 1 + 5
    clock.advance(days=1)
    assert resend(rooms, email) == ACCEPTED
    assert len(rooms.messages(EmailVerificationRequested)) == 1 + 6


def test_of_sixteen_wishes_at_once_one_gets_a_mail(
    open_room: Callable[[str], Database], links: MailLinks
) -> None:
    key = links.hide("verification", make_address())

    def wish(database: Database) -> bool:
        with database.transaction(None) as tx:
            return TenantStore(tx).take_mail_slot(key, timedelta(minutes=1), 5)

    databases = [open_room("user_management") for _ in range(16)]
    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(wish, databases)) == 1


def test_of_sixteen_mails_at_once_without_a_gap_the_days_number_goes_out(
    open_room: Callable[[str], Database], links: MailLinks
) -> None:
    key = links.hide("verification", make_address())

    def wish(database: Database) -> bool:
        with database.transaction(None) as tx:
            return TenantStore(tx).take_mail_slot(key, timedelta(0), 5)

    databases = [open_room("user_management") for _ in range(16)]
    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(wish, databases)) == 5


def test_a_counted_address_cannot_be_read_from_the_store(rooms: Rooms) -> None:
    email = make_address()
    resend(rooms, email)
    with rooms.database.transaction(None) as tx:
        rows = tx.fetch_all("SELECT * FROM mail_slots")
    plain = hashlib.sha256(email.encode()).digest()
    assert all(bytes(row["key_hash"]) != plain for row in rows)
    assert email not in str(rows)


def test_a_redelivered_wish_sends_one_mail(rooms: Rooms, tenant: UUID) -> None:
    email = rooms.register(tenant).email
    rooms.call("POST", RESEND, {"email": email})
    (envelope,) = rooms.published.envelopes(ResendVerification)
    for _ in range(2):
        assert rooms.deliver(envelope) == []
    assert len(rooms.messages(EmailVerificationRequested)) == 2


@pytest.mark.parametrize(
    "body",
    [{}, {"email": "no address"}, {"email": 5}, {"email": "a@b.id", "tenant_id": str(uuid7())}],
)
def test_a_wish_of_the_wrong_shape_is_refused(rooms: Rooms, body: Any) -> None:
    assert rooms.call("POST", RESEND, body)[0] == 422
