"""An address becomes another once it is proven; the old one hears of it.

Whether the new address has an account is never told when it is asked for: then no mail goes out.
"""

from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from contracts.envelope import Message
from contracts.user_service import AlertKind, EmailChanged, EmailChangeRequested
from functions.user_service.errors import TokenInvalid
from functions.user_service.logic.mailed import make_mailed_token
from functions.user_service.logic.tokens import hash_secret
from functions.user_service.models import Account, Credentials, MailedPurpose, MailedRow

EMAIL_CHANGE_LIFE = timedelta(hours=1)


class EmailStore(Protocol):
    """What a new address touches."""

    def read_account(self, user_id: UUID) -> Account | None: ...
    def find_credentials(self, email: str) -> Credentials | None: ...
    def set_email(self, user_id: UUID, email: str) -> bool: ...
    def put_token(
        self,
        token_hash: bytes,
        user_id: UUID,
        purpose: MailedPurpose,
        expires_at: datetime,
        new_email: str | None = None,
    ) -> None: ...
    def take_token(self, token_hash: bytes, purpose: MailedPurpose) -> MailedRow | None: ...
    def drop_tokens(self, user_id: UUID) -> None: ...
    def publish(self, message: Message) -> None: ...
    def alert(self, account: Account, kind: AlertKind, email: str | None = None) -> None: ...
    def record(
        self, action: str, target_kind: str, target_id: object, **detail: str | int | bool | None
    ) -> None: ...


def request_email_change(
    store: EmailStore, account: Account, new_email: str, now: datetime
) -> None:
    """Have a mail sent to the new address, unless it has an account."""
    token, expires_at = make_mailed_token(), now + EMAIL_CHANGE_LIFE
    store.put_token(hash_secret(token), account.user_id, "email_change", expires_at, new_email)
    store.record("email.change_asked", "user", account.user_id)
    if store.find_credentials(new_email) is not None:
        return
    store.publish(
        EmailChangeRequested(
            user_id=account.user_id,
            new_email=new_email,
            locale=account.locale,
            token=token,
            expires_at=expires_at,
        )
    )


def confirm_email_change(store: EmailStore, token_hash: bytes) -> None:
    """Take a proven address; every other mailed token of the user ends. Raises TokenInvalid."""
    taken = store.take_token(token_hash, "email_change")
    account = store.read_account(taken.user_id) if taken else None
    if taken is None or taken.new_email is None or account is None:
        raise TokenInvalid("ask for a new mail")
    if account.tenant_status == "closed" or not store.set_email(account.user_id, taken.new_email):
        raise TokenInvalid("ask for a new mail")
    store.drop_tokens(account.user_id)
    store.publish(EmailChanged(user_id=account.user_id, email=taken.new_email))
    store.alert(account, "email_changed", email=account.email)
    store.record("email.changed", "user", account.user_id)
