"""HTTP door of user_management; the routes stand in the modules beside, by subject."""

from functions.user_management.api import (
    consents,
    members,
    profiles,
    staff,
    tenants,
    verification,
)
from functions.user_management.logic.links import MailLinks
from functions.user_management.settings import settings
from kit.analytics import Analytics, open_analytics
from kit.api import make_app, make_handler
from kit.db import Database, open_database
from kit.settings import read_secret

app = make_app("user_management", "Tenants, members, profiles, consents and verification")


def _database() -> Database:
    return open_database("user_management", settings().event_bus_name)


def _links() -> MailLinks:
    return MailLinks(str(read_secret("mail-links")["key"]))


def _analytics() -> Analytics:
    return open_analytics()


# Looked up at each call: tests and rotations put others in their place.
app.state.open_database = lambda: _database()  # noqa: PLW0108
app.state.open_links = lambda: _links()  # noqa: PLW0108
app.state.open_analytics = lambda: _analytics()  # noqa: PLW0108
app.state.erase_after_s = lambda: settings().erase_after_s

for module in (verification, profiles, consents, members, tenants, staff):
    app.include_router(module.router)
"""The staff's routes come last: ``/v1/tenants/{tenant_id}`` would take ``/v1/tenants/me`` too."""

handler = make_handler(app)
