"""Passwords: which are taken, how they are kept, and the work that an unknown address costs.

Argon2id at OWASP's first-choice cost (19 MiB, 2 passes, 1 lane). How guessable a password is says
zxcvbn, with its 30,000 leaked passwords. ``argon2`` and ``zxcvbn`` are imported where they are
used: JWKS and the queue door start without them.
"""

import base64
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from functions.user_service.errors import PasswordRefused

if TYPE_CHECKING:
    from argon2 import PasswordHasher

PASSWORD_LENGTH_MIN = 10
DISTINCT_CHARACTERS_MIN = 4
GUESSABLE_SCORE_MAX = 1
ESTIMATED_CHARACTERS_MAX = 100
"""The estimate grows faster than its input; what comes after can only make it stronger."""
MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1
SALT_BYTES, DIGEST_BYTES = 16, 32

# The most used passwords of ten characters and more in published leaks, and what people here type.
_COMMON = """
1234567890 12345678910 123456789a 123456789q 0123456789 0987654321 1q2w3e4r5t 1qaz2wsx3edc
1234554321 1122334455 9876543210 qwertyuiop qwerty1234 qwerty12345 qwerty123456 qwertyuiop123
asdfghjkl1 asdfghjkl123 zxcvbnm123 password12 password123 password1234 password12345 password123456
passw0rd123 p@ssw0rd123 p@ssword123 iloveyou123 iloveyou12 letmein123 letmein1234 welcome123
welcome1234 welcome2024 welcome2025 welcome2026 admin12345 admin123456 admin1234567 administrator
changeme123 football123 baseball123 superman123 princess123 sunshine123 monkey12345 dragon12345
master12345 michael123 jordan23123 computer123 internet123 trustno1234 whatever123 starwars123
abcdefghij abcdefghijk abc1234567 abcd123456 abcd1234567 a1b2c3d4e5 aa12345678 qazwsxedcr
qazwsx123456 qazwsxedc123 1password1 mypassword mypassword1 secret12345 test123456 test1234567
testtest123 indonesia1 indonesia123 indonesia45 jakarta123 bismillah1 bismillah123 alhamdulillah
sayangku123 sayangkamu akusayangkamu cintaku123 rahasia123 katasandi123 katasandiku merdeka1945
persija123 persib1933 garuda12345 bandung123 surabaya123 metatrader metatrader4 metatrader5
tradingview trader12345 forex12345 sinyal12345 correcthorsebatterystaple
"""
COMMON = frozenset(_COMMON.split())


def check_password(password: str, email: str) -> None:
    """Raise PasswordRefused when a password is short, common, or made of the address."""
    folded = _normalise(password).casefold()
    if len(_normalise(password)) < PASSWORD_LENGTH_MIN:
        raise PasswordRefused(f"use at least {PASSWORD_LENGTH_MIN} characters")
    if folded in COMMON or folded.replace(" ", "") in COMMON:
        raise PasswordRefused("this password is on every attacker's list")
    if len(set(folded)) < DISTINCT_CHARACTERS_MIN:
        raise PasswordRefused(f"use at least {DISTINCT_CHARACTERS_MIN} different characters")
    name = email.partition("@")[0].casefold()
    if folded == email.casefold() or folded.strip("0123456789!.") == name:
        raise PasswordRefused("do not use your e-mail address as your password")
    _check_guesses(folded, email)


def _check_guesses(folded: str, email: str) -> None:
    """Refuse leaked passwords, and what an attacker's first 100 million guesses would find."""
    from zxcvbn import zxcvbn  # type: ignore[import-untyped]

    if folded in _leaked_passwords():
        raise PasswordRefused("this password is on every attacker's list")
    estimate = zxcvbn(
        folded[:ESTIMATED_CHARACTERS_MAX],
        user_inputs=[email, *email.replace("@", ".").split("."), "sinyal"],
        max_length=ESTIMATED_CHARACTERS_MAX,
    )
    if estimate["score"] <= GUESSABLE_SCORE_MAX:
        raise PasswordRefused("this password is too easy to guess: add words that do not belong")


@lru_cache(maxsize=1)
def _leaked_passwords() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # type: ignore[import-untyped]

    return frozenset(FREQUENCY_LISTS["passwords"])


def hash_password(password: str) -> str:
    """Hash a password with a fresh salt; the answer carries its parameters."""
    return _hasher().hash(_normalise(password))


def verify_password(stored: str | None, password: str) -> bool:
    """Whether the password is the stored one. No account (None) costs the same and is never."""
    from argon2.exceptions import VerificationError

    try:
        return _hasher().verify(stored or decoy_hash(), _normalise(password)) and stored is not None
    except VerificationError:
        return False


def is_outdated(stored: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _hasher().check_needs_rehash(stored)


@lru_cache(maxsize=1)
def decoy_hash() -> str:
    """A well-formed hash of today's cost that no known password has."""
    salt, digest = (
        base64.b64encode(bytes(size)).decode().rstrip("=") for size in (SALT_BYTES, DIGEST_BYTES)
    )
    return f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${digest}"


@lru_cache(maxsize=1)
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher

    return PasswordHasher(
        time_cost=PASSES,
        memory_cost=MEMORY_KIB,
        parallelism=LANES,
        hash_len=DIGEST_BYTES,
        salt_len=SALT_BYTES,
    )


def _normalise(password: str) -> str:
    """One spelling for what looks the same on different keyboards (NIST SP 800-63B)."""
    return unicodedata.normalize("NFKC", password)
