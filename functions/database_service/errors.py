"""What can go wrong in database_service."""

from kit.errors import Unavailable


class RelayIncomplete(Unavailable):
    """The bus did not take every row; they stay in the outbox and are tried again."""

    code, title = "relay_incomplete", "Some events could not be published yet"
