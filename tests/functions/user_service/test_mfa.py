"""The second factor: set up, asked for, never taken twice, and stepped up with."""

from collections.abc import Callable
from typing import Any

import psycopg
import pyotp
import pytest

from contracts.audit import AuditRecorded
from contracts.user_service import SecurityAlertRaised
from tests.conftest import Stores
from tests.functions.user_service.conftest import (
    PASSWORD,
    WRONG,
    Member,
    UserDoors,
    read_claims,
)
from tests.support.builders import FixedClock, principal
from tests.support.publisher import RecordingPublisher

CODES = "/v1/auth/mfa/recovery-codes"


def step_up(users: UserDoors, member: Member, code: str) -> tuple[int, Any]:
    return users.post("mfa/step-up", {"totp": code}, principal=member.principal())


def read_state(users: UserDoors, member: Member) -> Any:
    return users.call("GET", "/v1/auth/mfa/totp", principal=member.principal())[1]


def list_alerts(published: RecordingPublisher) -> list[str]:
    return [alert.kind for alert in published.messages(SecurityAlertRaised)]


def test_setting_up_gives_a_secret_that_counts_once_confirmed(
    users: UserDoors, published: RecordingPublisher, clock: FixedClock
) -> None:
    member = users.sign_in()
    assert read_state(users, member) == {
        "enabled": False,
        "pending": False,
        "confirmed_at": None,
        "recovery_codes_left": 0,
    }
    status, setup = users.call("POST", "/v1/auth/mfa/totp", principal=member.principal())
    assert status == 201
    parsed = pyotp.parse_uri(setup["otpauth_uri"])
    assert (parsed.secret, parsed.name, parsed.issuer) == (setup["secret"], member.email, "Sinyal")
    assert read_state(users, member)["pending"] is True
    assert users.login(member.email)[0] == 200
    code = pyotp.TOTP(setup["secret"]).at(clock.now())
    status, answer = users.post("mfa/totp/confirm", {"code": code}, principal=member.principal())
    assert status == 200
    assert len(set(answer["recovery_codes"])) == 10
    assert read_claims(answer["access_token"])["sua"] == int(clock.now().timestamp())
    assert read_state(users, member)["enabled"] is True
    assert read_state(users, member)["recovery_codes_left"] == 10
    assert list_alerts(published) == ["mfa_enabled"]
    assert "mfa.enabled" in {a.action for a in published.messages(AuditRecorded)}


def test_an_older_session_gives_the_password_before_it_sets_up_an_app(
    users: UserDoors, clock: FixedClock
) -> None:
    """A stolen access token must not bring an authenticator of its own."""
    member = users.sign_in()
    clock.advance(minutes=5)
    status, problem = users.call("POST", "/v1/auth/mfa/totp", principal=member.principal())
    assert (status, problem["code"]) == (403, "password_needed")
    status, problem = users.post("mfa/totp", {"password": WRONG}, principal=member.principal())
    assert (status, problem["code"]) == (403, "password_wrong")
    assert read_state(users, member)["pending"] is False
    given = users.post("mfa/totp", {"password": PASSWORD}, principal=member.principal())
    assert given[0] == 201


def test_guesses_of_the_password_before_an_app_are_counted(
    users: UserDoors, clock: FixedClock
) -> None:
    member = users.sign_in()
    answers = [
        users.post("mfa/totp", {"password": WRONG}, principal=member.principal())[0]
        for _ in range(7)
    ]
    assert answers[:4] == [403] * 4
    assert answers[-1] == 429


def test_with_the_factor_on_a_password_alone_is_told_to_bring_a_code(users: UserDoors) -> None:
    member = users.sign_in()
    app, _ = users.turn_on_totp(member)
    status, problem = users.login(member.email)
    assert (status, problem["code"]) == (401, "totp_required")
    status, problem = users.login(member.email, WRONG)
    assert (status, problem["code"]) == (401, "invalid_credentials")
    status, problem = users.login(member.email, WRONG, totp=app.at(users.clock.now()))
    assert (status, problem["code"]) == (401, "invalid_credentials")


def test_a_sign_in_with_a_code_is_stepped_up_and_keeps_it_over_a_refresh(
    users: UserDoors, clock: FixedClock
) -> None:
    member = users.sign_in()
    assert member.claims["sua"] == 0
    app, _ = users.turn_on_totp(member)
    at = int(clock.now().timestamp())
    fresh = users.sign_in(member.email, totp=app.at(clock.now()))
    assert fresh.claims["sua"] == at
    clock.advance(minutes=2)
    pair = users.post("refresh", {"refresh_token": fresh.refresh_token})[1]
    assert read_claims(pair["access_token"])["sua"] == at


@pytest.mark.parametrize(("steps", "status"), [(-2, 401), (-1, 200), (0, 200), (1, 200), (2, 401)])
def test_a_code_counts_one_step_early_or_late(
    users: UserDoors, clock: FixedClock, steps: int, status: int
) -> None:
    member = users.sign_in()
    app, _ = users.turn_on_totp(member)
    clock.advance(minutes=5)
    code = app.at(clock.now(), counter_offset=steps)
    assert users.login(member.email, totp=code)[0] == status


def test_a_code_is_taken_once_and_an_earlier_one_not_after_it(
    users: UserDoors, clock: FixedClock
) -> None:
    member = users.sign_in()
    app, _ = users.turn_on_totp(member)
    clock.advance(minutes=5)
    code, earlier = app.at(clock.now()), app.at(clock.now(), counter_offset=-1)
    assert users.login(member.email, totp=code)[0] == 200
    for used in (code, earlier):
        status, problem = users.login(member.email, totp=used)
        assert (status, problem["code"]) == (401, "second_factor_invalid")
        assert step_up(users, member, used)[1]["code"] == "totp_invalid"


def test_a_recovery_code_signs_in_once_and_never_steps_up(
    users: UserDoors, published: RecordingPublisher
) -> None:
    member = users.sign_in()
    _, codes = users.turn_on_totp(member)
    fresh = users.sign_in(member.email, recovery_code=f" {codes[0].lower()} ")
    assert fresh.claims["sua"] == 0
    assert read_state(users, member)["recovery_codes_left"] == 9
    status, problem = users.login(member.email, recovery_code=codes[0])
    assert (status, problem["code"]) == (401, "second_factor_invalid")
    assert list_alerts(published) == ["mfa_enabled", "recovery_code_used"]
    assert users.login(member.email, recovery_code=codes[1].replace("-", ""))[0] == 200


def test_both_factors_at_once_are_refused(users: UserDoors) -> None:
    status, _ = users.login("a@example.com", totp="123456", recovery_code="x")
    assert status == 422


@pytest.mark.parametrize("redis_is_up", [True, False])
def test_guessed_codes_are_throttled_and_told_once(
    users: UserDoors,
    published: RecordingPublisher,
    stop_redis: Callable[[], None],
    redis_is_up: bool,
) -> None:
    member = users.sign_in()
    app, _ = users.turn_on_totp(member)
    if not redis_is_up:
        stop_redis()
    taken = {app.at(users.clock.now(), counter_offset=step) for step in (-1, 0, 1)}
    wrong = next(code for code in ("000000", "111111", "222222", "333333") if code not in taken)
    statuses = [users.login(member.email, totp=wrong)[0] for _ in range(7)]
    assert statuses == [401] * 5 + [429] * 2
    assert users.login(member.email, totp=app.at(users.clock.now()))[0] == 429
    assert step_up(users, member, app.at(users.clock.now()))[0] == 429
    assert list_alerts(published) == ["mfa_enabled", "account_locked"]


def test_a_step_up_gives_a_token_that_is_fresh(users: UserDoors, clock: FixedClock) -> None:
    member = users.sign_in()
    assert step_up(users, member, "123456")[1]["code"] == "totp_not_on"
    app, _ = users.turn_on_totp(member)
    clock.advance(minutes=20)
    wrong = "000000" if app.at(clock.now()) != "000000" else "111111"
    status, problem = step_up(users, member, wrong)
    assert (status, problem["code"]) == (403, "totp_invalid")
    status, token = step_up(users, member, app.at(clock.now()))
    assert status == 200
    claims = read_claims(token["access_token"])
    assert (claims["sua"], claims["sid"]) == (int(clock.now().timestamp()), str(member.session_id))


def test_a_step_up_of_an_ended_session_is_refused(users: UserDoors, clock: FixedClock) -> None:
    member = users.sign_in()
    app, _ = users.turn_on_totp(member)
    users.post("logout", None, principal=member.principal())
    assert step_up(users, member, app.at(clock.now()))[0] == 401


def test_turning_off_and_new_codes_need_a_fresh_factor(
    users: UserDoors, published: RecordingPublisher, clock: FixedClock
) -> None:
    member = users.sign_in()
    app, old = users.turn_on_totp(member)
    stale = {**member.principal(), "stepped_up_at": str(int(clock.now().timestamp()) - 301)}
    for method, path in (("DELETE", "/v1/auth/mfa/totp"), ("POST", CODES)):
        status, problem = users.call(method, path, principal=stale)
        assert (status, problem["code"]) == (403, "step_up_needed")
    member.access_token = step_up(users, member, app.at(clock.now()))[1]["access_token"]
    status, renewed = users.call("POST", CODES, principal=member.principal())
    assert status == 200
    assert not set(old) & set(renewed["recovery_codes"])
    assert users.login(member.email, recovery_code=old[0])[0] == 401
    assert users.call("DELETE", "/v1/auth/mfa/totp", principal=member.principal())[0] == 204
    assert users.sign_in(member.email).claims["sua"] == 0
    pair = users.post("refresh", {"refresh_token": member.refresh_token})[1]
    assert read_claims(pair["access_token"])["sua"] == 0
    assert list_alerts(published) == ["mfa_enabled", "recovery_codes_renewed", "mfa_disabled"]


def test_a_factor_that_is_on_is_not_overwritten(users: UserDoors, clock: FixedClock) -> None:
    member = users.sign_in()
    app, _ = users.turn_on_totp(member)
    who = member.principal()
    assert users.call("POST", "/v1/auth/mfa/totp", principal=who)[1]["code"] == "totp_already_on"
    body = {"code": app.at(clock.now())}
    assert users.post("mfa/totp/confirm", body, principal=who)[1]["code"] == "totp_already_on"
    stranger = users.sign_in()
    answer = users.post("mfa/totp/confirm", body, principal=stranger.principal())
    assert answer[1]["code"] == "totp_not_on"


def test_a_foreign_tenant_sees_and_drops_nothing(
    users: UserDoors, clock: FixedClock, other_tenant: Any
) -> None:
    member = users.sign_in()
    users.turn_on_totp(member)
    thief = principal(
        other_tenant,
        user_id=str(member.user_id),
        session_id=str(member.session_id),
        stepped_up_at=str(int(clock.now().timestamp())),
    )
    answer = users.call("GET", "/v1/auth/mfa/totp", principal=thief)
    assert answer[1]["enabled"] is False
    assert users.call("DELETE", "/v1/auth/mfa/totp", principal=thief)[0] == 401
    assert read_state(users, member)["enabled"] is True


def test_neither_secret_nor_codes_lie_open_in_the_store(users: UserDoors, stores: Stores) -> None:
    member = users.sign_in()
    app, codes = users.turn_on_totp(member)
    with psycopg.connect(stores.dsn) as connection:
        for table in ("totp_factors", "recovery_codes"):
            rows = connection.execute(
                f"SELECT * FROM user_service.{table} WHERE user_id = %s", [member.user_id]
            ).fetchall()
            assert rows
            dump = repr(rows)
            assert app.secret not in dump
            assert not any(code in dump or code.replace("-", "") in dump for code in codes)
