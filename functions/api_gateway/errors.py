"""Why the gateway lets somebody not pass, and which of its stores did not answer."""

from kit.errors import Unauthenticated, Unavailable


class TokenRefused(Unauthenticated):
    """The credential is missing, malformed, forged, expired or meant for somebody else."""

    code, title = "token_refused", "The token is not valid"


class AccessEnded(Unauthenticated):
    """The credential was good and is not any more: revoked, or its tenant closed."""

    code, title = "access_ended", "The access was ended"


class ReissueNeeded(Unauthenticated):
    """What is known of an API key is older than a change of its owner: ask about it anew."""

    code, title = "reissue_needed", "The key must be asked about again"


class KeysUnavailable(Unavailable):
    """The public keys cannot be read, so no token can be trusted."""

    code, title = "keys_unavailable", "The public keys cannot be read"


class IntrospectionUnavailable(Unavailable):
    """Whether an API key is good cannot be asked."""

    code, title = "introspection_unavailable", "API keys cannot be checked"


class GateUnavailable(Unavailable):
    """Redis did not answer in its time."""

    code, title = "gate_unavailable", "The request counter does not answer"


class RecordsUnavailable(Unavailable):
    """PostgreSQL did not answer."""

    code, title = "records_unavailable", "The gateway's records cannot be read"


class Unauthorized(Exception):
    """API Gateway answers 401 to an authorizer that fails with exactly this text."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")
