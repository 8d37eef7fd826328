"""HTTP door of user_service; the routes stand in the modules beside, by subject."""

from functions.user_service.api import (
    emails,
    invitations,
    keys,
    mfa,
    passwords,
    sessions,
    sign_in,
    tokens,
)
from functions.user_service.logic.tokens import TokenSigner, open_signer
from functions.user_service.settings import settings
from kit.api import make_app, make_handler
from kit.db import Database, open_database
from kit.settings import read_secret

SIGNING_KEYS_AGE_S = 60
"""A rotated key signs ten minutes after it was made: every process knows it by then."""

app = make_app("user_service", "Credentials, sessions and tokens")


def _database() -> Database:
    return open_database("user_service", settings().event_bus_name)


def _signer() -> TokenSigner:
    return open_signer(read_secret("jwt", SIGNING_KEYS_AGE_S), settings().public_url)


# Looked up at each call: tests and rotations put others in their place.
app.state.open_database = lambda: _database()  # noqa: PLW0108
app.state.open_signer = lambda: _signer()  # noqa: PLW0108


for module in (sign_in, sessions, passwords, emails, mfa, invitations, keys, tokens):
    app.include_router(module.router)

handler = make_handler(app)
