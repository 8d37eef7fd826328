"""What user_management refuses, each refusal by name."""

from kit.errors import BadRequest, Conflict, NotFound, Unprocessable


class VerificationTokenInvalid(BadRequest):
    """The token is unknown, used or expired; which of them is not said."""

    code, title = "verification_token_invalid", "This verification link is not valid any more"


class UserOfAnotherTenant(Conflict):
    """A message claims a user whom another tenant has."""

    code, title = "user_of_another_tenant", "The user belongs to another tenant"


class UnknownUser(NotFound):
    """The tenant has no such user (yet)."""

    code, title = "unknown_user", "The tenant has no such user"


class UnknownTimeZone(Unprocessable):
    """The time zone is not in the IANA database."""

    code, title = "unknown_time_zone", "This time zone is not known"
