"""HTTP door of trading_engine; the routes stand in the modules beside, by subject."""

from functions.trading_engine.api import accounts, limits, news, orders, switch
from functions.trading_engine.settings import settings
from kit.api import make_app, make_handler
from kit.db import Database, open_database

app = make_app(
    "trading_engine",
    "Accounts, limits, kill switches, orders, positions and trades of a tenant",
)


def _database() -> Database:
    return open_database("trading_engine", settings().event_bus_name)


# Looked up at each call: tests put others in their place.
app.state.open_database = lambda: _database()  # noqa: PLW0108
app.state.broker_key_id = lambda: settings().broker_key_id

for module in (accounts, limits, switch, news, orders):
    app.include_router(module.router)

handler = make_handler(app)
