"""One-time codes of an authenticator app (RFC 6238): one step early or late, each step once."""

import hmac
from datetime import datetime
from typing import Protocol
from uuid import UUID

from functions.user_service.logic.vault import FactorVault
from functions.user_service.models import Account, Factor

STEP_S = 30
STEPS_AROUND = (0, -1, 1)
ISSUER = "Sinyal"


class StepStore(Protocol):
    """Keeps the newest time step a code was taken of."""

    def take_step(self, user_id: UUID, step: int) -> bool:
        """Use a step up; False when it was used."""


def make_totp_secret() -> str:
    """A secret of 160 random bits, in base32."""
    import pyotp

    return pyotp.random_base32()


def write_otpauth_uri(secret: str, account: Account) -> str:
    """What an authenticator app reads from a QR code."""
    import pyotp

    return pyotp.TOTP(secret).provisioning_uri(name=account.email, issuer_name=ISSUER)


def find_step(secret: str, code: str, now: datetime) -> int | None:
    """The time step whose code it is, of those around now."""
    import pyotp

    totp, current = pyotp.TOTP(secret), int(now.timestamp()) // STEP_S
    found = None
    for offset in STEPS_AROUND:
        if hmac.compare_digest(totp.generate_otp(current + offset), code):
            found = current + offset
    return found


def accept_totp(
    store: StepStore, vault: FactorVault, user_id: UUID, factor: Factor, *, code: str, now: datetime
) -> bool:
    """Whether a code is right and was not used before; it is used up by this."""
    step = find_step(vault.open(user_id, factor.sealed_secret), code, now)
    return step is not None and store.take_step(user_id, step)
