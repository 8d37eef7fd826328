"""The gateway's decisions: every forged, foreign or late token is refused; no sockets."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from contracts.api_keys import write_api_key
from contracts.ids import uuid7
from functions.api_gateway.errors import KeysUnavailable, TokenRefused
from functions.api_gateway.logic.credentials import identify_claims, read_credential
from functions.api_gateway.logic.health import judge_readiness
from functions.api_gateway.logic.tokens import KeyRing, read_keys, verify_token
from functions.api_gateway.logic.verdicts import build_policy
from functions.api_gateway.models import Limits, Verdict
from kit.tenancy import read_principal
from tests.functions.api_gateway.conftest import (
    ISSUER,
    METHOD_ARN,
    SEED,
    Issuer,
    authorizer_event,
)
from tests.support.builders import NOW

REQUIRED = ("iss", "aud", "sub", "tid", "role", "tier", "scope", "sid", "jti", "adm", "iat", "exp")


def encode(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def ring(issuer: Issuer) -> KeyRing:
    return KeyRing(lambda: issuer.signer.jwks)


def refuse(issuer: Issuer, token: str, after: timedelta = timedelta(0)) -> None:
    with pytest.raises(TokenRefused):
        verify_token(token, ring(issuer), ISSUER, NOW + after)


def test_a_token_of_the_issuer_is_taken(issuer: Issuer) -> None:
    tenant_id = uuid7()
    claims = verify_token(issuer.token(tenant_id), ring(issuer), ISSUER, NOW)
    assert (claims.tid, claims.role, claims.tier) == (tenant_id, "owner", "pro")


def test_the_algorithm_none_is_refused(issuer: Issuer) -> None:
    payload = jwt.decode(issuer.token(), options={"verify_signature": False})
    for name in ("none", "None", "NONE", "nOnE"):
        header = {"alg": name, "typ": "at+jwt", "kid": issuer.signer.key_id}
        refuse(issuer, f"{encode(header)}.{encode(payload)}.")


def test_the_public_key_as_an_hmac_secret_is_refused(issuer: Issuer) -> None:
    import hashlib
    import hmac

    public = issuer.key.public_key()
    secrets_ = (
        public.public_bytes_raw(),
        public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        issuer.signer.jwks["keys"][0]["x"].encode(),
    )
    payload = encode(jwt.decode(issuer.token(), options={"verify_signature": False}))
    for secret in secrets_:
        for alg in ("HS256", "EdDSA"):
            head = encode({"alg": alg, "typ": "at+jwt", "kid": issuer.signer.key_id})
            signature = hmac.new(secret, f"{head}.{payload}".encode(), hashlib.sha256).digest()
            refuse(issuer, f"{head}.{payload}.{encode(signature)}")


def test_another_algorithm_with_another_key_is_refused(issuer: Issuer) -> None:
    payload = jwt.decode(issuer.token(), options={"verify_signature": False})
    headers = {"kid": issuer.signer.key_id, "typ": "at+jwt"}
    rsa_key = rsa.generate_private_key(65537, 2048)
    ec_key = ec.generate_private_key(ec.SECP256R1())
    refuse(issuer, jwt.encode(payload, rsa_key, "RS256", headers=headers))
    refuse(issuer, jwt.encode(payload, ec_key, "ES256", headers=headers))


def test_a_key_of_another_environment_is_refused(issuer: Issuer) -> None:
    foreign = Issuer(SEED[::-1])
    refuse(issuer, foreign.token())
    refuse(issuer, foreign.bend(header={"kid": issuer.signer.key_id}))


def test_a_key_that_the_token_brings_along_is_not_used(issuer: Issuer) -> None:
    foreign = Issuer(SEED[::-1])
    jwk = foreign.signer.jwks["keys"][0]
    refuse(issuer, foreign.bend(header={"jwk": jwk, "kid": issuer.signer.key_id}))
    refuse(issuer, foreign.bend(header={"jku": "http://evil.example/jwks.json"}))


def test_a_token_ends_with_five_seconds_of_leeway(issuer: Issuer) -> None:
    token = issuer.token()
    verify_token(token, ring(issuer), ISSUER, NOW + timedelta(seconds=604))
    refuse(issuer, token, timedelta(seconds=605))


def test_a_token_from_the_future_is_refused(issuer: Issuer) -> None:
    verify_token(issuer.token(), ring(issuer), ISSUER, NOW - timedelta(seconds=5))
    refuse(issuer, issuer.token(), -timedelta(seconds=6))
    refuse(issuer, issuer.bend(nbf=int(NOW.timestamp()) + 60))


@pytest.mark.parametrize("claim", REQUIRED)
def test_a_token_without_a_required_claim_is_refused(issuer: Issuer, claim: str) -> None:
    refuse(issuer, issuer.bend(drop=claim))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "sinyal-web"},
        {"aud": ["sinyal-api", "sinyal-web"]},
        {"iss": "http://api.sinyal.localhost.evil.example"},
        {"iss": ISSUER + "/"},
        {"sub": "nobody"},
        {"tid": ""},
        {"tid": None},
        {"role": "root"},
        {"tier": "gold"},
        {"scope": ["read"]},
        {"sid": "x"},
        {"adm": "true"},
        {"adm": 1},
        {"exp": "9999999999"},
        {"exp": 1e18},
        {"iat": True},
        {"nbf": "now"},
        {"sup": "true"},
        {"sua": "1"},
        {"sua": -1},
    ],
)
def test_a_claim_of_the_wrong_kind_is_refused(issuer: Issuer, claims: dict[str, Any]) -> None:
    refuse(issuer, issuer.bend(**claims))


@pytest.mark.parametrize(
    "header",
    [{"typ": "JWT"}, {"typ": None}, {"crit": ["b64"]}, {"kid": "other"}, {"kid": "../../key"}],
)
def test_a_header_of_another_kind_is_refused(issuer: Issuer, header: dict[str, Any]) -> None:
    refuse(issuer, issuer.bend(header=header))


@given(st.data())
def test_a_tampered_token_is_refused(data: st.DataObject) -> None:
    issuer = Issuer()
    parts = issuer.token().split(".")
    index = data.draw(st.integers(0, 2))
    raw = bytearray(base64.urlsafe_b64decode(parts[index] + "=" * (-len(parts[index]) % 4)))
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] ^= data.draw(st.integers(1, 255))
    parts[index] = encode(bytes(raw))
    refuse(issuer, ".".join(parts))


@given(st.one_of(st.text(max_size=200), st.from_regex(r"[A-Za-z0-9_-]{0,40}(\.[\w-]{0,40}){2}")))
def test_any_other_text_is_refused(text: str) -> None:
    refuse(Issuer(), text)


def test_a_deeply_nested_token_is_refused(issuer: Issuer) -> None:
    refuse(issuer, f"{encode(b'[' * 2900)}.e30.e30")
    refuse(issuer, f"{encode({'alg': 'EdDSA'})}.{encode(b'[' * 2900)}.e30")


KEY = write_api_key("prod", "Ab3dE6gH", "s" * 43)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic dTpw"},
        {"Authorization": "Bearer " + "x" * 5000},
        {"Authorization": None},
        {"Authorization": "Bearer a", "authorization": "Bearer b"},
        {"Authorization": "Bearer a", "X-Api-Key": KEY},
        {"Authorization": f"Bearer {KEY}", "X-Api-Key": KEY},
        {"X-Api-Key": KEY, "x-api-key": KEY},
        {"X-Api-Key": ""},
        {"X-Api-Key": "a.b.c"},
        {"X-Api-Key": KEY[:-1] + ("a" if KEY[-1] != "a" else "b")},
        {"X-Api-Key": KEY.replace("ssss", "ssst", 1)},
        {"X-Api-Key": write_api_key("test", "Ab3dE6gH", "s" * 43)},
        {"Authorization": "Bearer sk_prod_nonsense"},
    ],
)
def test_a_request_without_exactly_one_good_credential_is_refused(headers: dict[str, Any]) -> None:
    with pytest.raises(TokenRefused):
        read_credential({"headers": headers}, "prod")


def test_the_headers_are_read_in_whatever_case() -> None:
    for name in ("Authorization", "authorization", "AUTHORIZATION"):
        assert read_credential(authorizer_event("abc", name), "prod").token == "abc"
    assert read_credential({"headers": {"authorization": "bearer abc"}}, "prod").token == "abc"


def test_an_api_key_comes_in_either_header() -> None:
    for headers in ({"authorization": f"Bearer {KEY}"}, {"x-API-key": KEY}):
        credential = read_credential({"headers": headers}, "prod")
        assert credential.token is None
        assert credential.key is not None
        assert credential.key.prefix == "sk_prod_Ab3dE6gH"
        assert KEY not in repr(credential)


def test_two_authorization_headers_are_refused() -> None:
    event = authorizer_event("a")
    event["multiValueHeaders"]["Authorization"] = ["Bearer a", "Bearer b"]
    with pytest.raises(TokenRefused):
        read_credential(event, "prod")


ADMITTED = Verdict("admitted", "pro", limits=Limits(10, 50, 50_000), day_left=49_998)


def test_the_policy_covers_the_stage_and_no_other(issuer: Issuer) -> None:
    claims = verify_token(issuer.token(), ring(issuer), ISSUER, NOW)
    policy = build_policy(identify_claims(claims), ADMITTED, METHOD_ARN)
    (statement,) = policy["policyDocument"]["Statement"]
    assert statement["Effect"] == "Allow"
    assert statement["Resource"] == (
        "arn:aws:execute-api:ap-southeast-3:123456789012:a1b2c3/prod/*"
    )


@pytest.mark.parametrize("platform_admin", [True, False])
def test_the_context_is_strings_and_the_rooms_read_it_back(
    issuer: Issuer, platform_admin: bool
) -> None:
    tenant_id = uuid7()
    token = issuer.bend(
        tid=str(tenant_id), adm=platform_admin, role="trader", scope="read trade", sup=True, sua=7
    )
    claims = verify_token(token, ring(issuer), ISSUER, NOW)
    context = build_policy(identify_claims(claims), ADMITTED, METHOD_ARN)["context"]
    assert all(isinstance(value, str) for value in context.values())
    principal = read_principal(context)
    assert (principal.tenant_id, principal.role) == (tenant_id, "trader")
    assert principal.platform_admin is platform_admin
    assert principal.support is True
    assert principal.scope == "read trade"
    assert principal.stepped_up_at == datetime.fromtimestamp(7, UTC)
    assert (principal.credential, principal.key_id) == ("session", None)


def test_a_token_tells_its_millisecond_if_it_fits_its_second(issuer: Issuer) -> None:
    second = int(NOW.timestamp())
    for ims, taken in ((second * 1_000 + 999, 999), (second * 1_000 + 1_000, 0), (7, 0)):
        claims = verify_token(issuer.bend(ims=ims), ring(issuer), ISSUER, NOW)
        assert identify_claims(claims).issued_ms == second * 1_000 + taken


def test_a_token_of_before_support_and_step_up_has_neither(issuer: Issuer) -> None:
    payload = jwt.decode(issuer.token(), options={"verify_signature": False})
    for claim in {"sup", "sua"} & set(payload):
        del payload[claim]
    headers = {"kid": issuer.signer.key_id, "typ": "at+jwt"}
    token = jwt.encode(payload, issuer.key, algorithm="EdDSA", headers=headers)
    who = identify_claims(verify_token(token, ring(issuer), ISSUER, NOW))
    assert (who.support, who.stepped_up_at) == (False, None)


class CountingIssuer:
    """Counts how often its keys are asked for."""

    def __init__(self, document: Any) -> None:
        self.document, self.asked = document, 0

    def fetch(self) -> Any:
        self.asked += 1
        if self.document is None:
            raise KeysUnavailable("gone")
        return self.document


def test_keys_are_kept_for_five_minutes_and_then_not_trusted(issuer: Issuer) -> None:
    source = CountingIssuer(issuer.signer.jwks)
    keys, key_id = KeyRing(source.fetch), issuer.signer.key_id
    for seconds in (0, 1, 299):
        keys.find(key_id, NOW + timedelta(seconds=seconds))
    assert source.asked == 1
    source.document = None
    with pytest.raises(KeysUnavailable):
        keys.find(key_id, NOW + timedelta(seconds=300))
    assert source.asked == 2


def test_an_unknown_key_asks_again_at_most_every_ten_seconds(issuer: Issuer) -> None:
    source = CountingIssuer({"keys": []})
    keys = KeyRing(source.fetch)
    for tenths in range(0, 100, 5):
        with pytest.raises(TokenRefused):
            keys.find("unknown", NOW + timedelta(seconds=tenths / 10))
    assert source.asked == 1
    source.document = issuer.signer.jwks
    keys.find(issuer.signer.key_id, NOW + timedelta(seconds=10))
    assert source.asked == 2


def test_a_failed_fetch_is_not_repeated_within_a_second(issuer: Issuer) -> None:
    source = CountingIssuer(None)
    keys = KeyRing(source.fetch)
    for seconds in (0, 0.5, 0.9):
        with pytest.raises(KeysUnavailable):
            keys.find("k", NOW + timedelta(seconds=seconds))
    assert source.asked == 1
    source.document = issuer.signer.jwks
    keys.find(issuer.signer.key_id, NOW + timedelta(seconds=1))


@pytest.mark.parametrize("document", [None, [], "x", {}, {"keys": "x"}, {"keys": None}])
def test_what_is_no_key_set_is_not_trusted(document: Any) -> None:
    with pytest.raises(KeysUnavailable):
        read_keys(document)


def test_keys_of_other_kinds_are_passed_over(issuer: Issuer) -> None:
    good = issuer.signer.jwks["keys"][0]
    others = [
        {**good, "kid": "a", "kty": "RSA"},
        {**good, "kid": "b", "use": "enc"},
        {**good, "kid": "c", "alg": "HS256"},
        {**good, "kid": "d", "x": "AAAA"},
        {**good, "kid": "e", "x": "\u00e9"},
        {**good, "kid": 7},
        "text",
        None,
    ]
    assert set(read_keys({"keys": [*others, good]})) == {good["kid"]}


def test_the_house_is_ready_when_every_store_answers() -> None:
    up = judge_readiness({"postgres": True, "redis": True}, "test", NOW)
    down = judge_readiness({"postgres": True, "redis": False}, "test", NOW)
    assert up.status == "ready"
    assert down.status == "not_ready"
    assert down.dependencies == {"postgres": "ok", "redis": "unreachable"}
