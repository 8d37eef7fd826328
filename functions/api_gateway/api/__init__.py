"""HTTP door of api_gateway; the routes stand in the modules beside, by subject."""

from functions.api_gateway.api import audit_log, docs, health, usage
from functions.api_gateway.settings import settings
from kit.analytics import Analytics, open_analytics
from kit.api import make_app, make_handler
from kit.clock import Clock, SystemClock
from kit.db import Database, open_database

app = make_app("api_gateway", "Health, the request log and the audit log")


def _database() -> Database:
    return open_database("api_gateway", settings().event_bus_name)


def _clock() -> Clock:
    return SystemClock()


def _analytics() -> Analytics:
    return open_analytics()


app.state.open_database = lambda: _database()  # noqa: PLW0108
app.state.open_clock = lambda: _clock()  # noqa: PLW0108
app.state.open_analytics = lambda: _analytics()  # noqa: PLW0108

for module in (health, docs, usage, audit_log):
    app.include_router(module.router)

handler = make_handler(app)
