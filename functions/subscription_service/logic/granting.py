"""What a plan allows, in the words every other room reads."""

from datetime import datetime

from contracts.subscription_service import ApiLimits, EntitlementsChanged
from functions.subscription_service.logic.book import Publish, SubscriptionBook
from functions.subscription_service.models import Plan


def describe_entitlements(plan: Plan, version: int, time_zone: str) -> EntitlementsChanged:
    """What a plan allows, as every other room reads it."""
    predictions, features = plan.rule("prediction"), plan.features
    return EntitlementsChanged(
        version=version,
        tier=plan.code,
        symbols=tuple(features["symbols"]),
        max_symbols=features["max_symbols"],
        predictions_per_day=0 if predictions is None else predictions.quota,
        prediction_delay_s=features["prediction_delay_s"],
        live_accounts=features["live_accounts"],
        paper_accounts=features["paper_accounts"],
        time_zone=time_zone,
        api=read_api_limits(plan),
    )


def read_api_limits(plan: Plan) -> ApiLimits:
    """How much of the API a plan gives, as its rows say."""
    return ApiLimits(
        requests_per_second=plan.features["api_requests_per_second"],
        burst=plan.features["api_burst"],
        requests_per_day=plan.features["api_requests_per_day"],
    )


def grant_plan(
    book: SubscriptionBook, publish: Publish, plan: Plan, time_zone: str, now: datetime
) -> None:
    """Let the tenant use what a plan allows, from now on."""
    _grant(book, publish, describe_entitlements(plan, book.next_grant_version(), time_zone), now)


def _grant(
    book: SubscriptionBook, publish: Publish, granted: EntitlementsChanged, now: datetime
) -> None:
    """Announce a grant; a suspended tenant keeps its tier, and gets and trades nothing."""
    if book.is_suspended():
        granted = granted.model_copy(update={"symbols": (), "predictions_per_day": 0})
    book.add_grant(granted, now)
    publish(granted)


def grant_nothing(book: SubscriptionBook, publish: Publish, time_zone: str, now: datetime) -> None:
    """An ended subscription allows nothing; the tier is the default plan's, the limits are zero.

    The API stays open within the default plan's limits: to choose a plan, and to pay.
    """
    default = book.find_default_plan()
    granted = EntitlementsChanged(
        version=book.next_grant_version(),
        tier=default.code,
        symbols=(),
        max_symbols=None,
        predictions_per_day=0,
        prediction_delay_s=0,
        live_accounts=0,
        paper_accounts=0,
        time_zone=time_zone,
        api=read_api_limits(default),
    )
    _grant(book, publish, granted, now)
