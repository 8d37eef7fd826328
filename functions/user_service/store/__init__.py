"""The only SQL of user_service. A tenant-bound transaction sees its own tenant's rows."""

from functions.user_service.store.attempts import AttemptStore
from functions.user_service.store.factors import FactorRows
from functions.user_service.store.keys import KeyRows
from functions.user_service.store.mailed import MailedRows
from functions.user_service.store.marks import mark_revoked
from functions.user_service.store.sessions import SessionRows
from functions.user_service.store.throttles import ThrottleStore
from functions.user_service.store.users import UserRows

__all__ = ["AttemptStore", "ThrottleStore", "UserStore", "mark_revoked"]


class UserStore(UserRows, SessionRows, FactorRows, MailedRows, KeyRows):
    """Users, their sessions, second factors, mailed tokens and API keys, in one transaction."""
