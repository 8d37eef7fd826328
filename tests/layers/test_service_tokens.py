"""Service tokens: the right room for a minute, and nobody else, however the token is bent."""

import base64
import json
import secrets
from datetime import timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import service_tokens
from kit.errors import Unauthenticated
from kit.service_tokens import ServiceTokenRefused, WeakServiceSeed, derive_public, sign, verify
from tests.support.builders import NOW

GATEWAY = {"seed": secrets.token_urlsafe(48)}
BILLING = {"seed": secrets.token_hex(32)}
KEYS = {
    "api_gateway": derive_public(GATEWAY["seed"]),
    "billing_service": derive_public(BILLING["seed"]),
}
TOKEN = sign("api_gateway", "user_service", GATEWAY, NOW)


def bend(header: dict[str, Any] | None = None, drop: str = "", **claims: Any) -> str:
    """A token well signed by the gateway, with other claims or headers."""
    payload = {**jwt.decode(TOKEN, options={"verify_signature": False}), **claims}
    payload.pop(drop, None)
    key = service_tokens._derive_key(GATEWAY["seed"])
    headers = {"typ": service_tokens.TOKEN_TYPE, **(header or {})}
    text = json.dumps(payload).encode()
    return jwt.PyJWS().encode(text, key, algorithm="EdDSA", headers=headers)


def test_a_room_is_known_by_its_token() -> None:
    assert verify(TOKEN, "user_service", KEYS, NOW) == "api_gateway"


def test_a_token_counts_for_a_minute_and_never_before_it_was_signed() -> None:
    for seconds in (-5, 0, 59, 64):
        assert verify(TOKEN, "user_service", KEYS, NOW + timedelta(seconds=seconds))
    for seconds in (-6, 65, 3600):
        with pytest.raises(ServiceTokenRefused):
            verify(TOKEN, "user_service", KEYS, NOW + timedelta(seconds=seconds))


def test_no_two_tokens_have_the_same_name() -> None:
    names = {
        jwt.decode(sign("a_room", "b_room", GATEWAY, NOW), options={"verify_signature": False})[
            "jti"
        ]
        for _ in range(50)
    }
    assert len(names) == 50


def test_a_token_for_another_room_is_refused() -> None:
    with pytest.raises(ServiceTokenRefused):
        verify(TOKEN, "user_management", KEYS, NOW)


def test_a_token_for_several_rooms_at_once_is_refused() -> None:
    with pytest.raises(ServiceTokenRefused):
        verify(bend(aud=["sinyal.user_service", "sinyal.x"]), "user_service", KEYS, NOW)


def test_an_unknown_caller_is_refused() -> None:
    with pytest.raises(ServiceTokenRefused):
        verify(TOKEN, "user_service", {"billing_service": KEYS["billing_service"]}, NOW)


def test_a_room_cannot_speak_for_another() -> None:
    forged = sign("api_gateway", "user_service", BILLING, NOW)
    with pytest.raises(ServiceTokenRefused):
        verify(forged, "user_service", KEYS, NOW)


def test_a_key_of_another_environment_is_refused() -> None:
    elsewhere = sign("api_gateway", "user_service", {"seed": secrets.token_hex(32)}, NOW)
    with pytest.raises(ServiceTokenRefused):
        verify(elsewhere, "user_service", KEYS, NOW)


@pytest.mark.parametrize("key", ["", "not base64!", "c2hvcnQ", 7, None, "A" * 44])
def test_a_public_key_that_cannot_be_read_lets_nobody_in(key: Any) -> None:
    with pytest.raises(ServiceTokenRefused):
        verify(TOKEN, "user_service", {"api_gateway": key}, NOW)


@pytest.mark.parametrize("claim", ["iss", "aud", "iat", "exp", "jti"])
def test_every_claim_is_needed(claim: str) -> None:
    with pytest.raises(ServiceTokenRefused):
        verify(bend(drop=claim), "user_service", KEYS, NOW)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(NOW.timestamp()) + 3600},
        {"exp": "soon"},
        {"exp": True},
        {"iat": 1.5},
        {"jti": ""},
        {"jti": 7},
        {"iss": "api_gateway"},
        {"iss": "sinyal."},
        {"iss": "sinyal.api_gateway/../x"},
        {"iss": ["sinyal.api_gateway"]},
        {"aud": "user_service"},
        {"aud": 5},
    ],
)
def test_claims_out_of_order_are_refused_though_well_signed(claims: dict[str, Any]) -> None:
    with pytest.raises(ServiceTokenRefused):
        verify(bend(**claims), "user_service", KEYS, NOW)


@pytest.mark.parametrize(
    "header", [{"typ": "at+jwt"}, {"typ": "JWT"}, {"typ": None}, {"crit": ["b64"]}]
)
def test_a_token_of_another_kind_is_refused_though_well_signed(header: dict[str, Any]) -> None:
    with pytest.raises(ServiceTokenRefused):
        verify(bend(header), "user_service", KEYS, NOW)


def encode(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


@pytest.mark.parametrize("algorithm", ["none", "HS256", "HS512", "ES256", "RS256", "eddsa", None])
def test_another_algorithm_is_refused_even_when_signed_with_the_public_key(
    algorithm: str | None,
) -> None:
    """The public key as an HMAC secret is the classic confusion."""
    import hashlib
    import hmac

    claims = jwt.decode(TOKEN, options={"verify_signature": False})
    head = encode({"alg": algorithm, "typ": service_tokens.TOKEN_TYPE})
    signed = f"{head}.{encode(claims)}"
    digest = hmac.new(KEYS["api_gateway"].encode(), signed.encode(), hashlib.sha256).digest()
    mac = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    for signature in ("", mac, TOKEN.split(".")[2]):
        with pytest.raises(ServiceTokenRefused):
            verify(f"{signed}.{signature}", "user_service", KEYS, NOW)


def decode_part(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@given(st.data())
def test_no_changed_byte_survives(data: st.DataObject) -> None:
    """Any other header, claims or signature is refused; the last base64 digit may be slack."""
    parts = TOKEN.split(".")
    which = data.draw(st.integers(0, 2))
    raw = bytearray(decode_part(parts[which]))
    where = data.draw(st.integers(0, len(raw) - 1))
    raw[where] ^= data.draw(st.integers(1, 255))
    parts[which] = base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")
    with pytest.raises(ServiceTokenRefused):
        verify(".".join(parts), "user_service", KEYS, NOW)


@given(st.text(max_size=300))
def test_any_text_is_refused_and_never_breaks(text: str) -> None:
    with pytest.raises(ServiceTokenRefused):
        verify(text, "user_service", KEYS, NOW)


@given(st.recursive(st.none() | st.integers() | st.text(max_size=9), st.lists, max_leaves=9))
def test_any_well_signed_audience_but_ours_is_refused(audience: Any) -> None:
    with pytest.raises(ServiceTokenRefused):
        verify(bend(aud=audience), "user_service", KEYS, NOW)


def test_an_endless_token_is_refused_before_it_is_read() -> None:
    with pytest.raises(ServiceTokenRefused):
        verify(TOKEN + "A" * 2048, "user_service", KEYS, NOW)


@pytest.mark.parametrize("seed", ["", "short", "a" * 64, "0123456789abcdef" * 2, "ab" * 40])
def test_weak_seeds_sign_nothing(seed: str) -> None:
    with pytest.raises(WeakServiceSeed):
        sign("api_gateway", "user_service", {"seed": seed}, NOW)
    with pytest.raises(WeakServiceSeed):
        derive_public(seed)


def test_a_refusal_is_a_401() -> None:
    assert issubclass(ServiceTokenRefused, Unauthenticated)
    assert ServiceTokenRefused.status == 401
