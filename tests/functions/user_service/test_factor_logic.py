"""Second factors without sockets: codes, the vault, recovery codes, devices."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pyotp
import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.ids import uuid7
from functions.user_service.errors import WeakFactorKey
from functions.user_service.logic.devices import hash_device
from functions.user_service.logic.totp import accept_totp, find_step, make_totp_secret
from functions.user_service.logic.vault import FactorVault, make_recovery_codes
from functions.user_service.models import Factor, Origin
from tests.functions.user_service.conftest import FACTOR_KEY, LAPTOP, PHONE

VAULT = FactorVault(lambda: FACTOR_KEY)
INSTANTS = st.integers(1_700_000_000, 3_700_000_000).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)


class Steps:
    """Keeps the newest step, as the store does."""

    def __init__(self) -> None:
        self.last = 0

    def take_step(self, user_id: UUID, step: int) -> bool:
        taken = step > self.last
        self.last = max(self.last, step)
        return taken


@given(INSTANTS)
@settings(max_examples=50)
def test_a_code_is_accepted_once_at_any_time(now: datetime) -> None:
    secret, user_id, steps = make_totp_secret(), uuid7(), Steps()
    factor = Factor(VAULT.seal(user_id, secret), now, 0)
    code = pyotp.TOTP(secret).at(now)
    assert accept_totp(steps, VAULT, user_id, factor, code=code, now=now)
    assert not accept_totp(steps, VAULT, user_id, factor, code=code, now=now)
    assert not accept_totp(
        steps, VAULT, user_id, factor, code=code, now=now + timedelta(seconds=30)
    )


def test_codes_are_those_of_rfc_6238() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for at, code in ((59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")):
        assert find_step(secret, code, datetime.fromtimestamp(at, UTC)) == at // 30


@given(st.text(min_size=1, max_size=40))
def test_a_sealed_secret_opens_for_its_user_only(secret: str) -> None:
    mine, other = uuid7(), uuid7()
    sealed = VAULT.seal(mine, secret)
    assert VAULT.open(mine, sealed) == secret
    assert sealed != VAULT.seal(mine, secret)
    with pytest.raises(InvalidTag):
        VAULT.open(other, sealed)


def test_another_key_opens_nothing() -> None:
    user_id = uuid7()
    with pytest.raises(InvalidTag):
        FactorVault(lambda: FACTOR_KEY[::-1]).open(user_id, VAULT.seal(user_id, "JBSWY3DP"))


@pytest.mark.parametrize("key", ["", "short", "a" * 64, "ab" * 40])
def test_a_weak_key_seals_nothing(key: str) -> None:
    with pytest.raises(WeakFactorKey):
        FactorVault(lambda: key).seal(uuid7(), "JBSWY3DP")


def test_recovery_codes_can_be_typed_and_are_never_the_same() -> None:
    codes = [code for _ in range(50) for code in make_recovery_codes()]
    assert len(set(codes)) == 500
    assert all(re.fullmatch(r"([2-9A-Z]{4}-){2}[2-9A-Z]{4}", code) for code in codes)
    assert not any(letter in "01ILOU" for letter in "".join(codes))


def test_a_recovery_code_is_the_same_however_it_is_typed_and_another_for_another_user() -> None:
    user_id, (code, *_) = uuid7(), make_recovery_codes()
    kept = VAULT.hash_code(user_id, code)
    assert VAULT.hash_code(user_id, f" {code.lower().replace('-', ' ')} ") == kept
    assert VAULT.hash_code(uuid7(), code) != kept


def test_devices_differ_by_kind_and_not_by_version() -> None:
    phone, laptop = hash_device(Origin(PHONE)), hash_device(Origin(LAPTOP))
    assert phone != laptop
    assert hash_device(Origin(LAPTOP.replace("133.0", "140.2.1"))) == laptop
    assert hash_device(Origin(None)) == hash_device(Origin(""))
