"""Access tokens and the public keys that verify them: what they say, and which keys are shown."""

import json
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import uuid7
from contracts.permissions import ROLE_SCOPES
from contracts.user_service import Role
from functions.user_service import api
from functions.user_service.errors import SigningKeysUnreadable
from functions.user_service.logic.key_rotation import write_signing_keys
from functions.user_service.logic.tokens import (
    ACCESS_TOKEN_LIFE,
    SigningKey,
    TokenSigner,
    open_signer,
    read_signing_keys,
)
from functions.user_service.models import Account
from tests.functions.user_service.conftest import SEED, UserDoors
from tests.support.builders import NOW, api_event

ISSUER = "https://api.example.com"
OTHER_SEED = secrets.token_urlsafe(48)


def make_account(role: Role = "owner", **more: Any) -> Account:
    values: dict[str, Any] = {
        "user_id": uuid7(),
        "tenant_id": uuid7(),
        "email": "siti@example.com",
        "password_hash": "!",
        "role": role,
        "status": "active",
        "platform_admin": False,
        "support": False,
        "locale": "id",
        "tier": "pro",
        **more,
    }
    return Account(**values)


def read(token: str, document: dict[str, Any]) -> dict[str, Any]:
    """The claims, once a key of the set has verified the signature."""
    (card,) = [k for k in document["keys"] if k["kid"] == jwt.get_unverified_header(token)["kid"]]
    key = jwt.PyJWK(card).key
    options: Any = {"verify_exp": False, "verify_iat": False}
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=["EdDSA"], audience="sinyal-api", issuer=ISSUER, options=options
    )
    return claims


@pytest.mark.parametrize("role", ["owner", "admin", "trader", "viewer"])
def test_a_token_says_what_its_role_may_do(role: Role) -> None:
    signer, account, session = TokenSigner(SEED, ISSUER), make_account(role), uuid7()
    token = signer.sign(account, session, NOW)
    claims = read(token, signer.jwks)
    assert UUID(claims.pop("jti")).version == 7
    assert claims == {
        "iss": ISSUER,
        "aud": "sinyal-api",
        "sub": str(account.user_id),
        "tid": str(account.tenant_id),
        "role": role,
        "tier": "pro",
        "scope": " ".join(ROLE_SCOPES[role]),
        "sid": str(session),
        "adm": False,
        "sup": False,
        "sua": 0,
        "iat": int(NOW.timestamp()),
        "ims": int(NOW.timestamp() * 1_000),
        "exp": int(NOW.timestamp()) + 600,
    }
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"


def test_a_token_says_who_is_staff_and_when_a_second_factor_was_shown() -> None:
    signer = TokenSigner(SEED, ISSUER)
    account = make_account(support=True, stepped_up_at=NOW - timedelta(seconds=90))
    claims = read(signer.sign(account, uuid7(), NOW), signer.jwks)
    assert (claims["sup"], claims["sua"]) == (True, int(NOW.timestamp()) - 90)


def make_keys(now: datetime = NOW) -> tuple[SigningKey, ...]:
    """A key in its last minutes, the one that signs, and the next one."""
    start, turn = now - timedelta(days=30), now - timedelta(minutes=5)
    soon = now + timedelta(minutes=10)
    return (
        SigningKey(secrets.token_urlsafe(48), start, start, now + timedelta(minutes=7)),
        SigningKey(secrets.token_urlsafe(48), turn, turn, soon + timedelta(minutes=12)),
        SigningKey(secrets.token_urlsafe(48), now, soon),
    )


def key_ids(document: dict[str, Any]) -> list[str]:
    return [card["kid"] for card in document["keys"]]


def test_the_newest_key_whose_time_has_come_signs() -> None:
    keys = make_keys()
    signer = TokenSigner(keys, ISSUER)
    names = [TokenSigner(key.seed, ISSUER).key_id for key in keys]
    used = [
        jwt.get_unverified_header(signer.sign(make_account(), uuid7(), NOW + wait))["kid"]
        for wait in (timedelta(minutes=-6), timedelta(0), timedelta(minutes=10))
    ]
    assert used == names
    assert key_ids(signer.show_keys(NOW)) == names[::-1]
    assert key_ids(signer.show_keys(NOW + timedelta(minutes=7))) == [names[2], names[1]]
    assert key_ids(signer.show_keys(NOW + timedelta(days=9))) == [names[2]]


def test_where_clocks_disagree_about_the_first_key_it_signs_anyway() -> None:
    only = SigningKey(SEED, NOW, NOW)
    signer = TokenSigner((only,), ISSUER)
    token = signer.sign(make_account(), uuid7(), NOW - timedelta(seconds=3))
    assert read(token, signer.show_keys(NOW))["tier"] == "pro"


@given(st.integers(-20, 40))
def test_a_token_verifies_by_the_shown_keys_until_it_ends(minutes: int) -> None:
    signer, signed_at = TokenSigner(make_keys(), ISSUER), NOW + timedelta(minutes=minutes)
    token = signer.sign(make_account(), uuid7(), signed_at)
    for age in (timedelta(0), ACCESS_TOKEN_LIFE, ACCESS_TOKEN_LIFE + timedelta(seconds=5)):
        assert read(token, signer.show_keys(signed_at + age))


@pytest.mark.parametrize(
    "keys", [make_keys(), make_keys()[:1], (SigningKey.of_seed(OTHER_SEED),)], ids=len
)
def test_keys_are_read_as_they_were_written(keys: Sequence[SigningKey]) -> None:
    written = json.loads(json.dumps(write_signing_keys(keys)))
    assert set(written["keys"][0]) == {
        "seed",
        "kid",
        "created_at",
        "signs_from",
        "honoured_until",
    }
    assert read_signing_keys(written) == keys
    assert read_signing_keys({"keys": written["keys"][::-1]}) == keys


def test_the_first_deployments_secret_is_one_key() -> None:
    (key,) = read_signing_keys({"seed": SEED})
    assert key.is_honoured(NOW + timedelta(days=9_999))
    assert open_signer({"seed": SEED}, ISSUER).key_id == TokenSigner(SEED, ISSUER).key_id


ITEM = write_signing_keys([SigningKey(SEED, NOW, NOW)])["keys"][0]


@pytest.mark.parametrize(
    "secret",
    [
        {},
        {"keys": []},
        {"keys": None},
        {"keys": [{}]},
        {"keys": ["seed"]},
        {"keys": [{**ITEM, "signs_from": "soon"}]},
        {"keys": [{**ITEM, "signs_from": "2026-03-02T08:00:00"}]},
        {"keys": [{**ITEM, "created_at": 7}]},
        {"keys": [ITEM] * 17},
    ],
)
def test_a_secret_that_is_none_is_refused_by_name(secret: dict[str, Any]) -> None:
    with pytest.raises(SigningKeysUnreadable):
        read_signing_keys(secret)


def test_the_public_keys_may_be_kept_for_five_minutes_and_hold_nothing_private(
    users: UserDoors,
) -> None:
    answer = api.handler(api_event("GET", "/.well-known/jwks.json"), None)
    assert answer["statusCode"] == 200
    assert answer["headers"]["cache-control"] == "public, max-age=300"
    document = json.loads(answer["body"])
    assert document == TokenSigner(SEED, ISSUER).jwks
    assert set(document["keys"][0]) == {"kty", "crv", "x", "kid", "use", "alg"}


def test_a_signed_in_user_is_verified_by_the_shown_keys(users: UserDoors) -> None:
    member = users.sign_in()
    document = users.call("GET", "/.well-known/jwks.json")[1]
    header = jwt.get_unverified_header(member.access_token)
    assert [header["kid"]] == key_ids(document)
