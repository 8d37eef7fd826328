"""HTTP door of ai_provider: what language models cost this month, for the platform's staff."""

from datetime import date
from typing import Literal

from pydantic import BaseModel

from functions.ai_provider.settings import settings
from functions.ai_provider.store import MoneyStore
from kit.api import make_app, make_handler
from kit.db import Database, open_database

app = make_app("ai_provider", "Use and cost of language models")


class Budget(BaseModel):
    """A scope's cap of the month and what is reserved and spent of it, in pico-dollars."""

    scope: str
    monthly_cap_picodollars: int
    reserved_picodollars: int
    spent_picodollars: int


class AttemptCount(BaseModel):
    """Calls of one model that ended alike."""

    provider: str
    model: str
    state: Literal["reserved", "settled", "failed", "unknown"]
    error_code: str | None
    attempts: int
    cost_picodollars: int


class ModelUsage(BaseModel):
    """Answer of GET /v1/ai/usage."""

    month: date
    """The month's first day."""
    budgets: list[Budget]
    attempts: list[AttemptCount]


def _database() -> Database:
    return open_database("ai_provider", settings().event_bus_name)


@app.get("/v1/ai/usage")
def get_usage() -> ModelUsage:
    """Budgets and attempts of the running month, in pico-dollars."""
    with _database().transaction(None) as tx:
        month = tx.now.date().replace(day=1)
        money = MoneyStore(tx)
        return ModelUsage(
            month=month,
            budgets=[Budget.model_validate(row) for row in money.report_month(month)],
            attempts=[AttemptCount.model_validate(row) for row in money.count_attempts(month)],
        )


handler = make_handler(app)
