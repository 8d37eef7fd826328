"""The platform's own accounts: ``python -m functions.user_service.admin --email ADDRESS``.

With ``--support`` an account of the platform's support, which only reads. An account is one or the
other, as this command was last told.
Reads the password from SINYAL_ADMIN_PASSWORD or the standard input, never from the arguments. Run
by whoever may read the room's database secret; no HTTP route and no message leads here.
"""

import argparse
import os
import sys

from pydantic import TypeAdapter
from pydantic.networks import EmailStr

from contracts.ids import uuid7
from functions.user_service.logic.passwords import check_password, hash_password
from functions.user_service.logic.registration import normalise_email
from functions.user_service.models import MAX_PASSWORD_CHARACTERS, Credentials, NewUser
from functions.user_service.settings import settings
from functions.user_service.store import UserStore, mark_revoked
from kit.db import Database, open_database


def ensure_platform_admin(
    database: Database, email: str, password: str, *, support: bool = False
) -> Credentials:
    """Create the platform's administrator or give them this password; old sessions end.

    ``support``: an account that reads what staff may read, and nothing more.

    Raises PasswordRefused.
    """
    address = normalise_email(TypeAdapter(EmailStr).validate_python(email))
    check_password(password, address)
    password_hash = hash_password(password)
    with database.transaction(None) as tx:
        known = UserStore(tx).find_credentials(address)
    whose = known or Credentials(uuid7(), uuid7())
    with database.transaction(whose.tenant_id) as tx:
        store = UserStore(tx)
        if known is None:
            store.add_user(
                NewUser(
                    user_id=whose.user_id,
                    tenant_id=whose.tenant_id,
                    email=address,
                    password_hash=password_hash,
                    role="owner",
                    status="active",
                    created_at=tx.now,
                    platform_admin=not support,
                    support=support,
                )
            )
        else:
            store.set_password_hash(whose.user_id, password_hash)
            store.make_staff(whose.user_id, support=support)
            store.end_sessions(whose.user_id, "password_set")
        store.record("account.staff_set", "user", whose.user_id, support=support)
    mark_revoked(tx.rows)
    return whose


def main() -> None:
    """Read the arguments and the password, and make sure of the account."""
    parser = argparse.ArgumentParser(description="make sure of the platform administrator")
    parser.add_argument("--email", required=True)
    parser.add_argument("--support", action="store_true", help="an account that only reads")
    arguments = parser.parse_args()
    password = os.environ.get("SINYAL_ADMIN_PASSWORD") or sys.stdin.readline(
        MAX_PASSWORD_CHARACTERS + 2
    ).rstrip("\n")
    database = open_database("user_service", settings().event_bus_name)
    try:
        whose = ensure_platform_admin(
            database, arguments.email, password, support=arguments.support
        )
    finally:
        database.close()
    sys.stdout.write(f"{whose.user_id}\n")


if __name__ == "__main__":
    main()
