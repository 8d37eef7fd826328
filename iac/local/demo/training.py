"""Train, register and promote the direction model, through the product's own queue and store."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from contracts.ai_provider import RequestViews
from contracts.envelope import Envelope, Message
from contracts.ids import uuid7
from contracts.ml_processing import TrainModel
from iac.local.demo.client import ApiClient, DemoFailed, wait_for
from iac.local.demo.market import Market, build_bars, write_dataset
from iac.local.stack import Stack

TRAINING_TIMEOUT_S = 120.0


def put_message(stack: Stack, message: Message) -> None:
    """Put a command on the bus, as the platform's own operator."""
    envelope = Envelope.wrap(message, tenant_id=None, now=datetime.now(UTC))
    answer = stack.client("events").put_events(
        Entries=[
            {
                "EventBusName": f"sinyal-{stack.stage}",
                "Source": envelope.source,
                "DetailType": envelope.detail_type,
                "Detail": envelope.to_json(),
            }
        ]
    )
    if answer["FailedEntryCount"]:
        raise DemoFailed(f"the bus refused {envelope.detail_type}: {answer['Entries']}")


def train_model(
    stack: Stack, market: Market, client: ApiClient, note: Callable[[str], None]
) -> dict[str, Any]:
    """Train on every bar before the replayed day; returns the promoted model of the API."""
    bars = build_bars(market, None, market.start)
    note(f"{len(bars):,} M1 bars before {market.start:%Y-%m-%d}")
    key = f"datasets/{market.symbol}-M1-before-{market.start:%Y%m%d}.npz"
    bucket = find_bucket(stack)
    stack.client("s3").put_object(Bucket=bucket, Key=key, Body=write_dataset(bars))
    put_message(stack, TrainModel(training_id=uuid7(), symbol=market.symbol, dataset_key=key))

    def look() -> dict[str, Any] | None:
        items = client.expect(200, "GET", "/v1/ml/models")["items"]
        return next((item for item in items if item["symbol"] == market.symbol), None)

    return wait_for("the model's promotion", look, TRAINING_TIMEOUT_S)


def find_bucket(stack: Stack) -> str:
    """The models bucket of the deployment."""
    names = [bucket["Name"] for bucket in stack.client("s3").list_buckets()["Buckets"]]
    return str(next(name for name in names if "models" in name))


def request_views(stack: Stack, market: Market) -> None:
    """Ask the language model for the day's view, once, off the hot path."""
    closes = [bar.close for bar in build_bars(market, None, market.start)[-240:]]
    change = closes[-1] - closes[0]
    facts = {
        "change_over_last_240_minutes_points": str(change),
        "range_over_last_240_minutes_points": str(max(closes) - min(closes)),
    }
    put_message(
        stack,
        RequestViews(symbols=(market.symbol,), as_of=market.start, ttl_s=86_400, facts=facts),
    )


def wait_for_view(stack: Stack, timeout_s: float = 30.0) -> int:
    """Wait until ai_orchestration keeps a view; returns how many."""
    import psycopg

    with psycopg.connect(stack.postgres.dsn, autocommit=True) as connection:

        def look() -> int | None:
            row = connection.execute("SELECT count(*) FROM ai_orchestration.views").fetchone()
            return int(row[0]) if row and row[0] else None

        return wait_for("the language model's view", look, timeout_s)
