"""user_service's decisions: passwords, keys, blocks; no sockets."""

import base64
import secrets
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.user_service.errors import PasswordRefused, WeakSigningSeed
from functions.user_service.logic import passwords
from functions.user_service.logic.passwords import (
    check_password,
    decoy_hash,
    hash_password,
    is_outdated,
    verify_password,
)
from functions.user_service.logic.registration import choose_tenant, normalise_email
from functions.user_service.logic.tokens import TokenSigner, derive_key, make_refresh_token
from functions.user_service.models import BLOCK_LONGEST, block_length

EMAIL = "siti@example.com"


@pytest.mark.parametrize(
    "password",
    [
        "",
        "ninechars",
        "password1234",
        "PassWord1234",
        "correct horse battery staple",
        "aaaaaaaaaaaaaaa",
        "ababababababab",
        "siti@example.com",
        "qwertyuiop12",
        "1q2w3e4r1q2w3e4r",
        "sitisitisiti1990",
        "passwordpassword" * 12,
        "".join(chr(0xFF10 + digit) for digit in (1, 2, 3, 4, 5, 6, 7, 8, 9, 0)),
    ],
)
def test_guessable_passwords_are_refused(password: str) -> None:
    with pytest.raises(PasswordRefused):
        check_password(password, EMAIL)


@pytest.mark.parametrize("password", ["jalan kenangan 1978", "tujuh samurai!", "пароль-длинный"])
def test_long_and_uncommon_passwords_are_taken(password: str) -> None:
    check_password(password, EMAIL)


def test_every_common_password_on_the_list_is_long_enough_to_matter() -> None:
    assert all(len(word) >= passwords.PASSWORD_LENGTH_MIN for word in passwords.COMMON)


def test_a_hash_is_argon2id_and_verifies_its_own_password_only() -> None:
    stored = hash_password("jalan kenangan 1978")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert verify_password(stored, "jalan kenangan 1978")
    assert not verify_password(stored, "jalan kenangan 1979")


def test_the_same_letters_from_another_keyboard_are_the_same_password() -> None:
    assert verify_password(hash_password("caf\u00e9 kenangan"), "cafe\u0301 kenangan")


def test_the_decoy_costs_what_a_real_hash_costs_and_no_password_opens_it() -> None:
    assert not is_outdated(decoy_hash())
    assert not verify_password(None, "jalan kenangan 1978")


def test_a_cheaper_hash_is_outdated() -> None:
    assert is_outdated(decoy_hash().replace("t=2", "t=1"))


@given(st.integers(0, 10_000))
def test_blocks_grow_and_never_pass_their_bound(failures: int) -> None:
    length = block_length(failures)
    assert timedelta(seconds=30) <= length <= BLOCK_LONGEST
    assert block_length(failures + 1) >= length


@pytest.mark.parametrize(
    "seed",
    [
        "",
        secrets.token_hex(16),
        base64.b64encode(secrets.token_bytes(16)).decode(),
        "short but random: %$#@!",
        "a" * 64,
        "ab" * 40,
    ],
    ids=["empty", "hex", "base64", "words", "one letter", "two letters"],
)
def test_short_or_monotonous_seeds_are_refused(seed: str) -> None:
    with pytest.raises(WeakSigningSeed):
        derive_key(seed)


@given(st.binary(min_size=32, max_size=64).filter(lambda raw: len(set(raw.hex())) >= 10))
@settings(max_examples=50)
def test_any_random_seed_gives_one_key_however_often(raw: bytes) -> None:
    for seed in (raw.hex(), base64.b64encode(raw).decode()):
        if len(set(seed)) >= 10:
            first, again = TokenSigner(seed, "https://a"), TokenSigner(seed, "https://b")
            assert first.jwks == again.jwks
            assert first.key_id == first.jwks["keys"][0]["kid"]


def test_different_seeds_give_different_keys() -> None:
    keys = {TokenSigner(secrets.token_urlsafe(32), "x").key_id for _ in range(5)}
    assert len(keys) == 5


def test_refresh_tokens_are_never_the_same() -> None:
    assert len({make_refresh_token() for _ in range(100)}) == 100


@given(st.emails())
def test_normalising_an_address_twice_changes_nothing_more(email: str) -> None:
    once = normalise_email(f" {email} ")
    assert normalise_email(once) == once


def test_a_repeated_key_finds_the_same_tenant_and_no_key_a_new_one() -> None:
    assert choose_tenant(EMAIL, "k") == choose_tenant(EMAIL.upper(), "k")
    assert choose_tenant(EMAIL, "k") != choose_tenant("eve@example.com", "k")
    assert choose_tenant(EMAIL, None) != choose_tenant(EMAIL, None)
