"""What user_management refuses, each refusal by name."""

from kit.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    PoisonMessage,
    TooManyRequests,
    Unavailable,
    Unprocessable,
)


class VerificationTokenInvalid(BadRequest):
    """The token is forged, unknown, used, replaced or expired; which of them is not said."""

    code, title = "verification_token_invalid", "This verification link is not valid any more"


class UserOfAnotherTenant(Conflict):
    """A message claims a user whom another tenant has, or a tenant that has an owner."""

    code, title = "user_of_another_tenant", "The user belongs to another tenant"


class UnknownUser(NotFound):
    """The tenant has no such user (yet)."""

    code, title = "unknown_user", "The tenant has no such user"


class UnknownTimeZone(Unprocessable):
    """The time zone is not in the IANA database."""

    code, title = "unknown_time_zone", "This time zone is not known"


class UnknownTenant(NotFound):
    """There is no such tenant (yet)."""

    code, title = "unknown_tenant", "There is no such tenant"


class TenantStepRefused(Conflict):
    """The tenant's state does not lead where this would take it."""

    code, title = "tenant_state_conflict", "The tenant's state does not allow this"


class OwnerUntouchable(Conflict):
    """Nobody changes or removes the owner; the owner hands the ownership over instead."""

    code, title = "owner_untouchable", "The owner cannot be changed or removed"


class MayNotManage(Forbidden):
    """Who asks holds a token of a role that they no longer have."""

    code, title = "role_needed", "This needs another role"


class AlreadyMember(Conflict):
    """The invited address belongs to a member of the same tenant."""

    code, title = "already_member", "This address belongs to a member already"


class AlreadyOwner(Conflict):
    """The ownership is where it should go."""

    code, title = "already_owner", "This member is the owner already"


class TooManyInvitations(Conflict):
    """The tenant has as many open invitations as it may."""

    code, title = "too_many_invitations", "There are too many open invitations"


class InvitationMailsSpent(TooManyRequests):
    """The tenant's invitation mails of the day are used up."""

    code, title = "invitation_mails_spent", "Too many invitations in a day"
    retryable = False


class UnknownInvitation(NotFound):
    """The tenant has no such open invitation."""

    code, title = "unknown_invitation", "There is no such open invitation"


class PreferencesChanged(Conflict):
    """Somebody else changed the preferences since they were read."""

    code, title = "version_mismatch", "The preferences were changed in the meantime"


class UnknownDocument(Unprocessable):
    """No such version of the document, or one that newer text has replaced."""

    code, title = "unknown_document_version", "This version of the document cannot be consented to"


class NothingToWithdraw(Conflict):
    """The user has no consent to this document that stands."""

    code, title = "nothing_to_withdraw", "There is no consent to withdraw"


class PeriodTooLong(Unprocessable):
    """The asked period ends before it begins, or spans more months than one answer shows."""

    code, title = "period_invalid", "The period is not valid"


class MemberNotThereYet(Unavailable):
    """A message speaks of a member whose own message has not arrived; it comes back."""

    code, title = "member_not_there_yet", "The member is not known yet"


class TenantNotClosed(PoisonMessage):
    """A message says a tenant is erased that nobody closed."""

    code, title = "tenant_not_closed", "The tenant is not closed"


class TenantMissing(PoisonMessage):
    """A message that belongs to a tenant names none."""

    code, title = "tenant_missing", "The message names no tenant"
