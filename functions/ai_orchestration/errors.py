"""What can go wrong in ai_orchestration."""

from kit.errors import NotFound, PoisonMessage, SinyalError, Unavailable


class ModelHashMismatch(SinyalError):
    """A stored file is not the one that was promoted; nothing is served from it."""

    code, title = "model_hash_mismatch", "The model file differs from the registry's"


class ModelUnfit(SinyalError):
    """A promoted model cannot be served here: other features, or wrong answers."""

    code, title = "model_unfit", "The model cannot be served by this release"


class ModelStoreUnavailable(Unavailable):
    """S3 did not give a promoted model's file."""

    code, title = "model_store_unavailable", "The model store does not answer"


class NotPlatformEvent(PoisonMessage):
    """An event that only the platform may send carries a tenant."""

    code, title = "not_platform_event", "The event belongs to the platform, not to a tenant"


class TenantMissing(PoisonMessage):
    """An event about a tenant carries none."""

    code, title = "tenant_missing", "The event names no tenant"


class SignalNotFound(NotFound):
    """No such signal, not delivered to this tenant, or not visible yet."""

    code, title = "signal_not_found", "There is no such signal"
