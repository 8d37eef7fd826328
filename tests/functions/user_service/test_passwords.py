"""Passwords and addresses: changed by the owner, or by who holds the mail's token, once."""

from typing import Any

import pytest

from contracts.audit import AuditRecorded
from contracts.user_service import (
    AccessRevoked,
    EmailChanged,
    EmailChangeRequested,
    PasswordResetRequested,
    SecurityAlertRaised,
)
from functions.user_service.logic.tokens import hash_secret
from kit.db import Database
from tests.functions.user_service.conftest import PASSWORD, WRONG, Member, UserDoors, make_email
from tests.support.builders import FixedClock
from tests.support.publisher import RecordingPublisher

NEXT_PASSWORD = "sepeda biru di loteng"


def change(users: UserDoors, member: Member, **body: Any) -> tuple[int, Any]:
    body = {"current_password": PASSWORD, "new_password": NEXT_PASSWORD, **body}
    return users.post("password/change", body, principal=member.principal())


def ask_reset(users: UserDoors, published: RecordingPublisher, email: str) -> str:
    assert users.post("password/forgot", {"email": email})[0] == 202
    token: str = published.messages(PasswordResetRequested)[-1].token
    return token


def ask_email(
    users: UserDoors, member: Member, new_email: str, password: str = PASSWORD
) -> tuple[int, Any]:
    body = {"new_email": new_email, "password": password}
    return users.post("email/change", body, principal=member.principal())


def test_changing_a_password_keeps_this_session_and_ends_the_others(
    users: UserDoors, published: RecordingPublisher
) -> None:
    here = users.sign_in()
    there = users.sign_in(here.email)
    assert change(users, here) == (204, None)
    assert users.post("refresh", {"refresh_token": here.refresh_token})[0] == 200
    assert users.post("refresh", {"refresh_token": there.refresh_token})[0] == 401
    assert [m.subject_id for m in published.messages(AccessRevoked)] == [there.session_id]
    assert [a.kind for a in published.messages(SecurityAlertRaised)] == ["password_changed"]
    assert users.login(here.email)[0] == 401
    assert users.login(here.email, NEXT_PASSWORD)[0] == 200
    assert "password.changed" in {a.action for a in published.messages(AuditRecorded)}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"current_password": WRONG}, 403, "password_wrong"),
        ({"new_password": "short"}, 422, "password_refused"),
        ({"new_password": PASSWORD}, 422, "password_refused"),
        ({"new_password": "qwertyuiop12"}, 422, "password_refused"),
    ],
)
def test_a_change_without_the_password_or_to_a_bad_one_is_refused(
    users: UserDoors, body: dict[str, str], status: int, code: str
) -> None:
    member = users.sign_in()
    answer = change(users, member, **body)
    assert (answer[0], answer[1]["code"]) == (status, code)
    assert users.login(member.email)[0] == 200


def test_guessing_the_current_password_with_a_stolen_session_is_throttled(
    users: UserDoors, published: RecordingPublisher
) -> None:
    member = users.sign_in()
    statuses = [change(users, member, current_password=WRONG)[0] for _ in range(6)]
    assert statuses == [403] * 5 + [429]
    assert users.login(member.email)[0] == 429
    assert [a.kind for a in published.messages(SecurityAlertRaised)] == ["account_locked"]


def test_a_forgotten_password_is_set_with_the_mails_token_once(
    users: UserDoors, published: RecordingPublisher
) -> None:
    member = users.sign_in()
    token = ask_reset(users, published, member.email.upper())
    mail = published.messages(PasswordResetRequested)[-1]
    assert (mail.user_id, mail.email, mail.locale) == (member.user_id, member.email, "id")
    body = {"token": token, "password": NEXT_PASSWORD}
    assert users.post("password/reset", body) == (204, None)
    assert [m.subject_id for m in published.messages(AccessRevoked)] == [member.session_id]
    assert users.post("refresh", {"refresh_token": member.refresh_token})[0] == 401
    assert users.login(member.email, NEXT_PASSWORD)[0] == 200
    status, problem = users.post("password/reset", body)
    assert (status, problem["code"]) == (400, "token_invalid")
    assert [a.kind for a in published.messages(SecurityAlertRaised)] == ["password_changed"]


def test_forgotten_addresses_known_or_not_get_one_answer(
    users: UserDoors, published: RecordingPublisher
) -> None:
    member = users.sign_in()
    answers = [
        users.post("password/forgot", {"email": email})
        for email in (member.email, make_email(), member.email)
    ]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 202
    assert len(published.messages(PasswordResetRequested)) == 2


def test_a_stranger_leaves_no_token_behind(
    users: UserDoors, published: RecordingPublisher, stores: Any
) -> None:
    import psycopg

    with psycopg.connect(stores.dsn) as connection:
        count = "SELECT count(*) FROM user_service.account_tokens"
        before = connection.execute(count).fetchone()
        users.post("password/forgot", {"email": make_email()})
        assert connection.execute(count).fetchone() == before


def test_mails_to_one_address_are_few_and_a_refused_one_keeps_the_last_token(
    users: UserDoors, published: RecordingPublisher
) -> None:
    member = users.sign_in()
    answers = [users.post("password/forgot", {"email": member.email})[0] for _ in range(6)]
    assert answers == [202] * 6
    mails = published.messages(PasswordResetRequested)
    assert len(mails) == 3
    body = {"token": mails[-1].token, "password": NEXT_PASSWORD}
    assert users.post("password/reset", body)[0] == 204


@pytest.mark.parametrize("case", ["expired", "older", "of a changed password", "unknown"])
def test_a_token_that_is_over_gets_the_one_answer(
    users: UserDoors, published: RecordingPublisher, clock: FixedClock, case: str
) -> None:
    member = users.sign_in()
    token = ask_reset(users, published, member.email)
    if case == "expired":
        clock.advance(minutes=60)
    elif case == "older":
        ask_reset(users, published, member.email)
    elif case == "of a changed password":
        assert change(users, member)[0] == 204
    else:
        token = "sml_" + "x" * 43
    status, problem = users.post("password/reset", {"token": token, "password": "kopi tubruk 99"})
    assert (status, problem["code"]) == (400, "token_invalid")
    assert problem["detail"] == "ask for a new mail"


def test_a_refused_password_leaves_the_token_valid(
    users: UserDoors, published: RecordingPublisher
) -> None:
    member = users.sign_in()
    token = ask_reset(users, published, member.email)
    assert users.post("password/reset", {"token": token, "password": "password1234"})[0] == 422
    assert users.post("password/reset", {"token": token, "password": NEXT_PASSWORD})[0] == 204


def test_a_reset_lifts_the_accounts_lock(users: UserDoors, published: RecordingPublisher) -> None:
    member = users.sign_in()
    for _ in range(6):
        users.login(member.email, WRONG)
    token = ask_reset(users, published, member.email)
    users.post("password/reset", {"token": token, "password": NEXT_PASSWORD})
    assert users.login(member.email, NEXT_PASSWORD)[0] == 200


def test_the_store_keeps_the_hash_of_a_token_only(
    users: UserDoors, published: RecordingPublisher, stores: Any
) -> None:
    import psycopg

    token = ask_reset(users, published, users.sign_in().email)
    with psycopg.connect(stores.dsn) as connection:
        rows = connection.execute("SELECT token_hash, * FROM user_service.account_tokens")
        dump = [row for row in rows if bytes(row[0]) == hash_secret(token)]
    assert len(dump) == 1
    assert token not in repr(dump)


def test_an_address_changes_once_it_is_proven_and_the_old_one_hears_of_it(
    users: UserDoors, published: RecordingPublisher
) -> None:
    member, new_email = users.sign_in(), make_email()
    assert ask_email(users, member, new_email.upper())[0] == 202
    mail = published.messages(EmailChangeRequested)[-1]
    assert (mail.user_id, mail.new_email) == (member.user_id, new_email)
    assert users.login(member.email)[0] == 200
    assert users.post("email/confirm", {"token": mail.token}) == (204, None)
    assert users.login(member.email)[0] == 401
    assert users.login(new_email)[0] == 200
    assert published.messages(EmailChanged)[-1].email == new_email
    (alert,) = published.messages(SecurityAlertRaised)
    assert (alert.kind, alert.email) == ("email_changed", member.email)
    assert users.post("email/confirm", {"token": mail.token})[1]["code"] == "token_invalid"


def test_an_email_change_asks_for_the_password(
    users: UserDoors, published: RecordingPublisher
) -> None:
    status, problem = ask_email(users, users.sign_in(), make_email(), WRONG)
    assert (status, problem["code"]) == (403, "password_wrong")
    assert published.messages(EmailChangeRequested) == []


def test_a_taken_address_is_not_told_and_gets_no_mail(
    users: UserDoors, published: RecordingPublisher
) -> None:
    member, other = users.sign_in(), users.sign_in()
    assert ask_email(users, member, other.email) == ask_email(users, member, make_email())
    assert len(published.messages(EmailChangeRequested)) == 1


def test_an_address_taken_meanwhile_makes_the_token_invalid(
    users: UserDoors, published: RecordingPublisher
) -> None:
    member, wanted = users.sign_in(), make_email()
    ask_email(users, member, wanted)
    token = published.messages(EmailChangeRequested)[-1].token
    users.join(wanted)
    assert users.post("email/confirm", {"token": token})[1]["code"] == "token_invalid"
    assert users.login(member.email)[0] == 200


def test_tokens_of_one_purpose_do_not_open_the_other(
    users: UserDoors, published: RecordingPublisher
) -> None:
    member = users.sign_in()
    token = ask_reset(users, published, member.email)
    assert users.post("email/confirm", {"token": token})[0] == 400
    ask_email(users, member, make_email())
    token = published.messages(EmailChangeRequested)[-1].token
    assert users.post("password/reset", {"token": token, "password": NEXT_PASSWORD})[0] == 400


def test_a_cheaper_hash_is_made_anew_at_the_next_sign_in(users: UserDoors, open_room: Any) -> None:
    from argon2 import PasswordHasher

    member = users.sign_in()
    cheap = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    database: Database = open_room("user_service")

    def read_hash() -> str:
        with database.transaction(member.tenant_id) as tx:
            row = tx.fetch_one("SELECT password_hash FROM users")
        return str(row["password_hash"]) if row else ""

    with database.transaction(member.tenant_id) as tx:
        tx.execute("UPDATE users SET password_hash = %s", [cheap])
    assert users.login(member.email, WRONG)[0] == 401
    assert read_hash() == cheap
    assert users.login(member.email)[0] == 200
    assert "m=19456,t=2,p=1" in read_hash()


def test_a_reset_ends_the_users_api_keys_too(
    users: UserDoors, published: RecordingPublisher
) -> None:
    member = users.sign_in()
    key = {"name": "robot", "scopes": ["read"]}
    made = users.post("api-keys", key, principal=member.principal())[1]
    token = ask_reset(users, published, member.email)
    assert users.post("password/reset", {"token": token, "password": "soto ayam 2026"})[0] == 204
    revoked = {e.subject_id for e in published.messages(AccessRevoked) if e.kind == "api_key"}
    assert str(made["key_id"]) in {str(subject) for subject in revoked}
