"""HTTP door of performance_analytics: a tenant's trading results."""

from functions.performance_analytics import logic
from functions.performance_analytics.models import TradingResult
from functions.performance_analytics.store import EventStore
from kit.analytics import Analytics, open_analytics
from kit.api import CurrentPrincipal, make_app, make_handler

app = make_app("performance_analytics", "Trading results")


def _analytics() -> Analytics:
    return open_analytics()


@app.get("/v1/analytics/trading")
def get_trading(principal: CurrentPrincipal) -> TradingResult:
    """The tenant's closed trades, summed up in all and by symbol."""
    rows = EventStore(_analytics()).summarise_trading(principal.tenant_id)
    return TradingResult.model_validate(logic.describe_trading(rows))


handler = make_handler(app)
