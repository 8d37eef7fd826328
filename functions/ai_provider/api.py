"""HTTP door of ai_provider: what language models cost this month, for the platform's staff."""

from typing import Any

from functions.ai_provider.settings import settings
from functions.ai_provider.store import MoneyStore
from kit.api import CurrentPrincipal, make_app, make_handler
from kit.db import Database, open_database

app = make_app("ai_provider", "Use and cost of language models")


def _database() -> Database:
    return open_database("ai_provider", settings().event_bus_name)


@app.get("/v1/ai/usage")
def get_usage(principal: CurrentPrincipal) -> dict[str, Any]:
    """Budgets and attempts of the running month, in pico-dollars."""
    principal.require_platform_admin()
    with _database().transaction(None) as tx:
        month = tx.now.date().replace(day=1)
        money = MoneyStore(tx)
        return {
            "month": month.isoformat(),
            "budgets": money.report_month(month),
            "attempts": money.count_attempts(month),
        }


handler = make_handler(app)
