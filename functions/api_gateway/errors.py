"""Why the gateway lets nobody pass."""

from kit.errors import Unauthenticated, Unavailable


class TokenRefused(Unauthenticated):
    """The token is missing, malformed, forged, expired or meant for somebody else."""

    code, title = "token_refused", "The token is not valid"


class KeysUnavailable(Unavailable):
    """The public keys cannot be read, so no token can be trusted."""

    code, title = "keys_unavailable", "The public keys cannot be read"


class Unauthorized(Exception):
    """API Gateway answers 401 to an authorizer that fails with exactly this text."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")
