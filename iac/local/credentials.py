"""Everything secret about one stack, made anew at each start; nothing of it has a default."""

import base64
import secrets
from dataclasses import dataclass, field

from iac.local.rooms import ROOMS

ADMIN_EMAIL = "admin@sinyal.example"


def _token() -> str:
    return secrets.token_urlsafe(24)


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True)
class Credentials:
    """The passwords and keys of one stack; never printed, kept in files of mode 0600."""

    room_passwords: dict[str, str] = field(
        default_factory=lambda: {room: _token() for room in ROOMS}, repr=False
    )
    jwt_seed: str = field(default_factory=_key, repr=False)
    mfa_key: str = field(default_factory=_key, repr=False)
    mail_links_key: str = field(default_factory=_key, repr=False)
    gateway_seed: str = field(default_factory=_key, repr=False)
    midtrans_server_key: str = field(
        default_factory=lambda: f"SB-Mid-server-{_token()}", repr=False
    )
    midtrans_client_key: str = field(
        default_factory=lambda: f"SB-Mid-client-{_token()}", repr=False
    )
    midtrans_merchant_id: str = field(
        default_factory=lambda: f"G{secrets.randbelow(10**9):09d}", repr=False
    )
    telegram_bot_id: str = field(
        default_factory=lambda: str(10**9 + secrets.randbelow(9 * 10**9)), repr=False
    )
    telegram_token_tail: str = field(
        default_factory=lambda: secrets.token_urlsafe(32)[:35], repr=False
    )
    telegram_webhook_secret: str = field(default_factory=_token, repr=False)
    smtp_username: str = "sinyal"
    smtp_password: str = field(default_factory=_token, repr=False)
    llm_key: str = field(default_factory=lambda: f"sk-local-{_token()}", repr=False)
    admin_email: str = ADMIN_EMAIL
    admin_password: str = field(default_factory=_token, repr=False)

    @property
    def telegram_bot_token(self) -> str:
        return f"{self.telegram_bot_id}:{self.telegram_token_tail}"
