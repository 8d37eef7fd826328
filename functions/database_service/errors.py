"""What can go wrong in database_service."""

from kit.errors import Conflict, NotFound, Unavailable, Unprocessable


class RelayIncomplete(Unavailable):
    """The bus did not take every row; they stay in the outbox and are tried again."""

    code, title = "relay_incomplete", "Some events could not be published yet"


class ExportRunning(Conflict):
    """A tenant has one export in the making at a time."""

    code, title = "export_running", "An export is being made already"


class ExportMissing(NotFound):
    """The export is not there, or another tenant's."""

    code, title = "export_not_found", "There is no such export"


class ArchiveTooLarge(Unprocessable):
    """A tenant's data does not fit in one archive."""

    code, title = "archive_too_large", "The data does not fit in one archive"


class TenantNotClosed(Conflict):
    """Only a tenant that its owner closed is erased."""

    code, title = "tenant_not_closed", "The tenant is not closed"


class StoreUnreachable(Unavailable):
    """Redis or S3 did not answer; the work is resumed when the message comes back."""

    code, title = "store_unreachable", "A store does not answer"


class SweepsIncomplete(Unavailable):
    """Some erasures were not looked at again; the next run does it."""

    code, title = "sweeps_incomplete", "Some erasures could not be swept again"
