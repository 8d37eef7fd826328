"""user_service over HTTP: sign-up tells nothing, sign-in gives tokens, a stolen one ends it all."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID

import jwt
import pytest

from contracts.ids import uuid7
from contracts.user_service import UserRegistered
from functions.user_service import api
from functions.user_service.admin import ensure_platform_admin
from kit.db import Database
from tests.conftest import REPOSITORY, Stores
from tests.functions.user_service.conftest import (
    PASSWORD,
    UserDoors,
    make_email,
    verified_by,
)
from tests.support.builders import FixedClock, api_event, principal
from tests.support.publisher import RecordingPublisher


def read_claims(access_token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(access_token, options={"verify_signature": False})
    return claims


def test_registering_makes_a_tenant_and_publishes_it(
    users: UserDoors, published: RecordingPublisher
) -> None:
    status, answer = users.register("  Siti.Rahma@Example.COM ".strip())
    assert status == 201
    (envelope,) = published.envelopes(UserRegistered)
    assert str(envelope.meta.tenant_id) == answer["tenant_id"]
    assert isinstance(envelope.data, UserRegistered)
    assert str(envelope.data.user_id) == answer["user_id"]
    assert envelope.data.email == "siti.rahma@example.com"


def test_a_known_address_gets_the_same_answer_and_no_event(
    users: UserDoors, published: RecordingPublisher
) -> None:
    email = make_email()
    first, second = users.register(email), users.register(email.upper(), full_name="Mallory")
    assert first[0] == second[0] == 201
    assert set(first[1]) == set(second[1])
    assert UUID(second[1]["user_id"]).version == UUID(first[1]["user_id"]).version
    assert first[1]["tenant_id"] != second[1]["tenant_id"]
    assert len(published.messages(UserRegistered)) == 1


def test_a_repeated_registration_with_a_key_gets_the_first_answer(
    users: UserDoors, published: RecordingPublisher
) -> None:
    body = {
        "email": make_email(),
        "password": PASSWORD,
        "full_name": "Siti",
        "tenant_name": "Rahma",
    }
    key = {"Idempotency-Key": "try-1"}
    first = users.post("register", body, headers=key)
    assert users.post("register", body, headers=key) == first
    assert users.post("register", {**body, "full_name": "Eve"}, headers=key)[0] == 409
    assert len(published.messages(UserRegistered)) == 1


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"password": "short"}, 422),
        ({"password": "password1234"}, 422),
        ({"password": "x" * 201}, 422),
        ({"password": "\ud800 lone surrogate"}, 422),
        ({"email": "not-an-address"}, 422),
        ({"full_name": "nul\u0000byte"}, 422),
        ({"full_name": "   "}, 422),
        ({"tenant_name": "a" * 121}, 422),
        ({"tenant_name": "line\nbreak"}, 422),
        ({"locale": "fr"}, 422),
        ({"tenant_id": str(uuid7())}, 422),
    ],
)
def test_bad_registrations_are_refused_with_a_problem(
    users: UserDoors, published: RecordingPublisher, change: dict[str, Any], status: int
) -> None:
    answer = users.register(**change)
    assert answer[0] == status
    assert answer[1]["code"] in {"invalid_value", "password_refused"}
    assert published.rows == []


def test_a_refusal_never_repeats_the_password(users: UserDoors) -> None:
    secret = "pw-" + "z" * 300
    _, answer = users.register(password=secret)
    assert secret not in json.dumps(answer)


def test_a_body_that_is_not_json_is_400_and_one_over_the_limit_413(users: UserDoors) -> None:
    assert users.call("POST", "/v1/auth/login", "{no json")[0] == 400
    assert users.call("POST", "/v1/auth/login", " " * (256 * 1024 + 1))[0] == 413


def test_a_verified_user_logs_in_and_the_token_says_who(users: UserDoors) -> None:
    email = make_email()
    registered = users.join(email)
    status, pair = users.login(f"{email.upper()}")
    assert status == 200
    assert (pair["token_type"], pair["expires_in"]) == ("Bearer", 600)
    claims = read_claims(pair["access_token"])
    assert claims["sub"] == str(registered.user_id)
    assert claims["iss"] == "http://api.sinyal.localhost"
    assert claims["aud"] == "sinyal-api"
    assert (claims["role"], claims["tier"], claims["adm"]) == ("owner", "free", False)
    assert claims["exp"] - claims["iat"] == 600


def test_the_published_key_verifies_the_token(users: UserDoors) -> None:
    email = make_email()
    users.join(email)
    token = users.login(email)[1]["access_token"]
    answer = api.handler(api_event("GET", "/.well-known/jwks.json"), None)
    assert answer["headers"]["cache-control"] == "public, max-age=300"
    (key,) = json.loads(answer["body"])["keys"]
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": key["kid"], "typ": "at+jwt"}
    assert "d" not in key
    options: Any = {"verify_exp": False, "verify_iat": False}
    jwt.decode(token, jwt.PyJWK(key), ["EdDSA"], audience="sinyal-api", options=options)


def test_an_unverified_user_is_told_so_only_with_the_right_password(users: UserDoors) -> None:
    email = make_email()
    users.register(email)
    assert users.login(email, "wrong password 1")[1]["code"] == "invalid_credentials"
    status, problem = users.login(email)
    assert (status, problem["code"]) == (403, "email_not_verified")


def test_waiting_for_the_mail_does_not_block_the_account(users: UserDoors) -> None:
    email = make_email()
    users.register(email)
    assert {users.login(email)[0] for _ in range(8)} == {403}


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(users: UserDoors) -> None:
    email = make_email()
    users.join(email)
    assert users.login(email, "wrong password 1") == users.login(make_email(), PASSWORD)


def test_a_refresh_rotates_the_token_and_keeps_the_session(
    users: UserDoors, clock: FixedClock
) -> None:
    email = make_email()
    users.join(email)
    first = users.login(email)[1]
    clock.advance(minutes=9)
    status, second = users.post("refresh", {"refresh_token": first["refresh_token"]})
    assert status == 200
    assert second["refresh_token"] != first["refresh_token"]
    old, new = read_claims(first["access_token"]), read_claims(second["access_token"])
    assert old["sid"] == new["sid"]
    assert old["jti"] != new["jti"]
    assert new["exp"] - old["exp"] == 540


def test_a_reused_refresh_token_ends_the_whole_family(users: UserDoors) -> None:
    email = make_email()
    users.join(email)
    first = users.login(email)[1]["refresh_token"]
    second = users.post("refresh", {"refresh_token": first})[1]["refresh_token"]
    status, problem = users.post("refresh", {"refresh_token": first})
    assert (status, problem["code"]) == (401, "refresh_token_reused")
    status, problem = users.post("refresh", {"refresh_token": second})
    assert (status, problem["code"]) == (401, "refresh_token_invalid")
    assert users.login(email)[0] == 200


def test_an_unknown_or_expired_refresh_token_is_refused(
    users: UserDoors, clock: FixedClock
) -> None:
    email = make_email()
    users.join(email)
    assert users.post("refresh", {"refresh_token": "srt_nothing"})[0] == 401
    token = users.login(email)[1]["refresh_token"]
    clock.advance(days=30)
    assert users.post("refresh", {"refresh_token": token})[1]["code"] == "refresh_token_invalid"


def test_a_session_ends_after_ninety_days_of_refreshing(
    users: UserDoors, clock: FixedClock
) -> None:
    email = make_email()
    users.join(email)
    token = users.login(email)[1]["refresh_token"]
    for _ in range(3):
        clock.advance(days=29)
        token = users.post("refresh", {"refresh_token": token})[1]["refresh_token"]
    clock.advance(days=4)
    assert users.post("refresh", {"refresh_token": token})[0] == 401


def test_logging_out_ends_the_session_and_needs_a_principal(users: UserDoors) -> None:
    email = make_email()
    users.join(email)
    pair = users.login(email)[1]
    claims = read_claims(pair["access_token"])
    assert users.post("logout", None)[0] == 401
    who = principal(UUID(claims["tid"]), user_id=claims["sub"], session_id=claims["sid"])
    assert users.post("logout", None, principal=who) == (204, None)
    assert users.post("logout", None, principal=who) == (204, None)
    assert users.post("refresh", {"refresh_token": pair["refresh_token"]})[0] == 401


def test_a_foreign_tenant_cannot_end_a_session(users: UserDoors, other_tenant: UUID) -> None:
    email = make_email()
    users.join(email)
    pair = users.login(email)[1]
    thief = principal(other_tenant, session_id=read_claims(pair["access_token"])["sid"])
    users.post("logout", None, principal=thief)
    assert users.post("refresh", {"refresh_token": pair["refresh_token"]})[0] == 200


def test_a_principal_without_a_session_is_401(users: UserDoors, tenant: UUID) -> None:
    assert users.post("logout", None, principal=principal(tenant, session_id="x"))[0] == 401


def test_the_platform_admin_is_created_once_and_given_a_new_password(
    users: UserDoors, open_room: Callable[[str], Database]
) -> None:
    database, email = open_room("user_service"), make_email()
    first = ensure_platform_admin(database, email, "first password 1")
    token = users.login(email, "first password 1")[1]
    assert read_claims(token["access_token"])["adm"] is True
    assert ensure_platform_admin(database, email.upper(), "other password 2") == first
    assert users.login(email, "first password 1")[0] == 401
    assert users.login(email, "other password 2")[0] == 200
    assert users.post("refresh", {"refresh_token": token["refresh_token"]})[0] == 401


def test_a_support_account_is_no_admin_and_becomes_one_when_told(
    users: UserDoors, open_room: Callable[[str], Database]
) -> None:
    database, email = open_room("user_service"), make_email()
    ensure_platform_admin(database, email, "first password 1", support=True)
    claims = read_claims(users.login(email, "first password 1")[1]["access_token"])
    assert (claims["adm"], claims["sup"]) == (False, True)
    ensure_platform_admin(database, email, "other password 2")
    claims = read_claims(users.login(email, "other password 2")[1]["access_token"])
    assert (claims["adm"], claims["sup"]) == (True, False)


def test_the_admin_command_reads_the_password_from_its_input(
    users: UserDoors, stores: Stores
) -> None:
    email = make_email()
    done = subprocess.run(
        [sys.executable, "-m", "functions.user_service.admin", "--email", email],
        check=False,
        input="from the input 3\n",
        env={
            **os.environ,
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            "SINYAL_SECRET_DB_USER_SERVICE": json.dumps(stores.secret("user_service")),
        }
        | {"PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    claims = read_claims(users.login(email, "from the input 3")[1]["access_token"])
    assert (claims["adm"], claims["sub"]) == (True, done.stdout.split()[-1])


def test_a_weak_seed_stops_the_room_from_signing(
    users: UserDoors, set_secret: Callable[[str, dict[str, Any]], None]
) -> None:
    set_secret("jwt", {"seed": base64.b64encode(b"too short for a key").decode()})
    status, problem = users.call("GET", "/.well-known/jwks.json")
    assert (status, problem["code"]) == (500, "internal_error")


def test_only_the_right_tenant_of_a_verification_opens_the_account(
    users: UserDoors, published: RecordingPublisher, other_tenant: UUID
) -> None:
    email = make_email()
    users.register(email)
    registered = published.envelopes(UserRegistered)[-1]
    assert len(users.deliver(verified_by(registered, other_tenant))) == 1
    assert users.login(email)[0] == 403
