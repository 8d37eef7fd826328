"""Passwords of terminals: accounts' from KMS, the market's own from the host's configuration."""

from collections.abc import Callable
from uuid import UUID

from pydantic import SecretStr

from edge_bridge.host.sources import FEED_ROOM, FROM_CONFIGURATION

OpenSecret = Callable[[UUID, UUID, str], str]


def open_passwords(vault: OpenSecret, market: SecretStr) -> OpenSecret:
    """Make the supervisor's way to passwords: no tenant's message can name the market's own."""

    def open_password(tenant_id: UUID, account_id: UUID, ciphertext: str) -> str:
        if tenant_id == FEED_ROOM and ciphertext == FROM_CONFIGURATION:
            return market.get_secret_value()
        return vault(tenant_id, account_id, ciphertext)

    return open_password
